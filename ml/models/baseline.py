"""What every model must beat: age alone (Weibull), and logistic regression on the current readings."""

from __future__ import annotations

import json
from typing import ClassVar, Self

import numpy as np
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from ml.features.history import Features
from ml.models.arrays import from_npz, to_npz
from ml.models.base import Floats, NotFitted, Outcomes, Progress, silent
from ml.models.columns import matrix
from ml.models.scaling import Scaling

# The catalogue's names: age where the installation is known, else hours since the first reading.
AGES = ("age", "since_first")
CURRENT_READING = ".mean.1"
HOURS_PER_YEAR = 8766.0
# Logarithms of the shape and of the characteristic life in years: from dying at once to hardly ever.
SHAPES, LIVES = (-1.5, 2.5), (-9.0, 9.0)
MOST_ITERATIONS = 500


class Weibull:
    """S(t) = exp(-(t / scale)^shape); the hazard of an interval given survival to now is 1 - S(end) / S(start)."""

    kind: ClassVar[str] = "weibull"

    def __init__(self) -> None:
        self._horizons: Floats = np.zeros(0)
        self._shares: Floats = np.zeros(0)
        self._shape, self._scale_years, self._usual_age = 1.0, 1.0, 0.0

    def fit(self, features: Features, outcomes: Outcomes, *, seed: int, progress: Progress = silent) -> Self:
        self._horizons = np.asarray(outcomes.horizons_hours)
        self._shares = mode_shares(outcomes)
        ages = _ages(features)
        self._usual_age = float(np.nanmedian(ages)) if np.isfinite(ages).any() else 0.0
        exposure = self._years(features)
        failed = outcomes.interval[:, None] == np.arange(len(self._horizons))
        weight = outcomes.weight[:, None] * outcomes.exposure

        def loss(at: Floats) -> float:
            chance = _hazard(exposure, np.exp(at[0]), np.exp(at[1])).clip(1e-9, 1 - 1e-9)
            likelihood = np.where(failed, np.log(chance), np.log1p(-chance))
            return float(-(weight * likelihood).sum() / max(weight.sum(), 1e-12))

        best = minimize(loss, np.zeros(2), method="L-BFGS-B", bounds=[SHAPES, LIVES]).x
        self._shape, self._scale_years = (float(np.exp(each)) for each in best)
        return self

    def _years(self, features: Features) -> Floats:
        """[n, K + 1] age at the ends of the intervals."""
        ages = np.nan_to_num(_ages(features), nan=self._usual_age).clip(0)
        return np.asarray((ages[:, None] + np.append(0.0, self._horizons)) / HOURS_PER_YEAR)

    def hazards(self, features: Features) -> Floats:
        if not len(self._horizons):
            raise NotFitted("The Weibull model was not fitted.")
        total = _hazard(self._years(features), self._shape, self._scale_years)
        return np.asarray(total[:, :, None] * self._shares)

    def parts(self) -> dict[str, bytes]:
        if not len(self._horizons):
            raise NotFitted("The Weibull model was not fitted.")
        learnt = {"horizons": self._horizons.tolist(), "shares": self._shares.tolist(), "shape": self._shape}
        learnt |= {"scale_years": self._scale_years, "usual_age": self._usual_age}
        return {"weibull.json": json.dumps(learnt).encode()}

    def parameters(self) -> dict[str, float | str]:
        (low, high), (short, long) = np.exp(SHAPES), np.exp(LIVES)
        return {"least_shape": low, "most_shape": high, "least_life_years": short, "most_life_years": long}

    @classmethod
    def from_parts(cls, parts: dict[str, bytes]) -> Self:
        learnt, model = json.loads(parts["weibull.json"]), cls()
        model._horizons, model._shares = np.array(learnt["horizons"]), np.array(learnt["shares"])
        model._shape, model._scale_years = learnt["shape"], learnt["scale_years"]
        model._usual_age = learnt["usual_age"]
        return model


class Logistic:
    """One regression per interval on what the sensors say now, in scaled values."""

    kind: ClassVar[str] = "logistic"

    def __init__(self) -> None:
        self._names: tuple[str, ...] = ()
        self._scaling = Scaling()
        self._weights: Floats | None = None
        self._shares: Floats = np.zeros(0)

    def fit(self, features: Features, outcomes: Outcomes, *, seed: int, progress: Progress = silent) -> Self:
        self._names = tuple(sorted(name for name in features.names if name.endswith(CURRENT_READING)))
        values = matrix(features, self._names)
        self._scaling, self._shares = Scaling.learn(values), mode_shares(outcomes)
        scaled = self._scaling.apply(values).astype(np.float64)
        each = [_regression(scaled, outcomes, k) for k in range(len(outcomes.horizons_hours))]
        self._weights = np.stack(each)
        return self

    def hazards(self, features: Features) -> Floats:
        if self._weights is None:
            raise NotFitted("The regression was not fitted.")
        scaled = self._scaling.apply(matrix(features, self._names)).astype(np.float64)
        scores = scaled @ self._weights[:, 1:].T + self._weights[:, 0]
        return np.asarray(1 / (1 + np.exp(-scores.clip(-50, 50))))[:, :, None] * self._shares

    def parts(self) -> dict[str, bytes]:
        if self._weights is None:
            raise NotFitted("The regression was not fitted.")
        arrays = {"weights": self._weights, "shares": self._shares} | self._scaling.arrays("scaling")
        return {"logistic.json": json.dumps(self._names).encode(), "logistic.npz": to_npz(arrays)}

    def parameters(self) -> dict[str, float | str]:
        return {"most_iterations": MOST_ITERATIONS}

    @classmethod
    def from_parts(cls, parts: dict[str, bytes]) -> Self:
        model = cls()
        model._names = tuple(json.loads(parts["logistic.json"]))
        arrays = from_npz(parts["logistic.npz"])
        model._weights, model._shares = arrays["weights"], arrays["shares"]
        model._scaling = Scaling.from_arrays(arrays, "scaling")
        return model


def mode_shares(outcomes: Outcomes) -> Floats:
    """[M] weight of each mode among the failures, equal without any."""
    failed = outcomes.interval < len(outcomes.horizons_hours)
    counts = np.bincount(outcomes.mode[failed].clip(0), outcomes.weight[failed], len(outcomes.modes))
    return counts / counts.sum() if counts.sum() > 0 else np.full(len(outcomes.modes), 1 / len(outcomes.modes))


def _ages(features: Features) -> Floats:
    known = [name for name in AGES if name in features.names]
    if not known:
        return np.full(len(features), np.nan)
    ages = matrix(features, known).astype(np.float64)
    return np.asarray(np.where(np.isnan(ages[:, 0]), ages[:, -1], ages[:, 0]))


def _hazard(years: Floats, shape: float, scale: float) -> Floats:
    """[n, K] from the cumulative hazards (t / scale)^shape at the ends of the intervals."""
    return np.asarray(-np.expm1(-np.diff((years / scale) ** shape, axis=1)))


def _regression(scaled: Floats, outcomes: Outcomes, k: int) -> Floats:
    """Intercept and weights; a constant where the interval holds no failure, or nothing else."""
    rows, weight = outcomes.at_risk(k)
    failed = outcomes.interval[rows] == k
    rate = (float((weight * failed).sum()) + 1e-3) / (float(weight.sum()) + 1.0)
    if not scaled.shape[1] or failed.all() or not failed.any():
        return np.append(np.log(rate / (1 - rate)), np.zeros(scaled.shape[1]))
    fitted = LogisticRegression(max_iter=MOST_ITERATIONS).fit(
        scaled[rows], failed, sample_weight=weight / weight.mean()
    )
    return np.append(fitted.intercept_, fitted.coef_[0])
