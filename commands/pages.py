"""The pages of docs/ that are written from the code, so that they cannot fall behind it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from app.duration import duration_text
from app.ingest.limits import LIMITS
from app.settings import Settings, variable_of

DOCS = Path(__file__).parent.parent / "docs"


def settings_page() -> str:
    """docs/settings.md: every setting with its default and what it is for."""
    lines = [
        "# Settings",
        "",
        "Environment variables, read once at start. Durations are written `90s`, `15m`, `24h`, `7d`.",
        "",
        "| variable | default | meaning |",
        "|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        lines.append(f"| `{variable_of(name)}` | {_default(field.default)} | {field.description} |")
    return "\n".join(lines) + "\n"


def limits_page() -> str:
    """docs/limits.md: what a sender may send, and what it is told beyond that."""
    lines = [
        "# Limits",
        "",
        'What may be sent to the routes that take readings, and what a sender is told beyond that. "The reading',
        'is named" means: it is refused with its place and reason, kept in the ledger of refused readings, and the',
        "others of its request are stored. Bounds with a variable can be set; the default is shown.",
        "",
        "| what | at most | variable | answer |",
        "|---|---|---|---|",
    ]
    for limit in LIMITS:
        bound = limit.bound if limit.setting is None else _bound(limit.setting)
        variable = "" if limit.setting is None else f"`{variable_of(limit.setting)}`"
        lines.append(f"| {limit.what} | {bound} | {variable} | {limit.answer} |")
    return "\n".join(lines) + "\n"


def _bound(setting: str) -> str:
    value = Settings.model_fields[setting].default
    if isinstance(value, timedelta):
        return duration_text(value)
    if "bytes" not in setting:
        return f"{value:,}"
    return f"{value >> 20} MiB" if value >= 1 << 20 else f"{value >> 10} KiB"


def _default(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, timedelta):
        return f"`{duration_text(value)}`"
    if isinstance(value, tuple):
        return f"`{','.join(duration_text(each) for each in value)}`"
    return f"`{value}`"


def pages() -> dict[Path, str]:
    """Every generated page and its text."""
    from ml.features.document import document

    return {
        DOCS / "settings.md": settings_page(),
        DOCS / "limits.md": limits_page(),
        DOCS / "features.md": document(),
    }
