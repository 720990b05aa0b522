"""Dockerfile and compose file, as far as they can be checked where no engine runs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
COMPOSE = (ROOT / "docker-compose.yml").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
PARTS = yaml.safe_load(COMPOSE)["services"]
STAGES = dict(re.findall(r"^FROM \S+ AS (\w+)\n(.*?)(?=^FROM |\Z)", DOCKERFILE, re.DOTALL | re.MULTILINE))
OURS = ["migrate", "service", "worker", "mqtt"]
DATABASE_PASSWORDS = ("PGPASSWORD", "POSTGRES_PASSWORD")


def test_no_part_starts_without_a_password_and_none_is_given_by_default():
    passwords = [
        value
        for part in PARTS.values()
        for name, value in part["environment"].items()
        if name in DATABASE_PASSWORDS
    ]
    assert len(passwords) == len(PARTS)
    assert all(value.startswith("${POSTGRES_PASSWORD:?POSTGRES_PASSWORD is not set") for value in passwords)
    assert "@postgres:5432" in PARTS["service"]["environment"]["DATABASE_URL"]
    assert not re.search(r"://[^@\s]*:[^@\s]*@", COMPOSE)


def test_nothing_starts_before_what_it_needs():
    assert PARTS["migrate"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    for name in ("service", "worker"):
        assert PARTS[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"


@pytest.mark.parametrize("name", OURS)
def test_our_parts_run_without_rights_on_a_folder_they_share(name):
    part = PARTS[name]
    assert part["read_only"] is True
    assert part["cap_drop"] == ["ALL"]
    assert part["volumes"] == ["data:/var/lib/wearwatch"]
    assert part["build"]["target"] in STAGES


def test_the_service_is_published_on_this_host_only_by_default():
    assert PARTS["service"]["ports"] == ["${WEARWATCH_PUBLISH:-127.0.0.1:8000}:8000"]


@pytest.mark.parametrize("stage", ["service", "batch"])
def test_images_run_as_an_ordinary_user_with_pinned_packages_and_a_health_check(stage):
    body = STAGES[stage]
    assert re.search(r"^USER 10001:10001$", body, re.MULTILINE)
    assert "pip install --require-hashes" in body
    health = re.search(r"^HEALTHCHECK .*?CMD (\[.*\])$", body, re.MULTILINE)
    assert health
    python, option, program = json.loads(health[1])
    assert (python, option) == ("python", "-c")
    compile(program, "healthcheck", "exec")


def test_only_the_batch_image_has_the_model_libraries():
    assert "requirements/service.txt" in STAGES["service"]
    assert "COPY ml" not in STAGES["service"]
    assert "tensorflow" not in (ROOT / "requirements" / "service.txt").read_text()
    assert "tensorflow" in (ROOT / "requirements" / "ml.txt").read_text()


def test_everything_copied_exists_and_reaches_the_builder():
    let_in = (ROOT / ".dockerignore").read_text().split()
    for line in re.findall(r"^COPY (.+)$", DOCKERFILE, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert f"!{source.split('/')[0]}" in let_in


def test_compose_itself_finds_no_fault():
    compose = [shutil.which("docker") or "docker", "compose", "--file", str(ROOT / "docker-compose.yml"), "config"]
    if not shutil.which("docker") or subprocess.run(compose[:2], capture_output=True, check=False).returncode:
        pytest.skip("docker compose is not installed here")
    without = subprocess.run(compose, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"}, check=False)
    assert without.returncode != 0
    assert "POSTGRES_PASSWORD is not set" in without.stderr
    given = {"PATH": "/usr/bin:/bin", "POSTGRES_PASSWORD": "only-for-this-test"}
    assert subprocess.run(compose, capture_output=True, env=given, check=False).returncode == 0
