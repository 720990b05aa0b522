"""Every training's records, told to MLflow where a plant names a tracking server; nothing is read from there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog

from app.risk.tables import Model
from app.settings import Settings

CHILD = Path(__file__).with_name("mlflow_child.py")
# Importing MLflow takes a few seconds of it.
WITHIN_SECONDS = 20.0
# By itself MLflow tries for minutes, and reports its use to its makers.
UNLESS_SET = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "3",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}

LONGEST_REASON = 300
# What an address in an error's words may hold before its host.
CREDENTIALS = re.compile(r"//[^/\s]*@")

log = structlog.get_logger()


def record_of(model: Model) -> dict[str, Any]:
    """A model as MLflow knows runs: metrics like `pr_auc_24h`, parameters and tags as texts, the card beside."""
    card: Mapping[str, Any] = model.card
    ended = model.created_at.timestamp()
    record = {"model": model.id, "kind": model.kind, "run": model.run, "status": model.status}
    record |= {name: card[name] for name in ("data_hash", "code_version", "verdict")}
    record |= {"trained_until": model.trained_until.isoformat()}
    record |= {f"library.{name}": version for name, version in card["libraries"].items()}
    horizons = ", ".join(f"{hours:g}h" for hours in model.horizons_hours)
    params = {
        **card["parameters"],
        "seed": card["seed"],
        "horizons": horizons,
        "bucket_seconds": model.bucket_seconds,
    }
    return {
        "name": f"{model.kind} {model.id}",
        "started_ms": round((ended - card["seconds"]) * 1000),
        "ended_ms": round(ended * 1000),
        "metrics": {"seconds": card["seconds"], **_metrics(card["horizons"])},
        "params": {name: str(value) for name, value in params.items()},
        "tags": {name: str(value) for name, value in record.items()},
        "card": card,
    }


def _metrics(horizons: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Every number of the card's figures; what could not be said is left out."""
    return {
        f"{name}_{each['hours']:g}h": float(value)
        for each in horizons
        for name, value in each["model"].items()
        if isinstance(value, int | float)
    }


def tell_mlflow(settings: Settings, records: Sequence[Mapping[str, Any]]) -> None:
    """Where no server is named, nothing. Whatever goes wrong is one warning: the models are kept already."""
    if not settings.mlflow_tracking_uri:
        return
    told = {"MLFLOW_TRACKING_URI": settings.mlflow_tracking_uri.get_secret_value()}
    reason = _write(json.dumps(records), {**UNLESS_SET, **os.environ, **told})
    if reason is None:
        log.info("MLflow was told", models=len(records))
    else:
        log.warning("MLflow was not told", reason=reason)


def _write(records: str, environment: dict[str, str]) -> str | None:
    """What went wrong, None where nothing did. `-P`: beside the program lie files named like modules of Python."""
    command = [sys.executable, "-P", str(CHILD)]
    try:
        done = subprocess.run(
            command,
            input=records,
            env=environment,
            capture_output=True,
            text=True,
            timeout=WITHIN_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {WITHIN_SECONDS:g} s"
    except OSError as error:
        return str(error)
    lines = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
    return CREDENTIALS.sub("//", lines[-1])[:LONGEST_REASON] if done.returncode else None
