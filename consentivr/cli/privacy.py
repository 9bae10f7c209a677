"""``consentivr privacy``: what a data protection officer signs, made from the configuration."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import TypeVar

import click

from consentivr.cli.common import AS_JSON, CONFIG, Refused, load_configuration, print_json_value
from consentivr.core.statutes import STATUTES
from consentivr.files import new_private
from consentivr.privacy import DOCUMENTS, LANGUAGES, Document, document, facts_of

_Command = TypeVar("_Command", bound=Callable[..., None])


def document_options(command: _Command) -> _Command:
    """What every verb that makes a document takes."""
    for option in (
        click.option(
            "--out", type=click.Path(path_type=Path, dir_okay=False), help="A new file; default: the terminal."
        ),
        click.option("--format", "form", type=click.Choice(["text", "html"]), default="text", show_default=True),
        click.option("--language", type=click.Choice(sorted(LANGUAGES)), default="en", show_default=True),
    ):
        command = option(command)
    return command


def deliver(made: Document, form: str, out: Path | None) -> None:
    """Write a document, and say on standard error what is missing in it."""
    text = made.html() if form == "html" else made.text()
    if out is None:
        click.echo(text, nl=False)
    else:
        try:
            with new_private(out) as file:
                file.write(text.encode())
        except OSError as error:
            raise Refused(f"cannot write {out}: {error.strerror}") from None
    if made.gaps:
        click.echo(f"{len(made.gaps)} gap(s): " + "; ".join(dict.fromkeys(made.gaps)), err=True)


@click.group()
def privacy() -> None:
    """Documents for the data protection officer, made from the configuration."""


_SAID = {
    "record": "Make the record of processing activities (GDPR art. 30).",
    "notice": "Make the notice for callers (GDPR art. 13).",
    "measures": "Make the list of technical and organisational measures (GDPR art. 32).",
    "impact": "Make the threats and remedies for the impact assessment (GDPR art. 35).",
    "retention": "Make the retention table (GDPR art. 5(1)(e)).",
    "agreement": "Make the technical annex of the works agreement (BetrVG § 87(1) no. 6).",
}


def _verb(name: str) -> click.Command:
    @CONFIG
    @document_options
    def make(config_path: Path, language: str, form: str, out: Path | None) -> None:
        facts = facts_of(load_configuration(config_path))
        deliver(document(name, facts, language, datetime.now(timezone.utc)), form, out)

    made: click.Command = click.command(name, help=_SAID[name])(make)
    return made


for _name in DOCUMENTS:
    privacy.add_command(_verb(_name))


@privacy.command("statutes")
@AS_JSON
def statutes(print_json: bool) -> None:
    """List the statutes that mode 'permanent' may rest on, and what must be told."""
    if print_json:
        print_json_value([vars(one) for one in STATUTES])
        return
    for one in STATUTES:
        click.echo(f"{one.name}\n    {one.cites}")
        said = {"covers": one.what, "callers": one.callers, "staff": one.staff, "source": one.source}
        for name, text in {**said, "needs a confirmation": one.depends}.items():
            if text:
                click.echo(f"    {name}: {text}")
