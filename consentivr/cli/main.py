"""The command line. Exit 0 is good, 1 is a finding, 2 is a usage or configuration error."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import click

import consentivr
from consentivr.cli.agents import agents
from consentivr.cli.bench import bench
from consentivr.cli.check import check
from consentivr.cli.common import (
    AS_JSON,
    CONFIG,
    Refused,
    load_configuration,
    print_json_value,
    print_table,
)
from consentivr.cli.console import console
from consentivr.cli.incidents import incidents
from consentivr.cli.ledger import ledger
from consentivr.cli.log import configure_log
from consentivr.cli.person import person
from consentivr.cli.privacy import privacy
from consentivr.cli.prompts import prompts
from consentivr.cli.retention import retention
from consentivr.cli.serve import serve
from consentivr.cli.setup import setup
from consentivr.resources import shipped


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(consentivr.__version__, prog_name="consentivr")
def main() -> None:
    """Asks a caller "may we record this call?" and keeps its word whatever breaks."""


@main.command()
@CONFIG
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="FreeSWITCH's configuration folder, or any other.",
)
@click.option(
    "--diff", "only_diff", is_flag=True, help="Show what would change, write nothing; exit 1 if anything would."
)
def render(config_path: Path, out: Path, only_diff: bool) -> None:
    """Write FreeSWITCH's XML: dialplan, queues, and the default that makes calls unrecordable."""
    from consentivr import rendering
    from consentivr.service.build import CannotServe, rendered

    try:
        files = rendered(load_configuration(config_path))
    except CannotServe as error:
        raise Refused(str(error)) from None
    try:
        changes = rendering.differences(out, files)
        click.echo(changes or "nothing to change\n", nl=False)
        if only_diff:
            sys.exit(1 if changes else 0)
        for path in rendering.write(out, files):
            click.echo(f"written: {path}, for {path.owner()} and the group {path.group()}")
    except OSError as error:
        raise Refused(f"cannot write below {out}: {error}") from None


@main.command()
@AS_JSON
@click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    help="Default: the sample that comes with consentivr.",
)
@click.option(
    "--keep", type=click.Path(path_type=Path, file_okay=False), help="Keep recordings and ledger in this folder."
)
@click.option(
    "--speed", type=click.FloatRange(1, 100), default=10.0, show_default=True, help="Simulated seconds in a real one."
)
@click.option("--verbose", is_flag=True, help="Show the application's log as well.")
def demo(print_json: bool, config_path: Path | None, keep: Path | None, speed: float, verbose: bool) -> None:
    """Play five callers on a simulated switch and show what each of them met."""
    from consentivr.lab import demo as demonstration

    configuration = load_configuration(config_path or shipped("config") / "consentivr.yaml")
    configure_log("info" if verbose else "error", json_lines=False)
    folder = (keep or Path(tempfile.mkdtemp(prefix="consentivr-demo-"))).resolve()
    outcomes = demonstration.run(configuration, folder, (lambda text: None) if print_json else click.echo, speed)
    if print_json:
        print_json_value([outcome.as_dict() for outcome in outcomes])
        return
    click.echo()
    head = ["caller", "decision", "why", "recorded", "ledger row"]
    print_table(head, [[o.caller, o.decision, o.why, o.recorded, o.ledger_row] for o in outcomes])
    click.echo("\nRecordings (caller left, agent right):")
    for outcome in outcomes:
        if outcome.file:
            click.echo(f"  {outcome.file}")
    click.echo(f"Ledger: {folder / 'ledger.sqlite3'}")


main.add_command(agents)
main.add_command(bench)
main.add_command(check)
main.add_command(console)
main.add_command(incidents)
main.add_command(ledger)
main.add_command(person)
main.add_command(privacy)
main.add_command(prompts)
main.add_command(retention)
main.add_command(serve)
main.add_command(setup)


@main.group()
def config() -> None:
    """The configuration's sample and schema; the alerts that go with it."""


@config.command("example")
def config_example() -> None:
    """Print the commented sample to start from."""
    click.echo((shipped("config") / "consentivr.yaml").read_text(encoding="utf-8"), nl=False)


@config.command("alerts")
def config_alerts() -> None:
    """Print the alert rules for Prometheus; docs/monitoring.md says what to do about each."""
    click.echo((shipped("monitoring") / "consentivr.rules.yaml").read_text(encoding="utf-8"), nl=False)


@config.command("schema")
def config_schema() -> None:
    """Print the JSON schema, for an editor."""
    from consentivr.config.schema import schema

    print_json_value(schema())
