"""The list of failure modes: ISO 14224's, or the plant's own."""

from __future__ import annotations

import json

import pytest

from app.errors import BadInput
from app.fleet.failure_modes import load_failure_modes


def test_without_a_file_every_class_has_iso_14224():
    modes = load_failure_modes(None)
    assert modes.of("pump") == modes.of(None)
    assert modes.of("pump")["VIB"] == "vibration"


def test_a_class_of_its_own_list_has_only_that(tmp_path):
    path = tmp_path / "modes.json"
    path.write_text(json.dumps({"pump": {"CAV": "cavitation"}}))
    modes = load_failure_modes(path)
    assert modes.of("pump") == {"CAV": "cavitation"}
    assert "VIB" in modes.of("fan")
    path.write_text(json.dumps({"default": {"X": "x"}}))
    assert load_failure_modes(path).of("fan") == {"X": "x"}


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b'{"pump": 1}', b'{"pump": {"CAV": 1}}', b"\xff", b"[" * 100_000, b'{"pump": {"": "x"}}'],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_sentence(tmp_path, content):
    path = tmp_path / "modes.json"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=r"^The failure modes in .*\.$"):
        load_failure_modes(path)
    with pytest.raises(BadInput, match="cannot be read"):
        load_failure_modes(tmp_path / "missing")
