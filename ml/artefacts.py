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

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.risk.actions import refuse_pruned
from app.risk.tables import Model, ModelArtefact
from ml.code_version import code_version
from ml.features.catalogue import Feature
from ml.fitted import FittedModel
from ml.manifest import FORMAT, Untrusted, check_signed, check_versions, library_versions, signature
from ml.opening import opened

KEY_FILE = "artefact.key"
KEY_BYTES = 32
# Read as a whole before their hashes can be told; the largest of ours take a tenth of it.
MOST_BYTES = 1 << 28


@dataclass(frozen=True)
class Saved:
    """A model out of the database, with the exact feature list it learnt from and its manifest's signature."""

    id: int
    fitted: FittedModel
    features: tuple[Feature, ...]
    horizons_hours: tuple[float, ...]
    modes: tuple[str, ...]
    bucket_seconds: int
    trained_until: datetime
    signature: str = ""


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
    data_hash: str,
) -> Model:
    """A candidate with its parts; `data_hash` names the data it learnt from. How it was made joins its card."""
    parts = fitted.parts()
    record = {
        "seed": seed,
        "data_hash": data_hash,
        "code_version": code_version(),
        "libraries": library_versions(),
        "parameters": fitted.model.parameters(),
    }
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "kind": fitted.kind,
        "run": run,
        **record,
        "trained_until": trained_until.isoformat(),
        "bucket_seconds": bucket_seconds,
        "horizons_hours": [float(hours) for hours in horizons_hours],
        "modes": list(modes),
        "features": [asdict(feature) for feature in features],
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
        card={**card, **record},
        manifest=manifest,
    )
    session.add(model)
    session.flush()
    session.add_all(ModelArtefact(model_id=model.id, part=name, content=each) for name, each in parts.items())
    session.flush()
    return model


def load_model(session: Session, model_id: int, *, key: bytes, known: Saved | None = None) -> Saved:
    """Raises NotFound, Conflict for a mere record, Untrusted before anything is parsed, Outdated after upgrades.

    All that is checked each time; `known` is given back if it was read from the very same parts.
    """
    model = session.get(Model, model_id)
    if model is None:
        raise NotFound(f"There is no model {model_id}.")
    refuse_pruned(model)
    manifest: dict[str, Any] = dict(model.manifest)
    parts = _parts(session, model_id)
    check_signed(manifest, parts, key, f"Model {model_id}")
    check_versions(manifest, f"Model {model_id}")
    _check_columns(model, manifest)
    if known is not None and known.signature == manifest["signature"]:
        return known
    return Saved(
        model.id,
        opened(f"Model {model_id}", manifest, parts),
        tuple(Feature(**each) for each in manifest["features"]),
        tuple(manifest["horizons_hours"]),
        tuple(manifest["modes"]),
        manifest["bucket_seconds"],
        datetime.fromisoformat(manifest["trained_until"]),
        manifest["signature"],
    )


def _parts(session: Session, model_id: int) -> dict[str, bytes]:
    of_model = ModelArtefact.model_id == model_id
    size = session.scalar(select(func.sum(func.octet_length(ModelArtefact.content))).where(of_model)) or 0
    if size > MOST_BYTES:
        raise Untrusted(f"Model {model_id} is larger than any that is kept here: {size >> 20} MiB. Train again.")
    return dict(session.execute(select(ModelArtefact.part, ModelArtefact.content).where(of_model)).all())


def _check_columns(model: Model, manifest: Mapping[str, Any]) -> None:
    """What the service shows beside a prediction must be what was signed."""
    signed = {**manifest, "trained_until": datetime.fromisoformat(manifest["trained_until"])}
    shown = ("kind", "run", "trained_until", "horizons_hours", "modes", "bucket_seconds")
    if any(getattr(model, name) != signed[name] for name in shown):
        raise Untrusted(f"Model {model.id}: its row in the database does not fit its manifest. Train again.")
