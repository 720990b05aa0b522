"""WCAG 2.2 AA, measured on the stylesheet's own colours: 4.5 for words, 3 for what only has a shape."""

from __future__ import annotations

import re

import pytest

from app.dashboard.assets import STATIC

CSS = (STATIC / "app.css").read_text()
WORDS = [
    ("ink", "bg"),
    ("ink", "panel"),
    ("soft", "bg"),
    ("soft", "panel"),
    ("link", "bg"),
    ("link", "panel"),
    ("ink", "amber-bg"),
    ("ink", "red-bg"),
    ("ink", "zone-c"),
    ("soft", "zone-b"),
    ("soft", "zone-c"),
    ("soft", "zone-d"),
    ("panel", "trace"),
    ("ink", "band"),
]
SHAPES = [
    ("red", "red-bg"),
    ("amber", "amber-bg"),
    ("red", "panel"),
    ("amber", "panel"),
    ("trace", "panel"),
    ("trace", "amber-bg"),
    ("trace", "red-bg"),
    ("edge", "panel"),
    ("edge", "bg"),
    ("focus", "bg"),
    ("focus", "panel"),
    ("faint", "panel"),
    ("trace", "zone-d"),
    ("trace", "band"),
]


def colours(scheme: str) -> dict[str, str]:
    light, dark = (
        dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block))
        for block in re.findall(r":root \{(.*?)\}", CSS, re.S)[:2]
    )
    return light if scheme == "light" else light | dark


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), WORDS)
def test_words_stand_out_from_their_ground(scheme, ink, ground):
    palette = colours(scheme)
    assert contrast(palette[ink], palette[ground]) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), SHAPES)
def test_shapes_and_lines_stand_out_from_their_ground(scheme, ink, ground):
    palette = colours(scheme)
    assert contrast(palette[ink], palette[ground]) >= 3
