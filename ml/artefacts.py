"""Models in the database: parts under a signed manifest, checked whole before anything in them is read."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.risk.tables import Model, ModelArtefact
from ml.features.catalogue import Feature
from ml.fitted import FittedModel
from ml.manifest import FORMAT, Untrusted, check_signed, check_versions, library_versions, signature

KEY_FILE = "artefact.key"
KEY_BYTES = 32


@dataclass(frozen=True)
class Saved:
    """A model out of the database, with the exact feature list it learnt from."""

    id: int
    fitted: FittedModel
    features: tuple[Feature, ...]
    horizons_hours: tuple[float, ...]
    modes: tuple[str, ...]
    bucket_seconds: int
    trained_until: datetime


def artefact_key(data_dir: Path) -> bytes:
    """The signing key of this plant; made at first use, readable by its owner alone."""
    path = data_dir / KEY_FILE
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        _make_key(path)
    return _read_key(path)


def _make_key(path: Path) -> None:
    """Whole or not at all: of two processes that start at once, the later takes the earlier's key."""
    draft = path.with_name(f"{KEY_FILE}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(secrets.token_bytes(KEY_BYTES))
    with contextlib.suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()


def _read_key(path: Path) -> bytes:
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise Untrusted(f"{path} is not a key of {KEY_BYTES} bytes: restore it from the backup, or train again.")
    return key


def save_model(
    session: Session,
    fitted: FittedModel,
    *,
    key: bytes,
    run: str,
    trained_until: datetime,
    bucket_seconds: int,
    horizons_hours: Sequence[float],
    modes: Sequence[str],
    features: Sequence[Feature],
    card: Mapping[str, Any],
    seed: int,
    data_hash: str = "",
) -> Model:
    """A candidate with its parts; `data_hash` names the data it learnt from."""
    parts = fitted.parts()
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "kind": fitted.kind,
        "run": run,
        "seed": seed,
        "trained_until": trained_until.isoformat(),
        "bucket_seconds": bucket_seconds,
        "horizons_hours": [float(hours) for hours in horizons_hours],
        "modes": list(modes),
        "features": [asdict(feature) for feature in features],
        "libraries": library_versions(),
        "data_hash": data_hash,
        "learnt_from": card.get("learnt_from"),
        "metrics": [{"hours": each["hours"], **each["model"]} for each in card.get("horizons", ())],
        "parts": {name: hashlib.sha256(content).hexdigest() for name, content in sorted(parts.items())},
    }
    manifest["signature"] = signature(manifest, key)
    model = Model(
        kind=fitted.kind,
        status="candidate",
        run=run,
        trained_until=trained_until,
        bucket_seconds=bucket_seconds,
        horizons_hours=manifest["horizons_hours"],
        modes=manifest["modes"],
        card=dict(card),
        manifest=manifest,
    )
    session.add(model)
    session.flush()
    session.add_all(ModelArtefact(model_id=model.id, part=name, content=each) for name, each in parts.items())
    session.flush()
    return model


def load_model(session: Session, model_id: int, *, key: bytes) -> Saved:
    """Raises NotFound, Untrusted before anything is parsed, or Outdated after a library's upgrade."""
    model = session.get(Model, model_id)
    if model is None:
        raise NotFound(f"There is no model {model_id}.")
    manifest: dict[str, Any] = dict(model.manifest)
    stored = session.scalars(select(ModelArtefact).filter_by(model_id=model_id))
    parts = {artefact.part: artefact.content for artefact in stored}
    check_signed(manifest, parts, key, f"Model {model_id}")
    _check_columns(model, manifest)
    check_versions(manifest, f"Model {model_id}")
    return Saved(
        model.id,
        FittedModel.from_parts(manifest["kind"], parts),
        tuple(Feature(**each) for each in manifest["features"]),
        tuple(manifest["horizons_hours"]),
        tuple(manifest["modes"]),
        manifest["bucket_seconds"],
        datetime.fromisoformat(manifest["trained_until"]),
    )


def _check_columns(model: Model, manifest: Mapping[str, Any]) -> None:
    """What the service shows beside a prediction must be what was signed."""
    shown = (model.kind, list(model.horizons_hours), list(model.modes), model.bucket_seconds)
    if shown != tuple(manifest[name] for name in ("kind", "horizons_hours", "modes", "bucket_seconds")):
        raise Untrusted(f"Model {model.id}: its row in the database does not fit its manifest. Train again.")
