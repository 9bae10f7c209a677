"""``consentivr check``: whether consent holds here, on the switches, before the law."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from consentivr.check import Finding, Level
from consentivr.cli.common import AS_JSON, CONFIG, load_configuration, print_json_value, shown


@click.command()
@CONFIG
@AS_JSON
@click.option("--live", is_flag=True, help="Ask the switches how they are set up, and look for what defeats consent.")
@click.option("--no-port", is_flag=True, help="Do not look at the port (consentivr is running).")
def check(config_path: Path, print_json: bool, live: bool, no_port: bool) -> None:
    """Say whether consent holds: here (could 'serve' work), on the switches, before the law.

    Makes and changes nothing. Exit 1 when something is bad, or was not seen.
    """
    from consentivr.service.check import check as look
    from consentivr.service.check import in_our_file, is_well

    configuration = load_configuration(config_path)
    findings = in_our_file(look(configuration, port=not no_port, live=live), config_path)
    if print_json:
        print_json_value([finding.as_dict() for finding in findings])
    else:
        for part in dict.fromkeys(finding.part for finding in findings):
            for line in told(part, [finding for finding in findings if finding.part == part]):
                click.echo(shown(line))
    sys.exit(0 if is_well(findings) else 1)


def told(part: str, findings: Sequence[Finding]) -> Iterator[str]:
    """One line for what is well; each finding with why, how to mend it, and where it is written."""
    well = [finding.what for finding in findings if finding.level.is_good and not finding.known]
    yield f"{part}: {'well: ' + ', '.join(well) if well else 'nothing is well'}"
    for finding in findings:
        if finding.known:
            yield f"  known: {finding.what} - {finding.known}"
    for finding in sorted(findings, key=lambda one: _ORDER.index(one.level)):
        if not finding.level.is_good:
            yield f"  {finding.level.value}: {finding.what}"
            yield f"    why:   {finding.said}"
            if finding.mend:
                yield f"    mend:  {finding.mend}"
            if finding.setting or finding.file:
                yield f"    where: {' - '.join(filter(None, (_place(finding), finding.setting)))}"


def _place(finding: Finding) -> str:
    return ":".join(str(part) for part in (finding.file, finding.line) if part is not None)


_ORDER = (Level.BAD, Level.NOT_SEEN, Level.WARNING, Level.GOOD)
