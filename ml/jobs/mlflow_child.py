"""Writes records into MLflow. A program of its own: what hangs, is missing or fails there stays out of the worker.

Reads a list of records (ml.jobs.mlflow_export) as JSON; what went wrong is the last line of its standard error.
"""

from __future__ import annotations

import json
import sys
from typing import Any

EXPERIMENT = "wearwatch"


def write(records: list[dict[str, Any]]) -> None:
    """One MLflow run for each record, to the server that MLFLOW_TRACKING_URI names."""
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param, RunTag

    client = MlflowClient()
    known = client.get_experiment_by_name(EXPERIMENT)
    experiment = known.experiment_id if known else client.create_experiment(EXPERIMENT)
    for each in records:
        started, ended = each["started_ms"], each["ended_ms"]
        run = client.create_run(experiment, start_time=started, run_name=each["name"]).info.run_id
        client.log_batch(
            run,
            metrics=[Metric(name, value, ended, 0) for name, value in each["metrics"].items()],
            params=[Param(name, value) for name, value in each["params"].items()],
            tags=[RunTag(name, value) for name, value in each["tags"].items()],
        )
        client.log_dict(run, each["card"], "card.json")
        client.set_terminated(run, end_time=ended)


if __name__ == "__main__":
    try:
        write(json.load(sys.stdin))
    except Exception as error:  # noqa: BLE001 - the outermost: its words are all that the worker hears
        sys.exit(" ".join(f"{type(error).__name__}: {error}".split()))
