"""Commands that say who may do what: keys and users."""

from __future__ import annotations

import typer

app = typer.Typer()
keys = typer.Typer(no_args_is_help=True, help="API keys of sensors, gateways and programs.")
users = typer.Typer(no_args_is_help=True, help="People who sign in.")
app.add_typer(keys, name="keys")
app.add_typer(users, name="users")
