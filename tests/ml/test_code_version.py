"""The code that trained a model is named, by its commit too where there is one; where there is none, silently."""

from __future__ import annotations

import subprocess

import pytest

from ml import code_version as module
from ml.code_version import code_version

NAMED = ("git", "-c", "user.name=t", "-c", "user.email=t@localhost")


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A repository of one commit, with nothing asked of it yet."""
    monkeypatch.setattr(module, "ROOT", tmp_path)
    code_version.cache_clear()
    (tmp_path / "model.py").write_text("LEAF = 8\n")
    for command in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "one")):
        subprocess.run((*NAMED, *command), cwd=tmp_path, check=True)
    yield tmp_path
    code_version.cache_clear()


def test_a_checkout_is_named_by_its_commit_and_by_what_was_changed_since(checkout):
    head = subprocess.run(("git", "rev-parse", "HEAD"), cwd=checkout, capture_output=True, text=True, check=True)
    package, _, commit = code_version().partition("+")
    assert package
    assert commit == head.stdout[:12]
    (checkout / "model.py").write_text("LEAF = 9\n")
    code_version.cache_clear()
    assert code_version() == f"{package}+{commit}-dirty"


def test_without_git_the_version_stands_alone(checkout, monkeypatch):
    package = code_version().partition("+")[0]
    code_version.cache_clear()
    monkeypatch.setenv("PATH", "")
    assert code_version() == package


def test_a_package_inside_somebody_elses_checkout_takes_no_commit_from_it(checkout, monkeypatch):
    monkeypatch.setattr(module, "ROOT", checkout / "lib")
    assert "+" not in code_version()
