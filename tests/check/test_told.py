"""What a terminal shows of findings."""

from __future__ import annotations

from consentivr.check import Finding, Level
from consentivr.cli.check import told


def test_one_line_for_what_is_well_and_each_finding_with_all_that_is_known_of_it() -> None:
    findings = [
        Finding("8 modules", Level.GOOD, "nothing found"),
        Finding("17 call records: mod_cdr_csv", Level.GOOD, "numbers are kept", known="30 days, logrotate"),
        Finding("4 dialplan: x", Level.WARNING, "it records", "take it out", "dialplan, x", file="/d.xml", line=7),
        Finding("14 log", Level.NOT_SEEN, "no answer came"),
        Finding("10 recorders", Level.GOOD, "nothing found"),
        Finding("18 event socket: password", Level.BAD, "everybody knows it", "choose one", "event_socket.conf"),
    ]
    assert list(told("127.0.0.1:8021", findings)) == [
        "127.0.0.1:8021: well: 8 modules, 10 recorders",
        "  known: 17 call records: mod_cdr_csv - 30 days, logrotate",
        "  bad: 18 event socket: password",
        "    why:   everybody knows it",
        "    mend:  choose one",
        "    where: event_socket.conf",
        "  not seen: 14 log",
        "    why:   no answer came",
        "  warning: 4 dialplan: x",
        "    why:   it records",
        "    mend:  take it out",
        "    where: /d.xml:7 - dialplan, x",
    ]
    assert list(told("here", [])) == ["here: nothing is well"]
