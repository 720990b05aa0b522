"""R15: a model that is not what was signed here is refused in a sentence, unread; what was served stays served."""

from __future__ import annotations

import json
import random
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from app.database import session_scope
from app.ingest.tables import Rollup
from app.risk.actions import promote
from app.risk.tables import LatestPrediction, Model, ModelArtefact, Prediction
from app.security.principal import Role
from ml.artefacts import artefact_key, load_model
from ml.fitted import FittedModel
from ml.jobs.refresh import refresh
from ml.jobs.score import score
from ml.manifest import Untrusted
from tests.faults.conftest import make_key
from tests.faults.damage import flipped_bit, flipped_leaf, insiders_parts, signed_anew
from tests.faults.form import PATIENCE, many
from tests.faults.service import Service
from tests.jobs.conftest import UNTIL, plant

__all__ = ["plant"]

FLIPS = many("FLIPPED_BITS", 200, 5000)
# What one refusal may take, however large the part says it is.
MOST_SECONDS, MOST_MIB = 2, 200
ELSEWHERE = b"e" * 32


@pytest.fixture
def session(plant) -> Iterator[Session]:
    """On the plant's database; what a test damages is mended by its end."""
    with plant.engine.connect() as connection, Session(connection) as session:
        yield session


@pytest.fixture
def key(plant) -> bytes:
    return artefact_key(plant.settings.data_dir)


@pytest.fixture
def unread(monkeypatch) -> None:
    """Nothing is parsed."""

    def refuse(*_: object) -> None:
        raise AssertionError("parsed before it was checked")

    monkeypatch.setattr(FittedModel, "from_parts", refuse)


def parts_of(session, model_id) -> dict[str, bytes]:
    stored = select(ModelArtefact.part, ModelArtefact.content).where(ModelArtefact.model_id == model_id)
    return dict(session.execute(stored).all())


def replace_part(session, model_id, part, content) -> None:
    place = (ModelArtefact.model_id == model_id) & (ModelArtefact.part == part)
    session.execute(update(ModelArtefact).where(place).values(content=content))


def replace_row(session, model_id, **columns) -> None:
    session.execute(update(Model).where(Model.id == model_id).values(**columns))


def refused(session, model_id, key, match=None) -> str:
    """The sentence; the session is as it was before the damage."""
    with pytest.raises(Untrusted, match=match) as found:
        load_model(session, model_id, key=key)
    session.rollback()
    assert found.value.detail.endswith("Train again.")
    return found.value.detail


@pytest.mark.timeout(60 + FLIPS // 10)
def test_a_flipped_bit_anywhere_is_refused_unread(plant, session, key, unread, figures):
    chance = random.Random(15)
    parts, manifest = parts_of(session, plant.serving), session.get(Model, plant.serving).manifest
    began = time.monotonic()
    for number in range(FLIPS):
        if number % 4 == 0:
            replace_row(session, plant.serving, manifest=flipped_leaf(manifest, chance))
        else:
            part = chance.choice(sorted(parts))
            replace_part(session, plant.serving, part, flipped_bit(parts[part], chance))
        refused(session, plant.serving, key)
    mean = (time.monotonic() - began) / FLIPS * 1000
    sizes = {"parts": len(parts), "KiB": sum(map(len, parts.values())) // 1024}
    figures("R15", f"{FLIPS} flipped bits, each refused unread", **sizes, ms_each=mean)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("kind", "lstm"),
        ("run", "20200101T000000Z"),
        ("trained_until", UNTIL),
        ("bucket_seconds", 60),
        ("horizons_hours", [1.0, 2.0, 3.0]),
        ("modes", ["VIB"]),
    ],
)
def test_a_row_that_says_otherwise_is_refused_unread(plant, session, key, unread, column, value):
    replace_row(session, plant.serving, **{column: value})
    refused(session, plant.serving, key, "does not fit its manifest")


def test_parts_swapped_with_another_models_are_refused_unread(plant, session, key, unread):
    """Of the same kind, signed by the same plant."""
    parts, kept = parts_of(session, plant.serving), session.get(Model, plant.serving).manifest
    turned = {name: bytes(reversed(content)) for name, content in parts.items()}
    twin = a_twin(session, plant.serving, signed_anew(kept, turned, key), turned)
    for part in parts:
        for model_id, content in ((plant.serving, turned[part]), (twin, parts[part])):
            with session.begin_nested() as place:
                replace_part(session, model_id, part, content)
                with pytest.raises(Untrusted, match="was changed after it was signed"):
                    load_model(session, model_id, key=key)
                place.rollback()


def a_twin(session, model_id, manifest, parts) -> int:
    """A candidate like this model, with parts of its own."""
    columns = {each.name for each in Model.__table__.columns} - {"id", "status", "manifest", "created_at"}
    model = session.get(Model, model_id)
    twin = Model(**{name: getattr(model, name) for name in columns}, status="candidate", manifest=manifest)
    session.add(twin)
    session.flush()
    session.add_all(ModelArtefact(model_id=twin.id, part=name, content=each) for name, each in parts.items())
    session.flush()
    return twin.id


def test_a_model_of_another_plant_is_refused_unread(plant, session, key, unread):
    manifest = session.get(Model, plant.serving).manifest
    foreign = signed_anew(manifest, parts_of(session, plant.serving), ELSEWHERE)
    replace_row(session, plant.serving, manifest=foreign)
    refused(session, plant.serving, key, "not signed by this plant")


def test_a_model_larger_than_memory_should_bear_is_refused_before_it_is_read(plant, session, key, unread):
    place = {"model": plant.serving, "part": next(iter(parts_of(session, plant.serving)))}
    grow = "UPDATE model_artefacts SET content = decode(repeat('00', 300 << 20), 'hex')"
    session.execute(text(f"{grow} WHERE model_id = :model AND part = :part"), place)
    with at_most(100):
        refused(session, plant.serving, key, "larger than any")


@pytest.mark.timeout(600)
def test_what_an_insider_signs_runs_nothing_and_is_refused_in_bounds(plant, session, key, tmp_path, figures):
    mark = tmp_path / "ran"
    parts, manifest = parts_of(session, plant.serving), session.get(Model, plant.serving).manifest
    load_model(session, plant.serving, key=key)  # TensorFlow's own memory
    slowest, largest, said = 0.0, 0.0, {}
    for signed in insiders_parts():
        for part in (name for name in parts if name.endswith(signed.ending)):
            changed = parts | {part: signed.make(parts[part], str(mark))}
            replace_part(session, plant.serving, part, changed[part])
            replace_row(session, plant.serving, manifest=signed_anew(manifest, changed, key))
            with at_most(MOST_MIB) as seen:
                said[signed.what, part] = refused(session, plant.serving, key, "is signed, but holds no model")
            slowest, largest = max(slowest, seen.seconds), max(largest, seen.mib)
            assert seen.seconds <= MOST_SECONDS * PATIENCE, (signed.what, part)
    assert not mark.exists()
    assert all(len(sentence) < 400 and "\n" not in sentence for sentence in said.values())
    figures("R15", f"{len(said)} parts signed by an insider", slowest_s=slowest, most_memory_mib=largest)


@pytest.mark.parametrize("change", ["features", "horizons", "modes", "kind", "members"])
def test_a_signed_manifest_of_another_model_is_refused(plant, session, key, change):
    manifest, parts = session.get(Model, plant.serving).manifest, parts_of(session, plant.serving)
    other = {
        "features": {"features": manifest["features"][1:]},
        "horizons": {"horizons_hours": manifest["horizons_hours"][1:]},
        "modes": {"modes": manifest["modes"][1:]},
        "kind": {"kind": "lstm"},
        "members": {},
    }[change]
    if change == "members":
        said = json.loads(parts["ensemble.json"])
        parts["ensemble.json"] = json.dumps(said | {"members": said["members"] * 100_000}).encode()
        replace_part(session, plant.serving, "ensemble.json", parts["ensemble.json"])
    signed = signed_anew(manifest | other, parts, key)
    columns = {name: signed[name] for name in ("kind", "horizons_hours", "modes")}
    replace_row(session, plant.serving, manifest=signed, **columns)
    refused(session, plant.serving, key, "is signed, but holds no model")


class Peak:
    """Seconds and the most memory that was held in them beyond what there was before."""

    seconds = mib = 0.0


@contextmanager
def at_most(mib: float) -> Iterator[Peak]:
    """Of this process, as Linux counts it."""
    status, peak = Path("/proc/self/status"), Peak()
    Path("/proc/self/clear_refs").write_text("5")
    before, began = resident_mib(status, "VmRSS"), time.monotonic()
    yield peak
    peak.seconds, peak.mib = time.monotonic() - began, resident_mib(status, "VmHWM") - before
    assert peak.mib <= mib


def resident_mib(status: Path, name: str) -> float:
    line = next(line for line in status.read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) / 1024


def served(session) -> dict[int, tuple]:
    """machine -> what is served of it."""
    columns = (Prediction.machine_id, Prediction.model_id, Prediction.as_of, Prediction.probabilities)
    found = session.execute(
        select(*columns).join(LatestPrediction, LatestPrediction.prediction_id == Prediction.id)
    )
    return {row[0]: tuple(row[1:]) for row in found}


@contextmanager
def damaged(plant, model_id) -> Iterator[None]:
    """One bit of its largest part, committed; mended afterwards."""
    with session_scope(plant.engine) as session:
        parts = parts_of(session, model_id)
        part = max(parts, key=lambda name: len(parts[name]))
        replace_part(session, model_id, part, flipped_bit(parts[part], random.Random(1)))
    try:
        yield
    finally:
        with session_scope(plant.engine) as session:
            replace_part(session, model_id, part, parts[part])


def test_a_damaged_candidate_changes_nothing_of_what_is_served(plant, session):
    score(plant.engine, plant.settings, UNTIL)
    before = served(session)
    session.rollback()
    candidate = next(number for number, kind, _ in plant.trained.rows if kind == "random_forest")
    with damaged(plant, candidate):
        score(plant.engine, plant.settings, UNTIL)
        assert served(session) == before


@pytest.mark.timeout(300)
def test_behind_a_damaged_champion_the_last_predictions_stay_and_grow_old_until_a_rollback(plant, session):
    forest = next(number for number, kind, _ in plant.trained.rows if kind == "random_forest")
    last = UNTIL - timedelta(hours=1)
    with session_scope(plant.engine) as own:
        promote(own, None, forest, datetime.now(UTC), unproven=True)
    with session_scope(plant.engine) as own:
        promote(own, None, plant.serving, datetime.now(UTC), unproven=True)
    score(plant.engine, plant.settings, last)
    before = served(session)
    session.rollback()
    service = Service(plant.settings.data_dir, DATABASE_URL=plant.engine.url.render_as_string(hide_password=False))
    try:
        service.start()
        ask = asker(service, make_key(plant.engine, Role.OPERATOR), make_key(plant.engine))
        with damaged(plant, plant.serving):
            with pytest.raises(subprocess.CalledProcessError) as ended:
                service.run("score")
            assert f"Model {plant.serving}: the part" in ended.value.stderr
            assert "Traceback" not in ended.value.stderr
            assert served(session) == before
            session.rollback()
            machine = plant.machines[0]
            ask("readings", {"machine": machine, "measured_at": datetime.now(UTC).isoformat(), "temperature_c": 60})
            seen = ask(f"machines/{machine}/risk")
            assert datetime.fromisoformat(seen["as_of"]) == before[1][1]
            assert seen["status"] == "not_enough_data"
            assert seen["not_enough_data"].startswith("stale: the newest prediction is from")
            with capture_logs() as told:
                assert refresh(plant.engine, plant.settings) == ()
            assert "was changed after it was signed" in told[0]["why"]
            assert newest_rollup(session) > datetime.now(UTC) - timedelta(hours=2), "charts stood still as well"
            assert f"Model {forest} (random_forest) serves again." in service.run("models", "rollback")
            service.run("score")
            assert {model for model, *_ in served(session).values()} == {forest}
    finally:
        service.kill()


def newest_rollup(session) -> datetime:
    return session.scalar(select(Rollup.bucket_start).order_by(Rollup.bucket_start.desc()).limit(1))


def asker(service, operator, sensor):
    """`ask("readings", body)` posts, `ask(path)` gets; the answer's JSON."""

    def ask(path, body=None):
        request = urllib.request.Request(f"http://127.0.0.1:{service.port}/api/v1/{path}")
        request.add_header("Authorization", f"Bearer {operator if body is None else sensor}")
        request.add_header("Content-Type", "application/json")
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(request, data, timeout=30) as answer:
            return json.load(answer)

    return ask
