"""How severe a vibration is by ISO 20816-3: its zone, or why it cannot be assessed."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass

# mm/s r.m.s., 10 to 1000 Hz, at A/B, B/C and C/D: ISO 20816-3, zones as in ISO 10816-3:2009, by group and support.
LIMITS_MM_S = {
    (1, "rigid"): (2.3, 4.5, 7.1),
    (1, "flexible"): (3.5, 7.1, 11.0),
    (2, "rigid"): (1.4, 2.8, 4.5),
    (2, "flexible"): (2.3, 4.5, 7.1),
}
# Group 2 lies above 15 kW up to 300 kW, group 1 above. Smaller machines are not in the standard's scope.
SMALLEST_KW, GROUP_1_ABOVE_KW = 15, 300


@dataclass(frozen=True)
class Zones:
    """Upper ends of the zones A, B and C, and where they come from."""

    ab_mm_s: float
    bc_mm_s: float
    cd_mm_s: float
    source: str

    def zone(self, vibration_mm_s: float) -> str:
        """A new machine, B unrestricted, C for limited time, D damage. A value on a limit is in the lower zone."""
        return "ABCD"[bisect_left((self.ab_mm_s, self.bc_mm_s, self.cd_mm_s), vibration_mm_s)]


def zones(rated_power_kw: float | None, support: str | None) -> Zones | str:
    """The machine's limits, or one sentence on why there are none."""
    if rated_power_kw is None:
        return "not assessable: the rated power is not known"
    if not rated_power_kw > SMALLEST_KW:
        return "not assessable: ISO 20816-3 holds above 15 kW"
    if support is None:
        return "not assessable: rigid or flexible support is not known"
    group = 1 if rated_power_kw > GROUP_1_ABOVE_KW else 2
    limits = LIMITS_MM_S.get((group, support))
    if limits is None:
        return f"not assessable: support {support!r} is neither rigid nor flexible"
    return Zones(*limits, source=f"ISO 20816-3 group {group}, {support}")


def zone_of(vibration_mm_s: float | None, rated_power_kw: float | None, support: str | None) -> str:
    """`A` to `D`, or why not; a missing value is never taken for 0."""
    limits = zones(rated_power_kw, support)
    if isinstance(limits, str):
        return limits
    if vibration_mm_s is None or not math.isfinite(vibration_mm_s) or vibration_mm_s < 0:
        return "not assessable: no vibration was measured"
    return limits.zone(vibration_mm_s)
