"""Keys and people on the command line."""

from __future__ import annotations

from sqlalchemy import Engine, text

from tests.commands.conftest import Run


def test_a_new_key_is_printed_once_and_only_its_hash_is_kept(run: Run, engine: Engine) -> None:
    made = run("keys", "create", "gateway 1", "--may-register-machines")
    key = made.stdout.strip()
    assert made.returncode == 0
    assert key.startswith("ww_")
    assert key not in run("keys", "list").stdout
    with engine.connect() as connection:
        stored = connection.execute(text("SELECT api_keys::text FROM api_keys")).scalar_one()
    assert key.rsplit("_", 1)[1] not in stored


def test_a_second_key_of_the_same_name_is_refused_in_one_sentence(run: Run) -> None:
    run("keys", "create", "gateway 1")
    again = run("keys", "create", "gateway 1")
    assert again.returncode == 1
    assert again.stderr.strip() == "Error: There is already a key named gateway 1."


def test_a_person_gets_a_password_that_is_made_for_them(run: Run) -> None:
    first, second = run("users", "create", "maria"), run("users", "create", "jose")
    passwords = {each.stdout.split()[-1] for each in (first, second)}
    assert len(passwords) == 2
    assert all(len(password) >= 12 for password in passwords)


def test_revoking_an_unknown_key_says_so(run: Run) -> None:
    gone = run("keys", "revoke", "nobody")
    assert gone.returncode == 1
    assert "nobody" in gone.stderr
