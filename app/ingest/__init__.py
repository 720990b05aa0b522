"""Readings in: plausibility, storing, rejected and conflicting readings, roll-ups."""
