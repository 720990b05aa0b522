"""The command line as a whole: help, clear words for what is wrong, generated pages."""

from __future__ import annotations

import socket

import pytest
from typer.main import get_command

import wearwatch
from commands.pages import pages
from tests.commands.conftest import Run


def _commands(group: object, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], str]]:
    found = []
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        if hasattr(command, "commands"):
            found += _commands(command, (*path, name))
        else:
            found.append(((*path, name), command.help or ""))
    return found


@pytest.mark.parametrize(("path", "help_text"), _commands(get_command(wearwatch.app)))
def test_every_command_has_help_with_an_example(path: tuple[str, ...], help_text: str) -> None:
    assert f"wearwatch {' '.join(path)}" in help_text.partition("Example:")[2]


def test_a_database_that_is_down_is_one_sentence_and_a_non_zero_exit(run: Run) -> None:
    down = run("keys", "list", DATABASE_URL="postgresql://someone:not-shown@127.0.0.1:1/none")
    assert down.returncode == 1
    assert "The database does not answer" in down.stderr
    assert "not-shown" not in down.stderr
    assert "Traceback" not in down.stderr


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("WEARWATCH_PORT", "0"),
        ("WEARWATCH_BUCKET", "an hour"),
        ("DATABASE_URL", "sqlite:///x"),
        ("WEARWATCH_BUCKET", "0.5s"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(run: Run, variable: str, value: str) -> None:
    refused = run("keys", "list", **{variable: value})
    assert refused.returncode == 2
    assert variable in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_port_in_use_is_one_sentence(run: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = run("serve", "--port", str(port))
    assert refused.returncode == 1
    assert f"Cannot listen on 127.0.0.1:{port}" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_generated_pages_are_current() -> None:
    stale = [path.name for path, text in pages().items() if path.read_text(encoding="utf-8") != text]
    assert stale == [], "run `make docs`"
