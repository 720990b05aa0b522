"""Commands that learn and predict: train, evaluate, backtest, score, plan, models."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from app.database import session_scope
from app.duration import parse_duration, parse_durations
from app.errors import BadInput
from app.risk import actions as risk_actions
from app.risk import model_store
from app.risk.model_search import ModelSearch
from app.terminal import plain_table
from commands.console import ModelOption, TimeOption, database, out, parse_time, progress

app = typer.Typer()
models = typer.Typer(no_args_is_help=True, help="Trained models: list, show, promote, roll back, shadow.")
app.add_typer(models, name="models")


@app.command()
def train(
    until: TimeOption = None,
    horizons: Annotated[str | None, typer.Option(help="How far ahead, like 24h,3d,7d.")] = None,
    seed: int = 0,
    promote: Annotated[bool, typer.Option(help="Let the best model serve if it beats the baselines.")] = True,
    search: Annotated[str | None, typer.Option(help="Try settings for so long before, like 30m.")] = None,
) -> None:
    """Learn from recorded failures up to a time: baselines, forest, network and their ensemble.

    Without enough failures, the anomaly score serves alone: how far each machine is from its own normal.

    Example: `wearwatch train --until 2026-10-01 --horizons 24h,3d,7d --search 30m`
    """
    from ml.jobs import train as job
    from ml.jobs.courtesy import give_way

    spans = parse_durations(horizons) if horizons else None
    with database() as (engine, settings), progress("training") as show:
        give_way()
        result = job.train(
            engine,
            settings,
            until=until,
            horizons=spans,
            seed=seed,
            promote=promote,
            search=parse_duration(search) if search else timedelta(),
            progress=show,
        )
    if any(card["horizons"] for _, _, card in result.rows):
        out.print(job.table(result))
    out.print(result.verdict)


@app.command()
def evaluate(model: ModelOption = None) -> None:
    """Judge a model on what happened after it was trained; without later failures, show its card.

    Example: `wearwatch evaluate --model 3`
    """
    from ml.jobs import evaluate as job
    from ml.jobs.courtesy import give_way

    with database() as (engine, settings), progress("evaluating") as show:
        give_way()
        report = job.evaluate(engine, settings, model, show)
    out.print(report)


@app.command()
def backtest(
    out_file: Annotated[Path, typer.Option("--out", help="CSV file to write.")],
    from_: Annotated[datetime, typer.Option("--from", parser=parse_time, metavar="TIME")],
    to: Annotated[datetime, typer.Option(parser=parse_time, metavar="TIME")],
    every: Annotated[str, typer.Option(help="Step between the times, a multiple of the bucket.")] = "1h",
    model: ModelOption = None,
) -> None:
    """Write what `score --as-of` would have said of every machine at past times, both ends included.

    Example: `wearwatch backtest --from 2026-10-01 --to 2026-11-01 --every 6h --out scores.csv`
    """
    from ml.jobs import backtest as job
    from ml.jobs.courtesy import give_way

    with database() as (engine, settings), progress("backtest") as show:
        give_way()
        rows = job.backtest(engine, settings, from_, to, parse_duration(every), model, out_file, show)
    nobody = "" if rows else f": no machine in use had sent a reading by {to:%Y-%m-%d %H:%M}"
    out.print(f"{rows:,} rows written to {out_file}{nobody}.")


@app.command()
def score(as_of: TimeOption = None) -> None:
    """Predict every machine's risk now, or as of a past time, and store it.

    Example: `wearwatch score --as-of 2026-11-20T08:00:00Z`
    """
    from ml.jobs import score as job

    with database() as (engine, settings), progress("scoring") as show:
        count = job.score(engine, settings, as_of, show)
    out.print(f"{count} machines scored.")


@app.command()
def plan() -> None:
    """Plan services: when, by which crew and why, at the least expected cost.

    Example: `wearwatch plan`
    """
    from ml.jobs.plan import plan as make

    with database() as (engine, settings):
        out.print(make(engine, settings).summary)


@models.command("list")
def list_models(most: Annotated[int, typer.Option(min=1, max=1000)] = 20) -> None:
    """Show the newest models, the champion marked.

    Example: `wearwatch models list`
    """
    table = plain_table("model", "kind", "status", "trained until", "horizons", "verdict")
    with database() as (engine, _), session_scope(engine) as session:
        for model in model_store.list_models(session, ModelSearch(limit=most))[0]:
            horizons = ", ".join(f"{hours:g} h" for hours in model.horizons_hours)
            verdict = str(model.card.get("verdict", ""))
            table.add_row(
                str(model.id), model.kind, model.state, f"{model.trained_until:%Y-%m-%d %H:%M}", horizons, verdict
            )
    out.print(table)


@models.command("show")
def show_model(model: int) -> None:
    """Print a model's card as JSON: what it learnt from and how it did on time it had not seen.

    Example: `wearwatch models show 3`
    """
    with database() as (engine, _), session_scope(engine) as session:
        out.print_json(data=model_store.model_by_id(session, model).card)


@models.command("drift")
def report_model(model: Annotated[int | None, typer.Argument(help="The champion without it.")] = None) -> None:
    """Report whether the plant still looks like what a model learnt from, and what came true of what it said.

    Example: `wearwatch models drift`
    """
    from ml.jobs import monitor as job
    from ml.jobs.courtesy import give_way

    with database() as (engine, settings), progress("looking") as show:
        give_way()
        report = job.monitor(engine, settings, model, progress=show)
    out.print(job.table(report))
    out.print(f"Model {report.model_id}. {report.body['verdict']}")


@models.command("promote")
def promote_model(
    model: int,
    unproven: Annotated[bool, typer.Option("--unproven", help="Even if it does not beat the baselines.")] = False,
) -> None:
    """Let a model serve.

    Example: `wearwatch models promote 3`
    """
    with database() as (engine, _), session_scope(engine) as session:
        promoted = risk_actions.promote(session, None, model, datetime.now(UTC), unproven=unproven)
        out.print(f"Model {promoted.id} ({promoted.kind}) serves now.")


@models.command("rollback")
def roll_back_model() -> None:
    """Let the model before the champion serve again.

    Example: `wearwatch models rollback`
    """
    with database() as (engine, _), session_scope(engine) as session:
        back = risk_actions.roll_back(session, None, datetime.now(UTC))
        out.print(f"Model {back.id} ({back.kind}) serves again.")


@models.command("shadow")
def shadow_model(model: Annotated[str, typer.Argument(help="Number of a model, or `none`.")]) -> None:
    """Score a model beside the one that serves, without serving it; one at most.

    Example: `wearwatch models shadow 7`
    """
    if model != "none" and not model.isdecimal():
        raise BadInput(f"{model!r} is not the number of a model: name one, or `none`.")
    with database() as (engine, _), session_scope(engine) as session:
        shadow = risk_actions.shadow(session, None, None if model == "none" else int(model))
        out.print(
            f"Model {shadow.id} ({shadow.kind}) is scored in the shadow of the one that serves."
            if shadow
            else "No model is scored in the shadow now."
        )
