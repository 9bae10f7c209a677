"""Callers of the flow tests, and what the ledger says of one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from consentivr.lab.caller import Caller
from consentivr.lab.laboratory import Laboratory
from consentivr.lab.switch import Channel
from consentivr.ledger import Entry
from tests.waiting import until

YES, NO = Caller(keys={1: ("1", 1200)}), Caller(keys={1: ("9", 1200)})


def rows(laboratory: Laboratory, channel: Channel) -> dict[str, Entry]:
    """The rows of a call of one visit by turn, once its end is there, and its recording has become something."""
    found: dict[str, Entry] = {}

    def ended() -> bool:
        found.clear()
        found.update({row.turn: row for row in laboratory.rows(channel)})
        became = {"recording_sealed", "recording_erased"} & set(found)
        return "call_ended" in found and ("recording_started" not in found or bool(became))

    until(ended)
    visits(laboratory.rows(channel))
    return found


def decision(laboratory: Laboratory, channel: Channel) -> tuple[str, str]:
    """What the caller decided, and why we say so."""
    evidence = rows(laboratory, channel)["decision"].evidence
    return evidence["decision"], evidence["reason"]


def visits(ledger: Iterable[Entry], *, are_kept: bool = True) -> dict[str, list[Entry]]:
    """The rows of each visit. Promise P11: it arrives, is decided and ends once; with ``are_kept`` what was recorded is
    sealed or erased."""
    found: dict[str, list[Entry]] = {}
    for row in ledger:
        if row.visit is not None:
            found.setdefault(row.visit, []).append(row)
    for visit, said in found.items():
        turns = Counter(row.turn for row in said)
        story = [(f"{row.at:%H:%M:%S.%f}", row.turn, row.evidence.get("why")) for row in said]
        assert turns["arrived"] == turns["decision"] == turns["call_ended"] == 1, (visit, story)
        started = {row.evidence["path"] for row in said if row.turn == "recording_started"}
        kept = {row.evidence["path"] for row in said if row.turn in ("recording_sealed", "recording_erased")}
        assert not are_kept or started <= kept, (visit, [row.turn for row in said])
        given = [row for row in said if row.turn == "decision" and row.evidence["verdict"]["record"]]
        assert given or not started, "promise P1"
    return found
