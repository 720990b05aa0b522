"""Units a sender may declare -> the channel's own unit, or the reason why that cannot be. Pure.

A declared unit is converted, never guessed: what needs more than a factor and an offset is refused with what to do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

STANDARD_GRAVITY_M_S2 = 9.80665
# 212 degF is 100 degC and not 100.00000000000001, or the same reading in two units would contradict itself.
DECIMALS = 9


class Affine(NamedTuple):
    """value * factor + offset = the value in the channel's own unit."""

    factor: float
    offset: float = 0.0

    def __call__(self, value: float) -> float:
        return value if self == SAME else round(value * self.factor + self.offset, DECIMALS)


SAME = Affine(1.0)

# Quantity -> unit, as `_spelling` writes it -> into the quantity's first unit.
QUANTITIES: Mapping[str, Mapping[str, Affine]] = {
    "temperature": {
        "c": SAME,
        "f": Affine(5 / 9, -160 / 9),
        "k": Affine(1.0, -273.15),
        "r": Affine(5 / 9, -273.15),
    },
    "velocity": {
        "mm/s": SAME,
        "cm/s": Affine(10.0),
        "m/s": Affine(1000.0),
        "um/s": Affine(0.001),
        "in/s": Affine(25.4),
    },
    "current": {"a": SAME, "ma": Affine(0.001), "ua": Affine(1e-6), "ka": Affine(1000.0)},
    "duration": {
        "h": SAME,
        "min": Affine(1 / 60),
        "s": Affine(1 / 3600),
        "ms": Affine(1 / 3_600_000),
        "d": Affine(24.0),
    },
    "acceleration": {
        "m/s2": SAME,
        "mm/s2": Affine(0.001),
        "g": Affine(STANDARD_GRAVITY_M_S2),
        "mg": Affine(STANDARD_GRAVITY_M_S2 / 1000),
        "in/s2": Affine(0.0254),
        "ft/s2": Affine(0.3048),
    },
    "displacement": {"mm": SAME, "um": Affine(0.001), "mil": Affine(0.0254), "in": Affine(25.4)},
    "pressure": {
        "bar": SAME,
        "mbar": Affine(0.001),
        "pa": Affine(1e-5),
        "hpa": Affine(0.001),
        "kpa": Affine(0.01),
        "mpa": Affine(10.0),
        "psi": Affine(0.0689475729316836),
    },
    "rotation": {"rpm": SAME, "hz": Affine(60.0), "rad/s": Affine(9.549296585513721)},
}
UNITS = {unit: (quantity, into) for quantity, units in QUANTITIES.items() for unit, into in units.items()}
CORE_UNITS = {"temperature_c": "c", "vibration_mm_s": "mm/s", "current_a": "a", "runtime_hours": "h"}
# Channels that hold an r.m.s. value -> what a peak of theirs could be called.
PEAK_EXAMPLES = {"vibration_mm_s": "velocity_peak_mm_s", "current_a": "current_peak_a"}
# Words, and the codes of UN/CEFACT and UCUM that OPC UA and Sparkplug gateways pass on.
SYNONYMS = {
    "celsius": "c", "centigrade": "c", "cel": "c", "fahrenheit": "f", "fah": "f", "kelvin": "k", "kel": "k",
    "kelvins": "k", "rankine": "r",
    "mmps": "mm/s", "mm/sec": "mm/s", "mm.s-1": "mm/s", "mms-1": "mm/s", "mm_s": "mm/s", "c16": "mm/s",
    "cmps": "cm/s", "cm/sec": "cm/s", "cm_s": "cm/s", "mps": "m/s", "m/sec": "m/s", "m_s": "m/s", "ms-1": "m/s",
    "m.s-1": "m/s", "mts": "m/s", "um_s": "um/s", "um/sec": "um/s",
    "ips": "in/s", "in/sec": "in/s", "inch/s": "in/s", "inch/sec": "in/s", "inches/s": "in/s", "in_s": "in/s",
    "inches/sec": "in/s", "[in_i]/s": "in/s",
    "amp": "a", "amps": "a", "ampere": "a", "amperes": "a", "milliamp": "ma", "milliamps": "ma", "4k": "ma",
    "milliampere": "ma", "milliamperes": "ma", "kiloampere": "ka", "microampere": "ua",
    "hours": "h", "hour": "h", "hr": "h", "hrs": "h", "hur": "h", "minutes": "min", "minute": "min", "mins": "min",
    "seconds": "s", "second": "s", "sec": "s", "secs": "s", "milliseconds": "ms", "days": "d", "day": "d",
    "m_s2": "m/s2", "m/s/s": "m/s2", "m.s-2": "m/s2", "ms-2": "m/s2", "mps2": "m/s2", "m/sec2": "m/s2",
    "mm_s2": "mm/s2", "in_s2": "in/s2", "gn": "g", "gs": "g", "g-force": "g", "gforce": "g", "[g]": "g",
    "micron": "um", "microns": "um", "mils": "mil", "thou": "mil", "inch": "in", "inches": "in",
    "bars": "bar", "millibar": "mbar", "pascal": "pa", "psig": "psi", "lbf/in2": "psi",
    "r/min": "rpm", "1/min": "rpm", "rev/min": "rpm", "min-1": "rpm", "hertz": "hz", "1/s": "hz", "rad_s": "rad/s",
}  # fmt: skip
LETTERS = str.maketrans(
    {"µ": "u", "μ": "u", "²": "2", "℃": "c", "℉": "f", "°": "", "º": "", "˚": "", "^": "", "⁻": "-", "¹": "1"}
)
RMS = re.compile(r"[ _(]*(?:r\.?m\.?s\.?)[ )]*$", re.IGNORECASE)
PEAK = re.compile(r"[_(-]*(?:true|zero|0)?[_-]*(?:to)?[_-]*p(?:ea)?k?(?:[_/-]*(?:to)?[_-]*p(?:ea)?k?)?\)?$")
# `Peak mm/s`, `RMS mm/s`: the word goes behind the unit.
WORD_FIRST = re.compile(
    r"^(r\.?m\.?s\.?|(?:true |zero[ -]to[ -]|0-)?(?:peak|pk)(?:[ -](?:to[ -])?(?:peak|pk))?)[ _:]+(.+)",
    re.IGNORECASE,
)
# Here capitals matter: MA is not mA, Ms not ms, mPa not MPa. What is written so is not known.
ANOTHER_PREFIX = re.compile(r"(?:M(?:[aA]|[sS]|[gG]|[bB][aA][rR])|mP[aA])(?=$|[ _(])")
PEAK_IN_NAME = re.compile(r"peak|(?:^|_)(?:pk|pp|p2p)(?:_|$)")
DEGREES = re.compile(r"^\[?deg(?:ree)?s?[ _.]*(?=.)")
LONGEST_SHOWN = 40
OTHER_WORDS_TOO = frozenset({"a", "d", "f", "h", "in", "min", "r", "s"})

# Fields a reading may hold in place of a channel's own -> the channel, the unit the name declares.
ALTERNATIVE_NAMES: Mapping[str, tuple[str, str]] = {
    "temperature_f": ("temperature_c", "degF"),
    "temperature_k": ("temperature_c", "K"),
    "vibration_rms_mm_s": ("vibration_mm_s", "mm/s r.m.s."),
    "vibration_in_s": ("vibration_mm_s", "in/s"),
    "vibration_cm_s": ("vibration_mm_s", "cm/s"),
    "vibration_m_s": ("vibration_mm_s", "m/s"),
    "vibration_peak_mm_s": ("vibration_mm_s", "mm/s peak"),
    "vibration_mm_s_peak": ("vibration_mm_s", "mm/s peak"),
    "vibration_peak_in_s": ("vibration_mm_s", "in/s peak"),
    "vibration_in_s_peak": ("vibration_mm_s", "in/s peak"),
    "vibration_g": ("vibration_mm_s", "g"),
    "vibration_mg": ("vibration_mm_s", "mg"),
    "vibration_m_s2": ("vibration_mm_s", "m/s2"),
    "vibration_um": ("vibration_mm_s", "um"),
    "vibration_mil": ("vibration_mm_s", "mil"),
    "current_ma": ("current_a", "mA"),
    "current_ka": ("current_a", "kA"),
    "runtime_s": ("runtime_hours", "s"),
    "runtime_seconds": ("runtime_hours", "s"),
    "runtime_minutes": ("runtime_hours", "min"),
    "runtime_days": ("runtime_hours", "d"),
}


def conversion(channel: str, unit: str) -> Affine | str:
    """How a value in `unit` becomes one in the channel's own, or why it cannot. An empty unit declares nothing.

    An extra channel's own unit is the one its name ends with, as in `acceleration_m_s2`.
    """
    if not unit.strip():
        return SAME
    own = CORE_UNITS.get(channel) or unit_in_name(channel)
    spelled = _spelling(unit)
    is_peak = spelled not in UNITS and _without_peak(spelled) in UNITS
    if is_peak and channel in PEAK_EXAMPLES:
        return _peak_reason(channel, unit)
    spelled = _without_peak(spelled) if is_peak else spelled
    if own is None:
        return f"{channel} names no unit to convert {_shown(unit)} to; end its name with one, like pressure_bar"
    if spelled not in UNITS:
        return _unknown_reason(channel, unit, own)
    (quantity, into), (own_quantity, own_into) = UNITS[spelled], UNITS[own]
    if quantity != own_quantity:
        return _other_quantity_reason(channel, unit, quantity, own_quantity)
    if is_peak and not PEAK_IN_NAME.search(channel.lower()):
        return f"{_shown(unit)} is a peak and {channel} does not say so; send it under a name with peak in it"
    return Affine(into.factor / own_into.factor, (into.offset - own_into.offset) / own_into.factor)


def is_unit(text: str) -> bool:
    """Whether `text` is a unit we know, of a peak or not."""
    return _quantity(text) is not None


def is_of_names_quantity(channel: str, unit: str) -> bool:
    """Whether an extra channel's name ends with a unit that `unit` can be converted to.

    A last word like `a`, `h` or `min` is as often a phase, a level or a minimum and no unit.
    """
    own, last = unit_in_name(channel), channel.lower().rpartition("_")[2]
    is_word = last in OTHER_WORDS_TOO and own == last
    return own is not None and not is_word and UNITS[own][0] == _quantity(unit)


def unit_in_name(channel: str) -> str | None:
    """The unit an extra channel's name ends with: `pressure_bar` -> bar, `acceleration_m_s2` -> m/s2."""
    words = channel.lower().split("_")
    endings = ("_".join(words[start:]) for start in range(max(1, len(words) - 3), len(words)))
    spelled = (SYNONYMS.get(ending, ending) for ending in endings)
    return next((unit for unit in spelled if unit in UNITS), None)


def _spelling(unit: str) -> str:
    """`°F`, `degF`, `Fahrenheit` -> f; `mm/s r.m.s.` -> mm/s. What is not known comes back simplified."""
    plain = WORD_FIRST.sub(r"\2 \1", unit.strip()[:LONGEST_SHOWN].translate(LETTERS))
    plain = RMS.sub("", plain)
    if ANOTHER_PREFIX.match(plain):
        return plain
    plain = plain.lower()
    plain = DEGREES.sub("", plain).rstrip("]") if DEGREES.match(plain) else plain
    plain = plain.strip().replace(" ", "")
    return SYNONYMS.get(plain, plain)


def _quantity(unit: str) -> str | None:
    spelled = _spelling(unit)
    known = UNITS.get(spelled) or UNITS.get(_without_peak(spelled))
    return known[0] if known else None


def _without_peak(spelled: str) -> str:
    plain = PEAK.sub("", spelled)
    return SYNONYMS.get(plain, plain)


def _shown(unit: str) -> str:
    return repr(unit.strip()[:LONGEST_SHOWN])


def _peak_reason(channel: str, unit: str) -> str:
    return (
        f"{channel} is an r.m.s. value and {_shown(unit)} is a peak; only a pure sine has a fixed ratio between "
        f"them. Let the sensor send r.m.s., or send this as an extra channel, like extra.{PEAK_EXAMPLES[channel]}"
    )


def _unknown_reason(channel: str, unit: str, own: str) -> str:
    known = QUANTITIES[UNITS[own][0]]
    return f"the unit {_shown(unit)} of {channel} is not known; known are {', '.join(known)}"


def _other_quantity_reason(channel: str, unit: str, quantity: str, own_quantity: str) -> str:
    reason = f"{_shown(unit)} is a unit of {quantity}, {channel} is a {own_quantity}"
    if own_quantity == "velocity" and quantity in ("acceleration", "displacement"):
        example = "acceleration_m_s2" if quantity == "acceleration" else "displacement_um"
        return (
            f"{reason}: turning one into the other needs the frequency. Let the sensor integrate and send "
            f"mm/s r.m.s., or send this as an extra channel, like extra.{example}"
        )
    return reason


# What of ALTERNATIVE_NAMES is converted, and how; what is refused, and why.
CONVERTED: dict[str, tuple[str, Affine]] = {}
REFUSED: dict[str, str] = {}
for _name, (_channel, _unit) in ALTERNATIVE_NAMES.items():
    _how = conversion(_channel, _unit)
    if isinstance(_how, str):
        REFUSED[_name] = _how
    else:
        CONVERTED[_name] = (_channel, _how)
