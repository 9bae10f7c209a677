"""The files of one call, erased each for itself: one that cannot be erased keeps no other."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from consentivr.core.evidence import CallSummary, Recording
from consentivr.core.foreign import is_name
from consentivr.core.turn import Turn
from consentivr.custody.holds import Holds
from consentivr.ledger import CallRef, Entry
from consentivr.recordings import Places

_ON_HOLD = "is on legal hold"


def is_held(why: str) -> bool:
    """Whether a file was left for that reason, and for no other."""
    return why.endswith(_ON_HOLD)


@dataclass
class ErasedFiles:
    """What became of the files of a call."""

    call: CallSummary
    erased: list[Recording] = field(default_factory=list)
    gone: list[Recording] = field(default_factory=list)
    """That were not there any more, or of which somebody said so."""
    left: dict[str, str] = field(default_factory=dict)
    """What is there still, and why."""

    def rows(self, why: str) -> list[Entry]:
        """What is to be noted: one row when no recording is left, else one for each file."""
        files = [self._said(recording) for recording in (*self.erased, *self.gone)]
        about = CallRef.of(self.call)
        if files and len(files) == len(self.call.audio):
            return [about.row(Turn.AUDIO_ERASED, {"why": why, "files": files})]
        return [about.row(Turn.RECORDING_ERASED, {"why": why, **file}) for file in files]

    def _said(self, recording: Recording) -> dict[str, Any]:
        said = {"path": recording.path, "sha256": recording.sha256}
        return said | {"gone": True} if recording in self.gone else said


def erase_files(
    places: Places,
    call: CallSummary,
    holds: Holds,
    *,
    only: Sequence[Recording] | None = None,
    said_gone: Collection[str] = (),
    dry_run: bool = False,
) -> ErasedFiles:
    """Erase all that can be erased of a call, or ``only`` of some of its recordings, but what a held call names too.
    ``said_gone`` are paths of files that somebody knows to be gone; who can see one does not believe it.
    """
    done = ErasedFiles(call)
    for recording in call.audio if only is None else only:
        place = recording.place
        if is_name(place):
            done.gone.append(recording)  # another row said that its file is gone, and the path went with it
            continue
        holder = holds.of(place) or holds.of(recording.path)
        if holder is not None and holder != call.call:
            done.left[place] = f"call {holder} names it, and {_ON_HOLD}"
            continue
        try:
            if recording.path in said_gone or place in said_gone:
                there = Path(place).exists()
                if there:
                    done.left[place] = "it is there"
                else:
                    done.gone.append(recording)
            else:
                erase = places.would_erase if dry_run else places.erase
                (done.erased if erase(place) else done.gone).append(recording)
        except (OSError, ValueError) as error:
            done.left[place] = getattr(error, "strerror", None) or str(error)
    return done
