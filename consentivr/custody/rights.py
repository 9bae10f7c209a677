"""What a person may ask for: erasure (GDPR art. 17)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from consentivr.core.evidence import CallSummary, summarize
from consentivr.custody.files import erase_files
from consentivr.custody.holds import Holds
from consentivr.custody.quarantine import erase_quarantined, names_number, note_gone, quarantined
from consentivr.ledger import Ledger
from consentivr.recordings import Places


@dataclass
class ErasedPerson:
    """What was erased of a person, and what is left."""

    calls: int = 0
    """Whose number is erased."""
    recordings: int = 0
    gone: int = 0
    held: list[str] = field(default_factory=list)
    """Calls on legal hold: they are left as they are."""
    left: dict[str, dict[str, str]] = field(default_factory=dict)
    """By call: each file that is there still, and why."""

    @property
    def is_complete(self) -> bool:
        return not self.held and not self.left


def calls_of_person(ledger: Ledger, channels: Sequence[str]) -> list[CallSummary]:
    """Every visit of these channels: a channel is one person's, whatever lines it came to.

    Raises LedgerError for what is no call.
    """
    ledger.must_be_calls(channels)
    return [summarize(rows) for rows in ledger.rows_of(channels)]


def erase_calls(
    ledger: Ledger, places: Places, channels: Sequence[str], why: str, *, said_gone: Collection[str] = ()
) -> ErasedPerson:
    """Erase all that can be erased of channels with all their visits: the number first, then each file, each with its
    receipt (GDPR art. 17). What is on legal hold stays as it is, with the number of its channel (art. 17(3)(e)).

    ``said_gone``: paths of files that somebody knows to be gone, wherever they were. Interrupted, ``retention run``
    goes on with it, as with what could not be erased. Raises LedgerError.
    """
    calls = calls_of_person(ledger, channels)
    holds = Holds(ledger)
    done = ErasedPerson(held=[call.call for call in calls if holds.keep(call)])
    free = [call for call in calls if call.channel_uuid not in holds.channels]
    done.calls = len(free)
    known = list(dict.fromkeys(call.channel_uuid for call in free if call.person_erased_at is None))
    if known:
        ledger.erase_people(known, {"why": why, "caller": True})
    for call in calls:
        if call.call in done.held:
            continue
        files = erase_files(places, call, holds, said_gone=said_gone)
        ledger.append(files.rows(why))
        done.recordings += len(files.erased)
        done.gone += len(files.gone)
        if files.left:
            done.left[call.call] = files.left
    note_gone(ledger, places)
    numbers = {call.caller_id_number for call in free if call.caller_id_number}
    for stray in quarantined(ledger, places) if numbers else ():
        if names_number(stray, numbers):
            erase_quarantined(ledger, stray, holds, why)
            done.recordings += 1
    return done
