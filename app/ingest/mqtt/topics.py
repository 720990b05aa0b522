"""Topic templates: `plant/{line}/{machine}/readings` -> what to subscribe to, and what a topic says. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product, zip_longest

from app.errors import BadInput

PLACEHOLDER = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
# MQTT's bound is 65,535 bytes; nobody names a machine's place in more than this.
LONGEST_TOPIC = 1_000
SPARKPLUG = "spBv1.0"
# 2^levels subscriptions could have brought a topic of so many levels, and as many with # at the end.
DEEPEST_GUESSED = 8


@dataclass(frozen=True)
class Template:
    """A topic level is fixed text, `{name}` or `+`; `#` at the end stands for any further levels."""

    levels: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(found.group(1) for level in self.levels if (found := PLACEHOLDER.fullmatch(level)))

    @property
    def subscription(self) -> str:
        return "/".join("+" if PLACEHOLDER.fullmatch(level) else level for level in self.levels)

    def match(self, topic: str) -> dict[str, str] | None:
        """`plant/a/press-07` -> {"site": "a", "machine": "press-07"}; None where the topic is another."""
        levels, given = self.levels, topic.split("/")
        if levels[-1] == "#":
            levels, given = levels[:-1], given[: len(levels) - 1]
        if len(levels) != len(given):
            return None
        said: dict[str, str] = {}
        for level, text in zip(levels, given, strict=True):
            if level[:1] == "{":
                said[level[1:-1]] = text
            elif level not in ("+", text):
                return None
        return said


def overlap(one: str, other: str) -> bool:
    """Whether a topic could match both subscriptions: a broker then sends its messages twice."""
    if {one[:1], other[:1]} & {"+", "#"} and "$" in (one[:1], other[:1]):
        return False
    for mine, theirs in zip_longest(one.split("/"), other.split("/")):
        if "#" in (mine, theirs):
            return True
        if None in (mine, theirs) or (mine != theirs and "+" not in (mine, theirs)):
            return False
    return True


def filters_of(topic: str) -> list[str]:
    """Every subscription that could have brought a message of `topic`; none where these would be too many."""
    levels = topic.split("/")
    if len(levels) > DEEPEST_GUESSED or len(topic) > LONGEST_TOPIC:
        return []
    heads = [list(product(*((level, "+") for level in levels[:end]))) for end in range(len(levels) + 1)]
    open_ended = ["/".join((*head, "#")) for same_length in heads for head in same_length]
    return [*map("/".join, heads[-1]), *open_ended]


def parse_template(text: str) -> Template:
    """Raises BadInput with the reason why `text` is no template."""
    levels = tuple(text.strip().split("/"))
    for place, level in enumerate(levels):
        last = place == len(levels) - 1
        if not (PLACEHOLDER.fullmatch(level) or level == "+" or (level == "#" and last)) and set(level) & set(
            "{}+#"
        ):
            raise BadInput(
                f"{text[:80]!r} is no topic template: the level {level[:40]!r} is neither plain text, {{name}} nor "
                "+, nor # at the end."
            )
    template = Template(levels)
    if not text.strip() or len(text) > LONGEST_TOPIC or "\0" in text:
        raise BadInput("A topic template is text like plant/{machine}/readings.")
    if len(set(template.names)) != len(template.names):
        raise BadInput(f"{text[:80]!r} names the same placeholder twice.")
    return template
