"""What a person may ask for: erasure (GDPR art. 17)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from consentivr.core.evidence import CallSummary, summarize
from consentivr.custody.files import ErasedFiles, erase_files, is_held
from consentivr.custody.holds import Holds
from consentivr.custody.quarantine import (
    Quarantined,
    Refused,
    erase_quarantined,
    names_number,
    note_gone,
    quarantined,
)
from consentivr.ledger import NO_CALL, Ledger
from consentivr.ledger.searching import Searching
from consentivr.recordings import Places


@dataclass(frozen=True)
class ErasedCall:
    """What became of one call. ``number``: whether it is erased. With ``held`` all of it stays as it is."""

    call: CallSummary
    """As it was before."""
    number: bool
    held: bool
    recordings: int = 0
    gone: int = 0
    left: Mapping[str, str] = field(default_factory=dict)
    """Each file that is there still, and why."""

    @property
    def left_for_holds(self) -> list[bool]:
        """Of each of them, whether another call on hold keeps it."""
        return [is_held(why) for why in self.left.values()]


@dataclass
class ErasedPerson:
    """What was erased of a person, and what is left."""

    becomes: list[ErasedCall] = field(default_factory=list)
    strays: int = 0
    """Files in quarantine that were named by the number."""
    strays_left: dict[str, str] = field(default_factory=dict)

    @property
    def calls(self) -> int:
        """Whose number is erased."""
        return sum(call.number for call in self.becomes)

    @property
    def recordings(self) -> int:
        return self.strays + sum(call.recordings for call in self.becomes)

    @property
    def gone(self) -> int:
        return sum(call.gone for call in self.becomes)

    @property
    def held(self) -> list[str]:
        """Calls on legal hold: they are left as they are."""
        return [call.call.call for call in self.becomes if call.held]

    @property
    def left(self) -> dict[str, Mapping[str, str]]:
        """By call, or ``NO_CALL``: each file that is there still, and why."""
        left = {call.call.call: call.left for call in self.becomes if call.left}
        return left | ({NO_CALL: self.strays_left} if self.strays_left else {})

    @property
    def is_complete(self) -> bool:
        return not self.held and not self.left


def calls_of_person(ledger: Searching, channels: Sequence[str]) -> list[CallSummary]:
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
    calls, holds = calls_of_person(ledger, channels), Holds(ledger)
    known = [call.channel_uuid for call in _free(calls, holds) if call.person_erased_at is None]
    if known:
        ledger.erase_people(list(dict.fromkeys(known)), {"why": why, "caller": True})
    done = ErasedPerson()
    for call in calls:
        files = ErasedFiles(call) if holds.keep(call) else erase_files(places, call, holds, said_gone=said_gone)
        ledger.append(files.rows(why))
        done.becomes.append(_erased(files, holds))
    note_gone(ledger, places)
    for stray in _strays(ledger, places, _free(calls, holds)):
        try:
            erase_quarantined(ledger, stray, holds, why)
            done.strays += 1
        except (OSError, Refused) as error:
            done.strays_left[str(stray.file)] = getattr(error, "strerror", None) or str(error)
    return done


def would_erase(ledger: Searching, places: Places, channels: Sequence[str]) -> ErasedPerson:
    """What ``erase_calls`` would do. Raises LedgerError."""
    calls, holds = calls_of_person(ledger, channels), Holds(ledger)
    done = ErasedPerson()
    for call in calls:
        files = ErasedFiles(call) if holds.keep(call) else erase_files(places, call, holds, dry_run=True)
        done.becomes.append(_erased(files, holds))
    done.strays = len(_strays(ledger, places, _free(calls, holds)))
    return done


def _free(calls: Sequence[CallSummary], holds: Holds) -> list[CallSummary]:
    """Those whose number goes: it is a channel's, and one visit on hold keeps it for all."""
    return [call for call in calls if call.channel_uuid not in holds.channels]


def _erased(files: ErasedFiles, holds: Holds) -> ErasedCall:
    call = files.call
    number = call.channel_uuid not in holds.channels
    return ErasedCall(call, number, holds.keep(call), len(files.erased), len(files.gone), files.left)


def _strays(ledger: Searching, places: Places, calls: Sequence[CallSummary]) -> list[Quarantined]:
    numbers = {call.caller_id_number for call in calls if call.caller_id_number}
    return [stray for stray in quarantined(ledger, places) if names_number(stray, numbers)] if numbers else []
