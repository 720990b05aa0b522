"""The card of a model: how it did on time it had not seen, beside the baselines, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ml.features.history import Moments
from ml.figures import Ranked, Reliability, at_threshold, brier, finite, pr_auc, pr_curve, roc_auc
from ml.judging import Flags, Judged, alert_figures, best_threshold, cases, machine_years
from ml.models.base import Floats, Outcomes
from ml.warning_curves import HIGH, LOW, RESAMPLES, Drawn, alert_curve, lead_curve

CURVE_POINTS = 60
BOOTSTRAPPED = ("pr_auc", "roc_auc", "brier", "ece")
# Share of resamples in which the model must be ahead before the card calls it so without reservation.
SURE = 0.9
# Of fewer failures, drawing them anew finds next to no chance: the same few come again.
FEWEST_SURE = 5


def thresholds(risk: Floats, moments: Moments, outcomes: Outcomes) -> list[float]:
    """[K] from where to warn by these rows, which must not be the ones the card judges."""
    every = enumerate(cases(moments, outcomes))
    return [best_threshold(risk[case.rows, k], case) for k, case in every]


def evaluate(
    risks: Mapping[str, Floats],
    limits: Mapping[str, list[float]],
    moments: Moments,
    outcomes: Outcomes,
    *,
    seed: int,
) -> dict[str, Any]:
    """Per horizon the figures of risks["model"] [n, K] and, beside them, of every other name: the baselines."""
    horizons = [_horizon(case, k, risks, limits, seed) for k, case in enumerate(cases(moments, outcomes))]
    return {"horizons": horizons, **verdict(horizons)}


def _horizon(
    case: Judged, k: int, risks: Mapping[str, Floats], limits: Mapping[str, list[float]], seed: int
) -> dict[str, Any]:
    scores = {name: each[case.rows, k] for name, each in risks.items()}
    figures = {name: _figures(each, limits[name][k], case) for name, each in scores.items()}
    sampled = _resampled(scores, case, seed + k)
    for name, each in figures.items():
        each |= _intervals(sampled[name])
        if name != "model":
            each["model_better_share"] = _share_better(sampled["model"]["pr_auc"], sampled[name]["pr_auc"])
    risk, own, limit = scores["model"], figures.pop("model"), limits["model"][k]
    drawn = Drawn.of(case, seed + k)
    return {
        "hours": case.horizon_hours,
        "rows": len(case.rows),
        "failures": len(case.failures),
        "base_rate": float((case.weight * case.truth).sum() / max(case.weight.sum(), 1e-300)),
        "threshold": limit,
        "model": finite(own),
        "baselines": {name: finite(each) for name, each in figures.items()},
        "reliability": Reliability.of(risk, case.truth, case.weight).points(),
        "pr_curve": pr_curve(Ranked.by(risk), case.truth, case.weight, CURVE_POINTS),
        "machine_years": machine_years(case),
        "alert_curve": alert_curve(risk, case, limit, drawn),
        "lead_curve": lead_curve(risk >= limit, case, drawn),
    }


def _figures(risk: Floats, threshold: float, case: Judged) -> dict[str, Any]:
    alert = risk >= threshold
    return {
        **_scores(Ranked.by(risk), risk, case.truth, case.weight),
        **at_threshold(alert, case.truth, case.weight),
        **alert_figures(alert, case),
    }


def _scores(ranked: Ranked, risk: Floats, truth: Flags, weight: Floats) -> dict[str, float]:
    return {
        "pr_auc": pr_auc(ranked, truth, weight),
        "roc_auc": roc_auc(ranked, truth, weight),
        "brier": brier(risk, truth, weight),
        "ece": Reliability.of(risk, truth, weight).error,
    }


def _resampled(scores: Mapping[str, Floats], case: Judged, seed: int) -> dict[str, dict[str, Floats]]:
    """The figures on machines drawn with replacement (Efron 1979), the same draws for every model."""
    random = np.random.default_rng(seed)
    machines, place = np.unique(case.machine, return_inverse=True)
    ranked = {name: Ranked.by(each) for name, each in scores.items()}
    drawn: dict[str, list[dict[str, float]]] = {name: [] for name in scores}
    for _ in range(RESAMPLES if len(machines) > 1 else 0):
        count = np.bincount(random.integers(len(machines), size=len(machines)), minlength=len(machines))
        weight = case.weight * count[place]
        for name, risk in scores.items():
            drawn[name].append(_scores(ranked[name], risk, case.truth, weight))
    return {
        name: {figure: np.array([each[figure] for each in all_]) for figure in BOOTSTRAPPED}
        for name, all_ in drawn.items()
    }


def _intervals(sampled: dict[str, Floats]) -> dict[str, list[float] | None]:
    """90 % intervals; None where too few resamples held a failure."""
    said: dict[str, list[float] | None] = {}
    for figure, values in sampled.items():
        known = values[np.isfinite(values)]
        enough = len(known) >= RESAMPLES // 2
        said[f"{figure}_interval"] = [float(v) for v in np.percentile(known, [LOW, HIGH])] if enough else None
    return said


def _share_better(model: Floats, baseline: Floats) -> float:
    known = np.isfinite(model) & np.isfinite(baseline)
    return float((model[known] > baseline[known]).mean()) if known.any() else float("nan")


def verdict(horizons: list[dict[str, Any]]) -> dict[str, Any]:
    """Whether the mean PR-AUC over horizons beats every baseline's, and in words how sure that is."""
    told = [each for each in horizons if each["model"]["pr_auc"] is not None]
    if not told:
        return {"beats_baselines": False, "verdict": "No failure in the held-out time: nothing can be judged."}
    if not told[0]["baselines"]:
        return {"beats_baselines": False, "verdict": "There is no baseline to compare with."}
    own = float(np.mean([each["model"]["pr_auc"] for each in told]))
    theirs = {name: _mean_of(told, name, "pr_auc") for name in told[0]["baselines"]}
    best = max(theirs, key=lambda name: theirs[name])
    share = _mean_of(told, best, "model_better_share")
    beats = own > theirs[best]
    failures = max(each["failures"] for each in told)
    compared = f"PR-AUC {own:.3f} against {theirs[best]:.3f} of the best baseline ({best}), mean over horizons"
    if not beats:
        words = f"Does not beat the baselines: {compared}."
    elif share >= SURE and failures >= FEWEST_SURE:
        words = f"Beats the baselines: {compared}."
    else:
        several = "failure" if failures == 1 else "failures"
        words = f"Beats the baselines, but with {failures} {several} this may be chance: {compared}."
    return {"beats_baselines": beats, "verdict": words}


def _mean_of(horizons: list[dict[str, Any]], baseline: str, figure: str) -> float:
    return float(np.mean([each["baselines"][baseline][figure] or 0.0 for each in horizons]))
