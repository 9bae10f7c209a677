"""``consentivr bench``."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from consentivr.bench import machine
from consentivr.bench.figures import Figure
from consentivr.cli.common import AS_JSON, Refused, configure_log, print_json_value, print_table


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
@click.option(
    "--seconds", type=click.FloatRange(0.5, 600), default=10.0, show_default=True, help="For each measurement."
)
@click.option("--rounds", type=click.IntRange(1, 100), default=3, show_default=True, help="Of flows, alternating.")
@click.option("--held", type=click.IntRange(1, 20_000), multiple=True, default=(100, 1000), show_default=True)
@click.option("--burst", "bursts", type=click.IntRange(1, 10_000), multiple=True, default=(300,), show_default=True)
def calls(print_json: bool, seconds: float, rounds: int, held: tuple[int, ...], bursts: tuple[int, ...]) -> None:
    """The call path under load, beside bare greenswitch, and Genesis where it is installed."""
    from consentivr.bench.calls import run

    try:
        figures = run(
            seconds=seconds, rounds=rounds, held=held, bursts=bursts, tell=lambda what: click.echo(what, err=True)
        )
    except RuntimeError as error:
        raise Refused(str(error)) from None
    _show(figures, print_json)


def _show(figures: list[Figure], print_json: bool) -> None:
    facts = machine.description()
    if print_json:
        print_json_value({"machine": facts, "figures": [figure.__dict__ for figure in figures]})
        return
    print_table(
        ["what", "under", "measured", ""],
        [[figure.what, figure.condition, f"{figure.value:,.2f}", figure.unit] for figure in figures],
    )
    click.echo("\n" + ", ".join(f"{name} {value}" for name, value in facts.items()))
