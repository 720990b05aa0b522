"""Money and risk as the reasons of a plan write them."""

from __future__ import annotations


def money(currency: str, amount: float) -> str:
    return f"{'-' if round(amount) < 0 else ''}{currency}{abs(round(amount)):,}"


def percent(probability: float) -> str:
    return f"{number(probability)} %"


def number(probability: float) -> str:
    """Never 0 for a risk that is there, nor 100 for one that is not certain."""
    if 0 < probability < 0.005:
        return "below 1"
    return "over 99" if probability >= 0.995 else f"{probability * 100:.0f}"
