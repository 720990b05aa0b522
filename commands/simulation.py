"""Commands of the simulated fleet: its history as CSV files, and its sensors live."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Annotated

import typer

from app.errors import BadInput
from commands.console import TimeOption, err, out, progress

app = typer.Typer()
simulate = typer.Typer(no_args_is_help=True, help="A fleet with known truth, for trying things out.")
app.add_typer(simulate, name="simulate")

STATE_FILE = "fleet.json"
Folder = Annotated[Path, typer.Option("--out", help="Folder of the fleet.")]


@simulate.command("fleet")
def simulate_fleet(
    folder: Folder,
    machines: Annotated[int, typer.Option(min=5, max=2000)] = 60,
    days: Annotated[int, typer.Option(min=30, max=730)] = 120,
    until: TimeOption = None,
    seed: int = 7,
) -> None:
    """Write machines.csv, readings.csv and events.csv of a simulated plant, and the state its sensors go on from.

    Example: `wearwatch simulate fleet --out plant --machines 60 --days 120`
    """
    from ml.simulate import fleet as simulation
    from ml.simulate.live import LiveFleet

    folder.mkdir(parents=True, exist_ok=True)
    with progress("simulating") as show:
        fleet = simulation.simulate_fleet(machines, days, until, seed, show)
    simulation.write_csvs(fleet, folder)
    LiveFleet.after(fleet).save(folder / STATE_FILE)
    failures = int((fleet.events["kind"] == "failure").sum())
    out.print(f"{machines} machines, {len(fleet.readings):,} readings and {failures} failures written to {folder}.")


@simulate.command("sensors")
def simulate_sensors(
    folder: Folder,
    url: Annotated[str, typer.Option(help="Address of the service.")] = "http://127.0.0.1:8000",
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between two posts.")] = 5.0,
) -> None:
    """Post the fleet's readings as time goes by, with the key in WEARWATCH_API_KEY; Ctrl-C stops.

    Its failures and services are reported with the operator's key in WEARWATCH_EVENTS_KEY, where there is one.

    Example: `WEARWATCH_API_KEY=ww_... wearwatch simulate sensors --out plant --url http://127.0.0.1:8000`
    """
    from ml.simulate.live import run_sensors

    key = os.environ.get("WEARWATCH_API_KEY")
    if not key:
        raise BadInput("Set WEARWATCH_API_KEY to a sensor's key; `wearwatch keys create` makes one.")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    run_sensors(url, key, folder / STATE_FILE, every, os.environ.get("WEARWATCH_EVENTS_KEY"), stop, say=err.print)
