"""The connection to the broker: a session that outlives us, every acknowledgement by hand, reconnects by itself."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from threading import Lock
from typing import Any

import paho.mqtt.client as mqtt
import structlog
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from app.ingest.mqtt.access import Access
from app.ingest.mqtt.inbox import Inbox, Message
from app.ingest.mqtt.topics import SPARKPLUG
from app.settings import Settings

log = structlog.get_logger(__name__)

KEEPALIVE_SECONDS = 30
LONGEST_PAUSE_SECONDS = 60
# The broker drops what is larger without a word (MQTT 5), so this lies far above what we take and refuse by name.
LARGEST_PACKET_BYTES = 16 << 20
SENT_BEFORE = 1  # Retained messages come with the first subscription only, not at each reconnect.
REFUSED = 128  # MQTT 5: reason codes from here on are failures.


class Broker:
    """Puts messages into the inbox and acknowledges them when told to."""

    def __init__(self, access: Access, settings: Settings, subscriptions: list[str], inbox: Inbox) -> None:
        self._inbox = inbox
        self._access = access
        self._subscriptions = subscriptions
        self._kept_bytes = settings.mqtt_max_message_bytes
        self._session_seconds = int(settings.mqtt_session_expiry.total_seconds())
        self._receive_maximum = settings.mqtt_receive_maximum
        self._host_id = settings.mqtt_sparkplug_host
        self._is_ready = True
        self._state_ms = 0
        self._connection = 0
        # By number of the message: what it held, and when it came.
        self._first_arrivals: dict[int, tuple[int, int]] = {}
        # An acknowledgement that is queued after the connection broke must never reach the next one, where the same
        # number may stand for another message.
        self._lock = Lock()
        self._client = self._make_client()

    def start(self) -> None:
        """Returns at once; connecting goes on in the background until it works."""
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # the library left it out
        properties.SessionExpiryInterval = min(self._session_seconds, 0xFFFF_FFFF)
        properties.ReceiveMaximum = self._receive_maximum
        properties.MaximumPacketSize = LARGEST_PACKET_BYTES
        self._client.connect_async(
            self._access.host, self._access.port, KEEPALIVE_SECONDS, clean_start=False, properties=properties
        )
        self._client.loop_start()

    def stop(self) -> None:
        """Say goodbye after what is queued; the broker keeps the session."""
        self._tell(is_online=False)
        self._client.disconnect()
        self._client.loop_stop()

    def acknowledge(self, messages: Iterable[Message]) -> None:
        with self._lock:
            for message in messages:
                if message.qos and message.connection == self._connection:
                    self._client.ack(message.mid, message.qos)

    def publish(self, topic: str, body: bytes) -> None:
        self._client.publish(topic, body, qos=0)

    def unsubscribe(self, filters: list[str]) -> None:
        """From what an earlier run with other templates left in the session."""
        if filters:
            self._client.unsubscribe(filters)

    def tell_ready(self, is_ready: bool) -> None:
        """Whether readings can be stored; nodes that follow our STATE keep theirs while they cannot."""
        if is_ready != self._is_ready:
            self._is_ready = is_ready
            self._tell(is_online=is_ready)

    def _make_client(self) -> mqtt.Client:
        access = self._access
        client = mqtt.Client(CallbackAPIVersion.VERSION2, access.client_id, protocol=mqtt.MQTTv5, manual_ack=True)
        client.reconnect_delay_set(1, LONGEST_PAUSE_SECONDS)
        if access.username is not None:
            client.username_pw_set(access.username, access.password)
        if access.tls is not None:
            client.tls_set_context(access.tls)
        client.on_pre_connect = self._connecting
        client.on_connect = self._connected
        client.on_connect_fail = self._not_reached
        client.on_disconnect = self._disconnected
        client.on_subscribe = self._subscribed
        client.on_message = self._arrived
        return client

    def _connecting(self, client: mqtt.Client, _: Any) -> None:
        """The will has this connection's time: nodes believe no `offline` older than the `online` before it."""
        if self._host_id:
            self._state_ms = max(self._state_ms, time.time_ns() // 1_000_000)
            client.will_set(self._state_topic(), self._state(is_online=False), qos=1, retain=True)

    def _connected(self, client: mqtt.Client, _: Any, flags: mqtt.ConnectFlags, reason: Any, __: Any) -> None:
        if reason.is_failure:
            log.error("the broker refuses us", reason=str(reason), client_id=self._access.client_id)
            return
        log.info(
            "connected to the broker",
            host=self._access.host,
            port=self._access.port,
            client_id=self._access.client_id,
            session="resumed" if flags.session_present else "new",
        )
        if flags.session_present:
            self._inbox.forget_repeated(self._connection)
        else:
            self._first_arrivals.clear()
        options = SubscribeOptions(qos=1, retainHandling=SENT_BEFORE)
        client.subscribe([(topic, options) for topic in self._subscriptions])
        self._tell(is_online=self._is_ready)

    def _not_reached(self, _: mqtt.Client, __: Any) -> None:
        log.warning("the broker cannot be reached; trying again", host=self._access.host, port=self._access.port)

    def _disconnected(self, _: mqtt.Client, __: Any, ___: Any, reason: Any, ____: Any) -> None:
        with self._lock:
            self._connection += 1
        if reason.is_failure or reason.value:
            log.warning("the connection to the broker broke; trying again", reason=str(reason))

    def _subscribed(self, _: mqtt.Client, __: Any, ___: int, reasons: list[Any], ____: Any) -> None:
        for topic, reason in zip(self._subscriptions, reasons, strict=False):
            if reason.value >= REFUSED:
                log.error("the broker refuses a subscription", topic=topic, reason=str(reason))

    def _arrived(self, _: mqtt.Client, __: Any, given: mqtt.MQTTMessage) -> None:
        topic, body = _topic(given), bytes(given.payload[: self._kept_bytes])
        arrived_us = self._first_arrival(given, hash((topic, body)))
        self._inbox.put(
            Message(
                topic,
                body,
                given.qos,
                given.mid,
                self._connection,
                given.dup,
                given.retain,
                arrived_us,
                len(given.payload),
            )
        )

    def _first_arrival(self, given: mqtt.MQTTMessage, content: int) -> int | None:
        """When a message came for the first time; None where that was before this process.

        Delivered again it has its old number, which no other message gets before it is acknowledged.
        """
        if given.dup:
            seen, arrived_us = self._first_arrivals.get(given.mid, (None, None))
            return arrived_us if seen == content else None
        now_us = time.time_ns() // 1000
        if given.qos:
            self._first_arrivals[given.mid] = content, now_us
        return now_us

    def _tell(self, *, is_online: bool) -> None:
        # Without a connection nothing is queued: the next one begins with what holds then.
        if self._host_id and self._client.is_connected():
            info = self._client.publish(self._state_topic(), self._state(is_online=is_online), qos=1, retain=True)
            log.info("Sparkplug nodes told", host_id=self._host_id, online=is_online, queued=info.rc == 0)

    def _state_topic(self) -> str:
        return f"{SPARKPLUG}/STATE/{self._host_id}"

    def _state(self, *, is_online: bool) -> bytes:
        return json.dumps({"online": is_online, "timestamp": self._state_ms}).encode()


def _topic(given: mqtt.MQTTMessage) -> str:
    """paho decodes on asking and raises for what is no UTF-8, which brokers should have refused."""
    try:
        return given.topic
    except UnicodeDecodeError:
        return repr(given)[:100]
