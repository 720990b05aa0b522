"""How the simulated machines wear: the hidden truth that no reading states, only hints at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.features.history import Floats, Ints
from ml.simulate.chance import Chance


@dataclass(frozen=True)
class Mode:
    """A way to fail by wear. Gains are relative rises of a signal when the part is about to fail."""

    code: str
    component: str
    mean_life_days: float
    vibration: float
    vibration_by_load: float
    temperature: float
    late_temperature: float
    current: float
    fault_code: str | None


# Lives are short, so that 120 days hold enough failures to learn from.
MODES = (
    Mode("VIB", "bearing", 205, 2.4, 0.0, 0.0, 0.35, 0.0, None),
    Mode("OHE", "winding", 215, 0.0, 0.0, 0.85, 0.0, 0.05, None),
    Mode("STD", "coupling", 215, 0.3, 1.5, 0.0, 0.0, 0.04, None),
    Mode("ELU", "seal", 200, 0.2, 0.0, 0.2, 0.0, 0.2, "LOW-OIL"),
)
COMPONENTS = tuple(mode.component for mode in MODES)
# Shocks come from outside (a jam, a foreign body), so no sensor can foresee them.
SHOCK_MODE, SHOCK_COMPONENT = "BRD", "shaft"
SHOCKS_PER_RUNNING_HOUR = 1 / (24 * 500)
# Variance per unit of wear of the gamma process: a life scatters by about 7 % even at constant load.
GAMMA_SCALE = 0.005
_grid = np.linspace(0.0, 1.0, 513)


def growth(damage: Floats) -> Floats:
    """How fast damage grows, relative to the mean: slowly at first, several times faster near its end."""
    return np.asarray(0.6 + 2.6 * np.clip(damage, 0, 1.3) ** 3)


_life = np.concatenate([[0.0], np.cumsum(np.diff(_grid) / growth((_grid[1:] + _grid[:-1]) / 2))])


def damage_after(life_share: Floats) -> Floats:
    """The damage an average part has after this share of its life: d' = growth(d) solved for d."""
    return np.asarray(np.interp(life_share * _life[-1], _life, _grid))


@dataclass
class Wear:
    """[machines, components]: damage so far, where it ends, and how plainly this part shows it."""

    damage: Floats
    threshold: Floats
    onset: Floats
    expression: Floats
    renewed_at: Ints

    @classmethod
    def spread_over_lives(cls, rng: np.random.Generator, speed: Floats, interval_days: Floats, now: int) -> Wear:
        """A fleet in mid-life: parts of all ages up to the service interval."""
        mean_days = np.array([mode.mean_life_days for mode in MODES]) / speed
        age_days = rng.uniform(0, 0.95, speed.shape) * np.minimum(mean_days, interval_days)
        wear = cls(
            damage_after(age_days / mean_days),
            np.ones(speed.shape),
            np.zeros(speed.shape),
            np.ones(speed.shape),
            (now - age_days * 86400).astype(np.int64),
        )
        for machine, component in np.ndindex(speed.shape):
            wear._new_part(rng, machine, component)
        return wear

    def renew(self, rng: np.random.Generator, machine: int, component: int, at: int) -> None:
        self.damage[machine, component] = 0.0
        self.renewed_at[machine, component] = at
        self._new_part(rng, machine, component)

    def _new_part(self, rng: np.random.Generator, machine: int, component: int) -> None:
        self.threshold[machine, component] = np.exp(rng.normal(0, 0.08))
        self.onset[machine, component] = rng.uniform(0.45, 0.65)
        self.expression[machine, component] = np.exp(rng.normal(-0.02, 0.22))

    def grow(self, chance: Chance, speed: Floats, stress: Floats, hours: float) -> None:
        """A gamma process: increments never fall, and two half steps are spread like one whole step."""
        life_hours = np.array([mode.mean_life_days * 24 for mode in MODES])
        mean = _life[-1] / life_hours * speed * growth(self.damage) * stress[:, None] * hours
        self.damage += chance.gamma(mean / GAMMA_SCALE, GAMMA_SCALE)

    def worn_out(self) -> Floats:
        """Positive where a part is beyond its end, by how much."""
        return self.damage - self.threshold

    def severity(self) -> Floats:
        """0 while the wear cannot be seen, about 1 at the end, scaled by how plainly the part shows it."""
        visible = np.clip((self.damage - self.onset) / (self.threshold - self.onset), 0, 1.3)
        return np.asarray(visible**2 * self.expression)
