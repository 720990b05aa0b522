"""What a backtest was worth, next to the figures others published for the same public sets.

Examples:
  python examples/judge.py failures backtest.csv azure/events.csv --horizon 24 --threshold 0.3
  python examples/judge.py remaining-life backtest.csv fd001/truth.csv --set FD001
  python examples/judge.py anomalies backtest.csv skab/truth.csv
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from set_files import stop
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

# By others, for the sets. Failures within 24 h: a later stretch of the same Azure machines (6 failures). Anomalies:
# F1, false-alarm and missed-alarm rate of SKAB's leaderboard, over all 34 files.
PUBLISHED = json.loads(Path(__file__).with_name("published.json").read_text())
HOURS_A_YEAR = 8766
# Lives beyond this many cycles count as this many: an engine shows nothing before, and the literature does so.
LONGEST_LIFE = 125


def named(figures: dict[str, Any]) -> dict[str, Any]:
    return {f"{name} (published)": values for name, values in figures.items()}


def read(path: Path, columns: list[str]) -> pd.DataFrame:
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        stop(f"{path} cannot be read: {error}.")
    if missing := [column for column in columns if column not in table]:
        stop(f"{path} has no column {', '.join(missing)}.")
    return table


def label(rows: pd.DataFrame, failures: pd.DataFrame, horizon_hours: float, until: pd.Timestamp) -> pd.DataFrame:
    """The rows with `fails` (a failure in [as_of, as_of + horizon)); rows not observed to the end are left out."""
    horizon = pd.Timedelta(hours=horizon_hours)
    left = rows.sort_values("as_of")
    right = failures[["machine", "failed_at"]].sort_values("failed_at")
    joined = pd.merge_asof(left, right, left_on="as_of", right_on="failed_at", by="machine", direction="forward")
    joined["fails"] = joined["failed_at"] < joined["as_of"] + horizon
    return joined[joined["fails"] | (joined["as_of"] + horizon <= until)]


def episodes(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per unbroken alarm of a machine: was any of its times before a failure?"""
    rows = rows.sort_values(["machine", "as_of"])
    begins = rows["alarm"] & ~rows.groupby("machine")["alarm"].shift(fill_value=False)
    rows = rows.assign(episode=begins.cumsum())[rows["alarm"]]
    return rows.groupby("episode").agg(right=("fails", "any"))


def failure_figures(rows: pd.DataFrame, threshold: float) -> dict[str, float]:
    rows = rows.assign(alarm=rows["probability"] >= threshold)
    due = rows[rows["fails"]].groupby(["machine", "failed_at"])["alarm"].any()
    machine_years = rows.groupby("machine")["as_of"].agg(lambda at: (at.max() - at.min()).total_seconds()).sum()
    machine_years /= HOURS_A_YEAR * 3600
    false_alarms = int((~episodes(rows)["right"]).sum())
    return {
        "ROC AUC": roc_auc_score(rows["fails"], rows["probability"]),
        "AP": average_precision_score(rows["fails"], rows["probability"]),
        "F1": f1_score(rows["fails"], rows["alarm"], zero_division=0),
        "Brier": float(((rows["probability"] - rows["fails"]) ** 2).mean()),
        "failures": len(due),
        "failures caught": int(due.sum()),
        "false alarms": false_alarms,
        "false alarms a machine-year": false_alarms / machine_years if machine_years else np.nan,
    }


def judge_failures(given: argparse.Namespace) -> None:
    rows = read(given.predictions, ["machine", "as_of", "horizon_hours", "probability"])
    rows = rows[np.isclose(rows["horizon_hours"], given.horizon)].dropna(subset=["probability"])
    if rows.empty:
        stop(f"{given.predictions} has no prediction for {given.horizon:g} hours.")
    rows["as_of"] = pd.to_datetime(rows["as_of"], utc=True)
    events = read(given.truth, ["machine", "kind", "started_at"])
    failures = events[events["kind"] == "failure"].assign(
        failed_at=lambda table: pd.to_datetime(table["started_at"], utc=True)
    )
    until = given.observed_until or rows["as_of"].max()
    labelled = label(rows, failures, given.horizon, until)
    if labelled["fails"].nunique() < 2:
        stop("these rows hold no failure, or nothing else, so nothing can be compared.")
    figures = failure_figures(labelled, given.threshold)
    table = pd.DataFrame({f"Wearwatch, alarm at {given.threshold:g}": figures} | named(PUBLISHED["failures"])).T
    print(f"{len(labelled):,} rows, {labelled['fails'].mean():.2%} of them within {given.horizon:g} h of a failure")
    print(table.to_string(float_format="{:.3f}".format, na_rep=""))


def life_figures(rows: pd.DataFrame) -> dict[str, float]:
    """RMSE with both lives clipped; NASA's score: exp(-d/13) - 1 when too early, exp(d/10) - 1 when too late."""
    predicted = rows["predicted"].fillna(LONGEST_LIFE).clip(0, LONGEST_LIFE)
    late = predicted - rows["remaining_life_hours"].clip(0, LONGEST_LIFE)
    return {
        "RMSE": float(np.sqrt((late**2).mean())),
        "NASA score": float(np.where(late < 0, np.expm1(-late / 13), np.expm1(late / 10)).sum()),
        "mean error": float(late.mean()),
        "engines": len(rows),
    }


def judge_life(given: argparse.Namespace) -> None:
    predictions = read(given.predictions, ["machine", "as_of", "remaining_life_hours"])
    last = predictions.sort_values("as_of").groupby("machine")["remaining_life_hours"].last().rename("predicted")
    truth = read(given.truth, ["machine", "remaining_life_hours"])
    rows = truth.join(last, on="machine", how="inner")
    if rows.empty:
        stop(f"no machine of {given.truth} is in {given.predictions}.")
    print(f"{len(rows)} of {len(truth)} engines have a prediction; lives are clipped at {LONGEST_LIFE} cycles")
    others = {name: {"RMSE": rmse} for name, rmse in PUBLISHED["remaining life"].get(given.set, {}).items()}
    table = pd.DataFrame({"Wearwatch": life_figures(rows)} | named(others)).T
    print(table.to_string(float_format="{:.2f}".format, na_rep=""))


def anomaly_figures(alarm: pd.Series, anomaly: pd.Series) -> tuple[float, float, float]:
    """F1, false-alarm rate and missed-alarm rate over all rows together."""
    return (
        f1_score(anomaly, alarm, zero_division=0),
        float((alarm & ~anomaly).sum() / max((~anomaly).sum(), 1)),
        float((~alarm & anomaly).sum() / max(anomaly.sum(), 1)),
    )


def judge_anomalies(given: argparse.Namespace) -> None:
    predictions = read(given.predictions, ["machine", "as_of", "anomaly_score"])
    said = predictions.drop_duplicates(["machine", "as_of"]).assign(
        # A score as of a second's end is that second's.
        measured_at=lambda table: pd.to_datetime(table["as_of"], utc=True) - pd.Timedelta(seconds=given.bucket)
    )
    truth = read(given.truth, ["machine", "measured_at", "anomaly"])
    truth["measured_at"] = pd.to_datetime(truth["measured_at"], utc=True)
    rows = truth.merge(said[["machine", "measured_at", "anomaly_score"]], on=["machine", "measured_at"])
    if rows.empty:
        stop(f"no row of {given.truth} is in {given.predictions}.")
    anomaly, alarm = rows["anomaly"] > 0, rows["anomaly_score"] >= given.level
    print(
        f"{len(rows):,} rows of {rows['machine'].nunique()} machines, {anomaly.mean():.0%} of them within a fault"
    )
    ours = {f"Wearwatch, alarm at {given.level:g}": anomaly_figures(alarm, anomaly)}
    table = pd.DataFrame(ours | named(PUBLISHED["anomalies"]), index=["F1", "false alarms", "missed alarms"]).T
    print(table.to_string(float_format="{:.3f}".format))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(required=True)
    failures = kinds.add_parser("failures", help="probabilities against failures that happened")
    failures.add_argument("--horizon", type=float, default=24, help="hours; one of those backtested")
    failures.add_argument("--threshold", type=float, default=0.5, help="probability from which a row is an alarm")
    failures.add_argument("--observed-until", type=lambda text: pd.Timestamp(text, tz="UTC"))
    failures.set_defaults(judge=judge_failures)
    life = kinds.add_parser("remaining-life", help="remaining life against the truth")
    life.add_argument("--set", default="FD001", help="whose published figures to print")
    life.set_defaults(judge=judge_life)
    anomalies = kinds.add_parser("anomalies", help="anomaly scores against the times a fault was there")
    anomalies.add_argument("--level", type=float, default=1.0, help="score from which a row is an alarm")
    anomalies.add_argument("--bucket", type=float, default=1.0, help="seconds, the backtest's WEARWATCH_BUCKET")
    anomalies.set_defaults(judge=judge_anomalies)
    for kind in (failures, life, anomalies):
        kind.add_argument("predictions", type=Path, help="CSV written by `wearwatch backtest`")
    failures.add_argument("truth", type=Path, metavar="events", help="events.csv")
    for kind in (life, anomalies):
        kind.add_argument("truth", type=Path, help="truth.csv")
    given = parser.parse_args()
    given.judge(given)


if __name__ == "__main__":
    main()
