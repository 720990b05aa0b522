"""The bridge: what waits is read, committed together, and only then acknowledged to the broker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from math import inf
from threading import Event

import numpy as np
import structlog
from prometheus_client import start_http_server

from app.database import Bind
from app.errors import Unavailable, WearwatchError
from app.ingest.committer import Committer
from app.ingest.group import BatchReport
from app.ingest.merging import Outcome
from app.ingest.mqtt.access import access
from app.ingest.mqtt.broker import Broker
from app.ingest.mqtt.chunks import Chunk, divided, in_chunks, passes
from app.ingest.mqtt.inbox import Inbox
from app.ingest.mqtt.reading import Reader
from app.ingest.mqtt.sparkplug import Read
from app.ingest.mqtt.topics import filters_of
from app.metrics import MQTT_MESSAGES, MQTT_UNWANTED, REGISTRY
from app.security.principal import Principal, Role
from app.settings import Settings

log = structlog.get_logger(__name__)

# What is read and committed at once; decoding so much takes about a tenth of a second.
MOST_MESSAGES, MOST_BYTES = 2_000, 4 << 20
# How long an idle bridge sleeps; held Sparkplug messages are looked at this often.
IDLE_SECONDS = 0.5
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
# Nodes that follow our STATE are told after some seconds: a short restart is no reason for them to change brokers.
LONG_PAUSE_SECONDS = 4.0
SECONDS_BETWEEN_REPORTS = 60.0
WORDS = (*(outcome.name.lower() for outcome in Outcome), "rejected")


class Bridge:
    """Runs in the caller's thread; the broker's thread fills the inbox."""

    def __init__(
        self, settings: Settings, committer: Committer, reader: Reader, broker: Broker, inbox: Inbox
    ) -> None:
        self._committer = committer
        self._reader = reader
        self._broker = broker
        self._inbox = inbox
        self._sender = Principal("mqtt", settings.mqtt_client_id, Role.SENSOR, settings.mqtt_register_machines)
        self._stop = Event()
        # The committer answers into an event loop; ours runs while we wait for it.
        self._loop = asyncio.new_event_loop()
        self._tally = np.zeros(len(WORDS), np.int64)
        self._messages = self._unwanted = self._lost_told = 0
        self._next_report = 0.0

    def stop(self) -> None:
        """From any thread or signal: what has arrived is still stored and acknowledged, nothing new is taken."""
        self._stop.set()

    def run(self) -> None:
        """Until stopped."""
        self._broker.start()
        while not self._stop.is_set():
            self._step(IDLE_SECONDS)
        self._inbox.close()
        while len(self._inbox) and self._step(0):
            pass
        self._store_held()
        self._broker.stop()
        self._loop.run_until_complete(self._committer.stop())
        self._loop.close()
        self._report()

    def _step(self, wait_seconds: float) -> bool:
        """Store and acknowledge what waits; False where it could not be and we are to stop."""
        messages = self._inbox.take(MOST_MESSAGES, MOST_BYTES, wait_seconds)
        reads = self._reader.read(messages, time.time())
        self._ask_for_rebirths()
        self._leave_old_subscriptions()
        is_stored = self._store(reads)
        if is_stored:
            self._broker.acknowledge([read.ticket for read in reads])
            self._messages += len(reads)
            MQTT_MESSAGES.inc(len(reads))
        if time.monotonic() >= self._next_report:
            self._report()
        return is_stored

    def _store_held(self) -> None:
        """What waits for a birth and comes no more (QoS 0); the broker sends the rest again to the next bridge."""
        held = self._reader.sparkplug.expired(inf)
        self._store([read for read in held if read.ticket.qos == 0])

    def _store(self, reads: Sequence[Read]) -> bool:
        """Until everything is committed: again and again while the database is away or busy. False: stopped."""
        chunks = in_chunks(reads, self._sender)
        pause = FIRST_PAUSE_SECONDS
        while chunks:
            chunks, why = self._loop.run_until_complete(self._commit(chunks))
            self._broker.tell_ready(why is None or pause < LONG_PAUSE_SECONDS)
            if why is None:
                continue
            if self._stop.is_set():
                log.warning("stopping with messages that are not stored; the broker keeps them", why=why)
                return False
            log.warning("not stored, not acknowledged; trying again", why=why, seconds=pause)
            self._stop.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        return True

    async def _commit(self, chunks: Sequence[Chunk]) -> tuple[list[Chunk], str | None]:
        """All in one go -> those to try again, and the reason to wait before that."""
        again: list[Chunk] = []
        why: str | None = None
        for chunk, answer in [(chunk, self._submit(chunk)) for chunk in chunks]:
            try:
                self._count(await answer)
            except Exception as error:
                if passes(error) or chunk.is_refusal:
                    again.append(chunk)
                    why = error.detail if isinstance(error, WearwatchError) else f"database: {type(error).__name__}"
                else:
                    # The same again would fail for ever: the message to blame is found by halves.
                    log.exception("messages could not be stored together", messages=len(chunk.reads))
                    again += divided(chunk, self._sender, error)
        return again, why

    def _submit(self, chunk: Chunk) -> asyncio.Future[BatchReport]:
        try:
            return self._committer.submit(chunk.batch)
        except WearwatchError as error:
            refused = self._loop.create_future()
            refused.set_exception(error)
            return refused

    def _ask_for_rebirths(self) -> None:
        for topic, body in self._reader.sparkplug.rebirths:
            log.info("asked a Sparkplug node to be born again", topic=topic)
            self._broker.publish(topic, body)
        self._reader.sparkplug.rebirths.clear()

    def _leave_old_subscriptions(self) -> None:
        """The broker's session outlives our settings: what fits no template any more is not asked for again."""
        if unwanted := self._reader.unwanted:
            MQTT_UNWANTED.inc(len(unwanted))
            self._unwanted += len(unwanted)
            # One topic a step is enough: what another old subscription brings comes again.
            self._broker.unsubscribe(filters_of(unwanted[0]))
            unwanted.clear()

    def _count(self, report: BatchReport) -> None:
        self._tally += [*report.counts, len(report.rejected)]

    def _report(self) -> None:
        """A line for people, when something happened."""
        self._next_report = time.monotonic() + SECONDS_BETWEEN_REPORTS
        if self._messages:
            told = {name: int(count) for name, count in zip(WORDS, self._tally, strict=True) if count}
            log.info("messages stored and acknowledged", messages=self._messages, **told)
            self._messages, self._tally = 0, np.zeros_like(self._tally)
        if self._unwanted:
            log.warning("unsubscribed from what no template wants any more; not stored", messages=self._unwanted)
            self._unwanted = 0
        if self._inbox.lost > self._lost_told:
            lost, self._lost_told = self._inbox.lost - self._lost_told, self._inbox.lost
            log.error("messages lost: published with QoS 0, faster than they could be stored", messages=lost)


def prepare(settings: Settings) -> Callable[[Bind], Bridge]:
    """Everything but the database, so that a wrong setting is named before one is started. Raises BadInput."""
    reader, inbox = Reader(settings), Inbox()
    broker = Broker(access(settings), settings, reader.subscriptions, inbox)

    def with_database(bind: Bind) -> Bridge:
        if settings.mqtt_metrics_port:
            _answer_prometheus(settings.host, settings.mqtt_metrics_port)
        return Bridge(settings, Committer(bind, settings), reader, broker, inbox)

    return with_database


def _answer_prometheus(host: str, port: int) -> None:
    try:
        start_http_server(port, host, registry=REGISTRY)
    except OSError as error:
        raise Unavailable(
            f"Cannot listen on {host}:{port}: {error.strerror}. Choose another WEARWATCH_MQTT_METRICS_PORT."
        ) from error
