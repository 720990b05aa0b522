"""Commands that say who may do what: keys and users."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from app.database import session_scope
from app.duration import parse_duration
from app.security import keys as store
from app.security import users as people
from app.security.principal import Role
from app.terminal import plain_table
from commands.console import database, out

app = typer.Typer()
keys = typer.Typer(no_args_is_help=True, help="API keys of sensors, gateways and programs.")
users = typer.Typer(no_args_is_help=True, help="People who sign in.")
app.add_typer(keys, name="keys")
app.add_typer(users, name="users")


@keys.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="Who holds it, like `gateway hall 3`.")],
    role: Annotated[Role, typer.Option(help="What it may do.")] = Role.SENSOR,
    expires_in: Annotated[str | None, typer.Option(help="Like 90d; without it the key does not expire.")] = None,
    may_register_machines: Annotated[
        bool, typer.Option("--may-register-machines", help="Readings of unknown machines add the machine.")
    ] = False,
) -> None:
    """Make a key and print it; it is shown once.

    Example: `wearwatch keys create "gateway hall 3" --role sensor --may-register-machines`
    """
    expires_at = datetime.now(UTC) + parse_duration(expires_in) if expires_in else None
    with database() as (engine, _), session_scope(engine) as session:
        key = store.create_key(
            session, name, role, may_register_machines=may_register_machines, expires_at=expires_at
        )
    print(key)


@keys.command("list")
def list_keys() -> None:
    """Show every key, without its secret.

    Example: `wearwatch keys list`
    """
    table = plain_table("name", "begins with", "role", "created", "expires", "revoked")
    with database() as (engine, _), session_scope(engine) as session:
        for key in store.list_keys(session):
            times = (key.created_at, key.expires_at, key.revoked_at)
            table.add_row(key.name, f"ww_{key.prefix}", key.role, *(_time_text(time) for time in times))
    out.print(table)


@keys.command("revoke")
def revoke_key(name: str) -> None:
    """Take a key back; every process refuses it within a second.

    Example: `wearwatch keys revoke "gateway hall 3"`
    """
    with database() as (engine, _), session_scope(engine) as session:
        store.revoke_key(session, name)
    out.print(f"The key {name} is revoked.", markup=False)


@users.command("create")
def create_user(
    name: str,
    role: Annotated[Role, typer.Option(help="operator, planner or admin.")] = Role.OPERATOR,
    password_from_input: Annotated[
        bool, typer.Option("--ask", help="Ask for the password instead of making one.")
    ] = False,
) -> None:
    """Add a person; the password is made and printed once, or asked for.

    Example: `wearwatch users create maria --role planner`
    """
    password = _ask_password() if password_from_input else None
    with database() as (engine, _), session_scope(engine) as session:
        made = people.create_user(session, name, password, role)
    out.print(f"{name} may sign in." if password else f"{name} may sign in with the password {made}", markup=False)


@users.command("list")
def list_users() -> None:
    """Show every person and their role.

    Example: `wearwatch users list`
    """
    table = plain_table("name", "role", "created", "disabled")
    with database() as (engine, _), session_scope(engine) as session:
        for user in people.list_users(session):
            table.add_row(user.name, user.role, _time_text(user.created_at), _time_text(user.disabled_at))
    out.print(table)


@users.command("set-password")
def set_password(
    name: str,
    password_from_input: Annotated[
        bool, typer.Option("--ask", help="Ask for the password instead of making one.")
    ] = False,
) -> None:
    """Give a person a new password and end their sign-ins.

    Example: `wearwatch users set-password maria`
    """
    password = _ask_password() if password_from_input else None
    with database() as (engine, _), session_scope(engine) as session:
        made = people.set_password(session, name, password)
    out.print("The password is changed." if password else f"The new password is {made}", markup=False)


@users.command("disable")
def disable_user(name: str) -> None:
    """Shut a person out and end their sign-ins.

    Example: `wearwatch users disable maria`
    """
    with database() as (engine, _), session_scope(engine) as session:
        people.disable_user(session, name)
    out.print(f"{name} may no longer sign in.", markup=False)


def _ask_password() -> str:
    password: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    return password


def _time_text(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M}" if time else "-"
