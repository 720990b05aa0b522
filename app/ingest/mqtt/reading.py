"""Messages -> what can be stored of them: Sparkplug B by its topics, everything else as JSON by its template."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

import structlog

from app.errors import BadInput
from app.ingest.mapping import NameMapping
from app.ingest.mapping_file import load_mapping
from app.ingest.mqtt.inbox import Message
from app.ingest.mqtt.json_payloads import Heard, read_json
from app.ingest.mqtt.metrics_read import check_template
from app.ingest.mqtt.rows import Rows
from app.ingest.mqtt.sparkplug import KINDS, Read, Sent, Sparkplug
from app.ingest.mqtt.topics import SPARKPLUG, Template, overlap, parse_template
from app.settings import Settings

log = structlog.get_logger(__name__)


class Reader:
    """What the settings say about topics and names, and what Sparkplug nodes said of themselves."""

    def __init__(self, settings: Settings) -> None:
        """Raises BadInput."""
        # The topics of messages that no template wants, since the bridge last looked.
        self.unwanted: list[str] = []
        self._connection = 0
        self._max_rows = settings.max_rows
        self._max_bytes = settings.mqtt_max_message_bytes
        self._mapping: NameMapping = load_mapping(settings.mapping)
        self._group = settings.mqtt_sparkplug_group.strip()
        self._sparkplug_prefix = f"{SPARKPLUG}/" if self._group == "+" else f"{SPARKPLUG}/{self._group}/"
        self._templates = [parse_template(each) for each in settings.mqtt_topics.split(",") if each.strip()]
        self.sparkplug = Sparkplug(self._mapping, check_template(settings.mqtt_sparkplug_machine))
        if not self._templates and not self._group:
            raise BadInput(
                "Nothing to listen to: name topics with --topic or WEARWATCH_MQTT_TOPICS, "
                "or a Sparkplug B group with --sparkplug or WEARWATCH_MQTT_SPARKPLUG_GROUP."
            )
        _check_overlap(self.subscriptions)

    @property
    def subscriptions(self) -> list[str]:
        own = [template.subscription for template in self._templates]
        levels = {"N": "+", "D": "+/+"}
        nodes = [f"{SPARKPLUG}/{self._group}/{kind}/{levels[kind[0]]}" for kind in KINDS] if self._group else []
        return [*own, *nodes]

    def read(self, messages: Iterable[Message], now: float) -> list[Read]:
        """In the order of arrival; messages that wait for a birth come back with a later call."""
        reads = self.sparkplug.expired(now)
        for message in messages:
            if message.connection != self._connection:
                self._connection = message.connection
                self.sparkplug.reconnected()
            try:
                reads += self._read(message, now)
            except Exception as error:
                # Whatever a message holds, the next one must be read; this one is kept with what went wrong.
                log.exception("a message could not be read", topic=message.topic)
                reads.append(self._refused(message, f"the message could not be read ({type(error).__name__})"))
        return reads

    def _read(self, message: Message, now: float) -> list[Read]:
        if message.full_bytes > self._max_bytes:
            reason = f"the message has {message.full_bytes:,} bytes; at most {self._max_bytes:,}"
            return [self._refused(message, reason)]
        if self._group and message.topic.startswith(self._sparkplug_prefix):
            return self.sparkplug.hear(Sent(message.topic, message.body, message.is_repeated, message), now)
        names = _first_match(self._templates, message.topic)
        if names is None:
            self.unwanted.append(message.topic)
            return [Read(message, Rows(message.topic, self._mapping).decoded())]
        heard = Heard(message.topic, names, message.body, None if message.is_retained else message.arrived_us)
        return [Read(message, read_json(heard, self._mapping, self._max_rows))]

    def _refused(self, message: Message, reason: str) -> Read:
        rows = Rows(message.topic, self._mapping)
        rows.refuse((None, reason), message.body[:2000].decode(errors="replace"))
        return Read(message, rows.decoded())


def _check_overlap(subscriptions: Sequence[str]) -> None:
    """Raises BadInput."""
    for one, other in combinations(subscriptions, 2):
        if overlap(one, other):
            raise BadInput(
                f"The topics {one} and {other} overlap: a message that fits both would come twice. "
                "Make the templates differ in a level of plain text."
            )


def _first_match(templates: Sequence[Template], topic: str) -> dict[str, str] | None:
    said = (template.match(topic) for template in templates)
    return next((names for names in said if names is not None), None)
