"""A model artefact is what was signed here, or it is refused before anything in it is read."""

from __future__ import annotations

import io
import os
import pickle
import stat

import numpy as np
import pytest
import skops.io
from sqlalchemy import select, update

from app.errors import NotFound
from app.risk.tables import Model, ModelArtefact
from ml import artefacts, manifest
from ml.artefacts import artefact_key, load_model, save_model
from ml.calibration import Calibration
from ml.code_version import code_version
from ml.features.catalogue import catalogue
from ml.fitted import FittedModel
from ml.manifest import Outdated, Untrusted, signature
from ml.models.random_forest import RandomForest
from ml.reference import MOMENTS, Reference
from ml.uncertainty import Spread
from tests.conftest import at

KEY = b"k" * 32
FEATURES = catalogue(["temperature_c", "vibration_mm_s"], ["E1"], ["bearing"])


class Bomb:
    def __reduce__(self):
        return (exec, ("raise RuntimeError('the pickle ran')",))


@pytest.fixture(scope="module")
def fitted(small_fleet):
    model = RandomForest(trees_in_all=12).fit(*small_fleet, seed=1)
    return FittedModel(model, Calibration(np.array([1.1, 0.9, 1.0]), np.zeros(3)), Spread(np.full((3, 6), 0.2)))


@pytest.fixture
def save(session, fitted):
    def save(**other):
        said = {
            "key": KEY,
            "run": "run-1",
            "trained_until": at("2026-11-20 08:00"),
            "bucket_seconds": 3600,
            "horizons_hours": (24.0, 72.0, 168.0),
            "modes": ("OHE", "VIB"),
            "features": FEATURES,
            "card": {"horizons": [{"hours": 24.0, "model": {"pr_auc": 0.1 + 0.2, "brier": 1e-7, "ece": None}}]},
            "seed": 1,
            "data_hash": "abc",
        }
        return save_model(session, fitted, **(said | other))

    return save


def tamper(session, model, part, content):
    where = (ModelArtefact.model_id == model.id) & (ModelArtefact.part == part)
    session.execute(update(ModelArtefact).where(where).values(content=content))
    session.expire_all()


def content_of(session, model, part):
    return session.scalar(select(ModelArtefact.content).filter_by(model_id=model.id, part=part))


def test_a_saved_model_comes_back_with_its_features_and_says_the_same(session, save, fitted, small_fleet):
    model = save()
    session.expire_all()
    saved = load_model(session, model.id, key=KEY)
    assert np.allclose(saved.fitted.hazards(small_fleet[0]), fitted.hazards(small_fleet[0]))
    assert saved.features == FEATURES
    assert saved.trained_until == at("2026-11-20 08:00")
    assert model.status == "candidate"


def test_the_record_says_how_a_model_was_made(save, fitted):
    card = save().card
    assert (card["seed"], card["data_hash"]) == (1, "abc")
    assert card["parameters"] == fitted.model.parameters()
    assert card["parameters"]["trees_in_all"] == 12
    assert card["libraries"].keys() >= {"numpy", "scikit-learn"}
    assert card["code_version"] == code_version()


def test_a_flipped_bit_in_any_part_is_refused_before_it_is_parsed(session, save, monkeypatch):
    def refuse(*args):
        raise AssertionError("parsed before it was checked")

    monkeypatch.setattr(artefacts.FittedModel, "from_parts", refuse)
    model = save()
    for part in list(model.manifest["parts"]):
        good = content_of(session, model, part)
        for place in (0, len(good) // 2, len(good) - 1):
            bad = bytearray(good)
            bad[place] ^= 1
            tamper(session, model, part, bytes(bad))
            with pytest.raises(Untrusted, match="was changed after it was signed"):
                load_model(session, model.id, key=KEY)
        tamper(session, model, part, good)


@pytest.mark.parametrize("change", ["hash", "horizons", "feature", "unsigned", "signature is a number"])
def test_a_changed_manifest_is_refused(session, save, change):
    model = save()
    said = dict(model.manifest)
    if change == "hash":
        said["parts"] = said["parts"] | {"forest.skops": "0" * 64}
    if change == "horizons":
        said["horizons_hours"] = [1.0, 2.0, 3.0]
    if change == "feature":
        said["features"] = said["features"][1:]
    if change == "unsigned":
        del said["signature"]
    if change == "signature is a number":
        said["signature"] = 7
    model.manifest = said
    session.flush()
    with pytest.raises(Untrusted, match="not signed by this plant"):
        load_model(session, model.id, key=KEY)


def test_a_model_signed_elsewhere_is_refused(session, save):
    model = save(key=b"e" * 32)
    with pytest.raises(Untrusted, match="not signed by this plant"):
        load_model(session, model.id, key=KEY)


def test_parts_swapped_between_models_are_refused(session, save):
    one, other = save(), save()
    tamper(session, one, "forest.skops", content_of(session, other, "forest.json"))
    with pytest.raises(Untrusted):
        load_model(session, one.id, key=KEY)


def test_a_part_too_many_or_too_few_is_refused(session, save):
    model = save()
    session.add(ModelArtefact(model_id=model.id, part="more.bin", content=b"x"))
    session.flush()
    with pytest.raises(Untrusted, match="other parts"):
        load_model(session, model.id, key=KEY)


def test_a_row_that_does_not_fit_its_manifest_is_refused(session, save):
    model = save()
    model.horizons_hours = [1.0, 2.0, 3.0]
    session.flush()
    with pytest.raises(Untrusted, match="does not fit its manifest"):
        load_model(session, model.id, key=KEY)


def test_a_pickle_is_refused_even_when_it_is_signed(session, save):
    """Somebody with the key could sign one; the formats themselves cannot run it."""
    model = save()
    objects = io.BytesIO()
    np.savez(objects, bomb=np.array([Bomb()], dtype=object))
    for bomb in (pickle.dumps(Bomb()), objects.getvalue(), skops_with_a_foreign_type()):
        resign(session, model, "forest.skops", bomb)
        with pytest.raises(Exception) as refused:  # noqa: PT011  each format refuses in its own words
            load_model(session, model.id, key=KEY)
        assert "the pickle ran" not in str(refused.value)


def skops_with_a_foreign_type():
    return skops.io.dumps([io.StringIO, os.path.join])


def resign(session, model, part, content):
    import hashlib

    tamper(session, model, part, content)
    said = dict(model.manifest)
    said["parts"] = said["parts"] | {part: hashlib.sha256(content).hexdigest()}
    said["signature"] = signature(said, KEY)
    model.manifest = said
    session.flush()


def test_trees_that_point_outside_themselves_are_refused(fitted):
    parts = fitted.parts()
    forests = skops.io.loads(parts["forest.skops"], trusted=["sklearn.tree._tree.Tree"])
    forests[0].estimators_[0].tree_.feature[0] = 10_000
    with pytest.raises(ValueError, match="points outside itself"):
        FittedModel.from_parts("random_forest", parts | {"forest.skops": skops.io.dumps(forests)})


@pytest.mark.parametrize(("horizons", "channels"), [(2, ["temperature_c"]), (3, ["pressure_bar"])])
def test_a_sample_of_another_models_learning_is_refused_even_when_it_is_signed(session, save, horizons, channels):
    model = save()
    shapes = {"values": (1, MOMENTS, 2), "risk": (1, MOMENTS, horizons)}
    sample = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    of = Reference(np.array(channels), np.array(["press"]), np.zeros(1, np.int64), **sample)
    session.add(ModelArtefact(model_id=model.id, part=Reference.PART, content=b""))
    session.flush()
    resign(session, model, Reference.PART, of.parts()[Reference.PART])
    with pytest.raises(Untrusted, match="sample of other horizons or features than it was signed for"):
        load_model(session, model.id, key=KEY)


def test_another_version_of_a_library_is_named(session, save, monkeypatch):
    model = save()
    here = manifest.library_versions() | {"scikit-learn": "99.1.0"}
    monkeypatch.setattr(manifest, "library_versions", lambda: here)
    with pytest.raises(Outdated, match=r"scikit-learn .* 99\.1\.0 is installed"):
        load_model(session, model.id, key=KEY)


def test_a_patch_release_still_loads(session, save, monkeypatch):
    model = save()
    here = {name: f"{each}.post1" for name, each in manifest.library_versions().items()}
    monkeypatch.setattr(manifest, "library_versions", lambda: here)
    assert load_model(session, model.id, key=KEY).id == model.id


def test_no_such_model(session):
    with pytest.raises(NotFound, match="no model 12345"):
        load_model(session, 12345, key=KEY)


def test_a_refused_model_leaves_the_champion_in_its_place(session, save):
    champion, broken = save(), save()
    champion.status = "champion"
    tamper(session, broken, "forest.json", b"{}")
    with pytest.raises(Untrusted):
        load_model(session, broken.id, key=KEY)
    assert session.scalar(select(Model.id).filter_by(status="champion")) == champion.id
    assert load_model(session, champion.id, key=KEY).id == champion.id


def test_the_key_is_made_once_and_is_its_owners_alone(tmp_path):
    folder = tmp_path / "data"
    key = artefact_key(folder)
    assert len(key) == 32
    assert artefact_key(folder) == key
    assert stat.S_IMODE(os.stat(folder / "artefact.key").st_mode) == 0o600


def test_a_broken_key_file_is_refused(tmp_path):
    (tmp_path / "artefact.key").write_bytes(b"short")
    with pytest.raises(Untrusted, match="not a key"):
        artefact_key(tmp_path)
