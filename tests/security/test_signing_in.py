"""People sign in: right, wrong, too often."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from app.database import session_scope
from app.errors import BadInput, Conflict, NotFound, TooBusy
from app.security import signing_in
from app.security.passwords import HASHER, password_fits
from app.security.policy import Role
from app.security.signing_in import FAILED, sign_in, sign_out
from app.security.store import principal_of_cookie
from app.security.tables import AuditEntry, LoginSession, User
from app.security.users import create_user, disable_user, list_users, set_password, set_role

ADDRESS = "192.0.2.7"


@pytest.fixture
def ada(session):
    return create_user(session, "ada", None, Role.PLANNER)


def test_the_right_password_starts_a_session_of_that_person(session, settings, ada):
    signed_in = sign_in(session, settings, "ada", ada, ADDRESS)
    principal = principal_of_cookie(session, signed_in.cookie)
    assert (principal.kind, principal.name, principal.role) == ("person", "ada", Role.PLANNER)
    assert principal.csrf_token == signed_in.csrf_token


def test_only_hashes_are_stored(session, settings, ada):
    signed_in = sign_in(session, settings, "ada", ada, ADDRESS)
    user, login = session.scalars(select(User)).one(), session.scalars(select(LoginSession)).one()
    assert user.password_hash.startswith("$argon2id$")
    assert ada not in user.password_hash
    assert signed_in.cookie.encode() not in login.token_sha256
    assert all(ada not in str(entry.detail) for entry in session.scalars(select(AuditEntry)))


def test_wrong_name_and_wrong_password_look_the_same(session, settings, ada):
    assert sign_in(session, settings, "ada", "not the password", ADDRESS) is None
    assert sign_in(session, settings, "nobody", "not the password", ADDRESS) is None
    disable_user(session, "ada")
    assert sign_in(session, settings, "ada", ada, ADDRESS) is None


def test_an_unknown_person_costs_a_hash_too(monkeypatch):
    verified = []
    monkeypatch.setattr(type(HASHER), "verify", lambda self, hash_, password: verified.append(hash_) or True)
    assert not password_fits("anything", None)
    assert len(verified) == 1


def test_after_five_wrong_tries_even_the_right_password_has_to_wait(session, settings, ada):
    for _ in range(signing_in.MOST_FOR_NAME_AND_ADDRESS):
        assert sign_in(session, settings, "ada", "wrong wrong wrong", ADDRESS) is None
    with pytest.raises(TooBusy) as refused:
        sign_in(session, settings, "ada", ada, ADDRESS)
    assert refused.value.retry_after == 900
    assert sign_in(session, settings, "ada", ada, "192.0.2.8") is not None


def test_one_address_cannot_try_many_names(session, settings, monkeypatch):
    monkeypatch.setattr(signing_in, "MOST_FOR_ADDRESS", 3)
    for number in range(3):
        sign_in(session, settings, f"name {number}", "wrong wrong wrong", ADDRESS)
    with pytest.raises(TooBusy):
        sign_in(session, settings, "another", "wrong wrong wrong", ADDRESS)


def test_old_failures_are_forgiven(session, settings, ada):
    for _ in range(signing_in.MOST_FOR_NAME_AND_ADDRESS):
        sign_in(session, settings, "ada", "wrong wrong wrong", ADDRESS)
    long_ago = datetime.now(UTC) - timedelta(minutes=16)
    session.execute(update(AuditEntry).where(AuditEntry.action == FAILED).values(at=long_ago))
    assert sign_in(session, settings, "ada", ada, ADDRESS) is not None


def test_a_session_ends_by_signing_out_by_time_and_by_a_new_password(session, settings, ada):
    cookies = [sign_in(session, settings, "ada", ada, ADDRESS).cookie for _ in range(3)]
    sign_out(session, cookies[0])
    assert principal_of_cookie(session, cookies[0]) is None
    assert principal_of_cookie(session, cookies[1]) is not None
    session.execute(update(LoginSession).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    assert principal_of_cookie(session, cookies[1]) is None
    cookie = sign_in(session, settings, "ada", ada, ADDRESS).cookie
    new = set_password(session, "ada", None)
    assert principal_of_cookie(session, cookie) is None
    assert sign_in(session, settings, "ada", ada, ADDRESS) is None
    assert sign_in(session, settings, "ada", new, ADDRESS) is not None


@pytest.mark.parametrize("name", ["", "x" * 5000, "a\x00b", "\ud800", "' or 1=1 --", "\r\nforged line"])
def test_any_name_and_password_may_be_typed(session, settings, name):
    assert sign_in(session, settings, name, name, name) is None


def test_passwords_are_long_and_names_are_one_line(session):
    with pytest.raises(BadInput, match="at least 12"):
        create_user(session, "bob", "short", Role.OPERATOR)
    with pytest.raises(BadInput, match="U\\+000A"):
        create_user(session, "bob\nadmin", None, Role.OPERATOR)
    with pytest.raises(BadInput, match="cannot be a sensor"):
        create_user(session, "bob", None, Role.SENSOR)
    create_user(session, "bob", None, Role.OPERATOR)
    with pytest.raises(Conflict):
        create_user(session, " bob ", None, Role.OPERATOR)
    with pytest.raises(NotFound):
        set_password(session, "carl", None)


def test_the_last_administrator_stays(session):
    create_user(session, "root", None, Role.ADMIN)
    with pytest.raises(Conflict, match="last administrator"):
        disable_user(session, "root")
    with pytest.raises(Conflict, match="last administrator"):
        set_role(session, "root", Role.OPERATOR)
    create_user(session, "other", None, Role.ADMIN)
    disable_user(session, "root")
    assert [user.disabled_at is None for user in list_users(session)] == [True, False]


def test_guesses_at_the_same_moment_are_counted_too(engine, settings):
    def guess(number: int) -> str:
        try:
            with session_scope(engine) as session:
                wrong = sign_in(session, settings, "ada", f"wrong password {number}", ADDRESS)
        except TooBusy:
            return "refused"
        return "wrong" if wrong is None else "in"

    with ThreadPoolExecutor(12) as pool:
        answers = sorted(pool.map(guess, range(12)))
    assert answers == ["refused"] * 7 + ["wrong"] * signing_in.MOST_FOR_NAME_AND_ADDRESS
