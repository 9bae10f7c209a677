"""``consentivr bench``."""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path
from typing import Any

import click

from consentivr.bench import machine
from consentivr.bench.calls import PARTS, Wanted
from consentivr.bench.figures import Figure
from consentivr.bench.life import PARTS as LIFE_PARTS
from consentivr.bench.switch import PARTS as SWITCH_PARTS
from consentivr.bench.switch import Wanted as SwitchWanted
from consentivr.cli.common import AS_JSON, Refused, print_json_value, print_table
from consentivr.cli.log import configure_log


@click.group()
def bench() -> None:
    """Measure on this machine."""


@bench.command("ledger")
@AS_JSON
@click.option("--url", help="An empty postgresql:// database.  [default: SQLite in --folder]")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Where the SQLite file is made, and left.  [default: a temporary folder]",
)
@click.option(
    "--rate", "rates", type=click.IntRange(1, 2000), multiple=True, default=(10, 100, 200, 300), show_default=True
)
@click.option("--seconds", type=click.FloatRange(0.1, 600), default=10.0, show_default=True, help="For each rate.")
@click.option("--rows", type=click.IntRange(10_000), default=1_000_000, show_default=True, help="Of the full ledger.")
def ledger(
    print_json: bool, url: str | None, folder: Path | None, rates: tuple[int, ...], seconds: float, rows: int
) -> None:
    """The ledger: commit latency, rows a second, questions and erasure on a full one."""
    from consentivr.bench.ledger import run
    from consentivr.ledger import LedgerError

    configure_log("warning", json_lines=False)
    with tempfile.TemporaryDirectory() as temporary:
        location = url or (folder or Path(temporary)) / "bench.sqlite3"
        try:
            figures = run(
                location, rates=rates, seconds=seconds, rows=rows, tell=lambda what: click.echo(what, err=True)
            )
        except LedgerError as error:
            raise Refused(str(error)) from None
    _show(figures, print_json)


@bench.command("calls")
@AS_JSON
@click.option("--only", "parts", type=click.Choice(PARTS), multiple=True, default=PARTS, help="Of these parts.")
@click.option(
    "--seconds", type=click.FloatRange(0.5, 600), default=10.0, show_default=True, help="For each measurement."
)
@click.option("--rounds", type=click.IntRange(1, 100), default=3, show_default=True, help="Of what is compared.")
@click.option(
    "--rate",
    "rates",
    type=click.IntRange(1, 5000),
    multiple=True,
    default=Wanted.rates,
    show_default=True,
    help="Of the rising load, in calls a second.",
)
@click.option(
    "--held", type=click.IntRange(1, 18_000), multiple=True, default=Wanted.held, show_default=True, help="Calls."
)
@click.option(
    "--burst",
    "bursts",
    type=click.IntRange(1, 10_000),
    multiple=True,
    default=Wanted.bursts,
    show_default=True,
    help="Calls at once.",
)
@click.option("--url", help="An empty postgresql:// database, for a ledger there in the rising load.")
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="Draw the rising load into this PNG.")
def calls(print_json: bool, plot: Path | None, **wanted: Any) -> None:
    """The call path under load, beside bare greenswitch, and Genesis where it is installed."""
    from consentivr.bench.calls import run

    if plot is not None and importlib.util.find_spec("matplotlib") is None:
        raise Refused("a plot needs matplotlib: run 'pip install consentivr[bench]'")
    try:
        measured = run(Wanted(**wanted), tell=lambda what: click.echo(what, err=True))
    except RuntimeError as error:
        raise Refused(str(error)) from None
    if plot is not None:
        from consentivr.bench.plot import draw

        draw(measured.points, plot)
    _show(measured.figures, print_json)


@bench.command("switch")
@AS_JSON
@click.option(
    "--only", "parts", type=click.Choice(SWITCH_PARTS), multiple=True, default=SWITCH_PARTS, help="Of these parts."
)
@click.option("--calls", type=click.IntRange(1, 10_000), default=150, show_default=True, help="In each round.")
@click.option("--rate", type=click.FloatRange(0.1, 100), default=6.0, show_default=True, help="Calls a second.")
@click.option(
    "--lasts",
    "lasts_s",
    type=click.FloatRange(5, 600),
    default=8.0,
    show_default=True,
    help="Seconds of each call of the processor time.",
)
@click.option("--rounds", type=click.IntRange(1, 100), default=3, show_default=True, help="Of the processor time.")
@click.option("--waits", type=click.IntRange(1, 1000), default=15, show_default=True, help="Calls of each kind.")
@click.option("--held", type=click.IntRange(1, 250), default=200, show_default=True, help="Talks for the memory.")
def switch(print_json: bool, **wanted: Any) -> None:
    """Real calls on a FreeSWITCH: processor time beside its own, waits beside its Lua, memory."""
    from consentivr.bench.switch import run

    try:
        figures = run(SwitchWanted(**wanted), tell=lambda what: click.echo(what, err=True))
    except (FileNotFoundError, RuntimeError) as error:
        raise Refused(str(error)) from None
    _show(figures, print_json)


@bench.command("adoption")
@AS_JSON
@click.option("--conversations", type=click.IntRange(1, 100_000), default=10_000, show_default=True, help="Held.")
def adoption(print_json: bool, conversations: int) -> None:
    """Conversations that go on while 'serve' starts: until all are followed, and the memory of each."""
    from consentivr.bench.adoption import run

    try:
        figures = run(conversations, tell=lambda what: click.echo(what, err=True))
    except RuntimeError as error:
        raise Refused(str(error)) from None
    _show(figures, print_json)


@bench.command("life")
@AS_JSON
@click.option(
    "--only", "parts", type=click.Choice(LIFE_PARTS), multiple=True, default=LIFE_PARTS, help="Of these parts."
)
@click.option("--rate", type=click.FloatRange(0.5, 50), default=20.0, show_default=True, help="Callers a second.")
def life(print_json: bool, parts: tuple[str, ...], rate: float) -> None:
    """Real callers on a FreeSWITCH while 'serve' is reloaded, restarted and killed: who is lost, who notices."""
    from consentivr.bench.life import run

    try:
        figures = run(parts, rate, tell=lambda what: click.echo(what, err=True))
    except (FileNotFoundError, RuntimeError) as error:
        raise Refused(str(error)) from None
    _show(figures, print_json)


@bench.command("console")
@AS_JSON
@click.option("--calls", type=click.IntRange(100), default=165_000, show_default=True, help="In the ledger.")
@click.option("--people", type=click.IntRange(1, 500), default=50, show_default=True, help="At once.")
@click.option(
    "--think",
    "think_s",
    type=click.FloatRange(0, 600),
    nargs=2,
    default=(1.0, 5.0),
    show_default=True,
    help="Seconds between clicks: least and most.",
)
@click.option("--rate", type=click.IntRange(1, 500), default=50, show_default=True, help="Calls a second meanwhile.")
@click.option("--seconds", type=click.FloatRange(1, 600), default=30.0, show_default=True, help="For each measurement.")
@click.option("--rounds", type=click.IntRange(1, 100), default=3, show_default=True)
def console(print_json: bool, **wanted: Any) -> None:
    """The console's pages on a full ledger: alone, and for many people while callers are asked."""
    if importlib.util.find_spec("cheroot") is None:
        raise Refused("the console needs more: run 'pip install consentivr[console]'")
    from consentivr.bench.console import Wanted as ConsoleWanted
    from consentivr.bench.console import run

    configure_log("warning", json_lines=False)
    try:
        figures = run(ConsoleWanted(**wanted), tell=lambda what: click.echo(what, err=True))
    except RuntimeError as error:
        raise Refused(str(error)) from None
    _show(figures, print_json)


def _show(figures: list[Figure], print_json: bool) -> None:
    facts = machine.description()
    if print_json:
        said = [{**figure.__dict__, "budget": figure.budget} for figure in figures]
        print_json_value({"machine": facts, "figures": said})
        return
    print_table(
        ["what", "under", "measured", "", "budget"],
        [[figure.what, figure.condition, f"{figure.value:,.2f}", figure.unit, figure.budget] for figure in figures],
    )
    click.echo("\n" + ", ".join(f"{name} {value}" for name, value in facts.items()))
