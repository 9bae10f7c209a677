"""What a person may ask for, and what a court may forbid: erasure, and holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from consentivr.core.evidence import CallSummary, Turn, summarize
from consentivr.ledger import NOT_CALLS, Ledger, Search
from consentivr.recordings import ErasedAudio, erase_audio


class OnHold(Exception):
    """A call is under a legal hold, and is not erased (GDPR art. 17(3)(e))."""


def calls_of_person(ledger: Ledger, channels: Sequence[str]) -> list[CallSummary]:
    """Every visit of these channels: a channel is one person's, whatever lines it came to."""
    return [summarize(rows) for rows in ledger.rows_of([channel for channel in channels if channel not in NOT_CALLS])]


def erase_calls(ledger: Ledger, folder: Path, channels: Sequence[str], why: str) -> ErasedAudio:
    """Erase the audio and the personal data of channels with all their visits, and leave a receipt for each visit
    (GDPR art. 17).

    Interrupted, it can be run again. Raises OnHold, when one of the visits is held, and ValueError before anything
    is erased; OSError, LedgerUnavailable.
    """
    calls = calls_of_person(ledger, channels)
    paths = [recording.path for call in calls for recording in call.audio]
    holds = Holds(ledger)
    held = [call.call for call in calls if call.held] or [holder for path in paths if (holder := holds.of(path))]
    if held:
        raise OnHold(f"{len(held)} call(s) are on legal hold ({held[0]}): 'consentivr ledger release' first")
    audio = erase_audio(folder, paths)
    people = list(dict.fromkeys(call.channel_uuid for call in calls))
    ledger.erase_people(people, {"why": why, "caller": True, "audio": bool(paths)})
    return audio


def hold(ledger: Ledger, name: str, why: str, *, release: bool = False) -> bool:
    """Put a visit, or every visit of a channel, under a legal hold, or release it. False when there is no such
    call, or nothing to do; receipts and registers are none.
    """
    if name in NOT_CALLS:
        return False
    turn = Turn.HOLD_RELEASED if release else Turn.HOLD
    rows = [
        rows[-1].about.row(turn, {"why": why}) for rows in ledger.calls_named(name) if summarize(rows).held is release
    ]
    if rows:
        ledger.append(rows)
    return bool(rows)


class Holds:
    """The calls on legal hold and their files: what a held call names is not erased for another one's sake."""

    def __init__(self, ledger: Ledger) -> None:
        self._holders: dict[Path, str] = {}
        self.channels: set[str] = set()
        """Of which something is held."""
        for rows in ledger.rows_of_visits(ledger.visits(Search(), Turn.HOLD)):
            call = summarize(rows)
            if call.held:
                self.channels.add(call.channel_uuid)
                self._holders |= {Path(recording.path).resolve(): call.call for recording in call.audio}

    def of(self, path: str) -> str | None:
        """The held call that names this file."""
        return self._holders.get(Path(path).resolve())
