"""The list of kinds is cheap to import: whoever asks a forest does not pay for TensorFlow."""

from __future__ import annotations

import subprocess
import sys

from ml.models.registry import BASELINES, DEFAULT_KINDS, KINDS


def test_kinds_are_listed_under_their_own_names():
    assert all(kind == each.kind for kind, each in KINDS.items())
    assert {*BASELINES, *DEFAULT_KINDS} == set(KINDS)


def test_importing_every_kind_does_not_import_tensorflow():
    asked = "import sys, ml.learning, ml.artefacts; print([m for m in ('tensorflow', 'keras') if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
