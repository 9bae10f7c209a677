"""What records a leg, and what listens to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from consentivr.lab.simulated import words
from consentivr.lab.simulated.identity import Identity
from consentivr.lab.simulated.recorders import Audible, Recorder, Tap

if TYPE_CHECKING:
    from consentivr.lab.simulated.legs import Leg
    from consentivr.lab.switch import SimulatedSwitch


class Listened(Identity):
    """Recorders with their events (FREESWITCH.md, sections 4 and 7), and other media bugs."""

    def __init__(self, switch: SimulatedSwitch, number: str, name: str, variables: dict[str, str] | None) -> None:
        super().__init__(switch, number, name, variables)
        self.bugs: list[Recorder | Tap] = []
        """What listens: the recorders and the other taps, in the order in which they came."""
        self.messages: list[Recorder] = []
        """What the application ``record`` records: the leg's own words, and no media bug."""
        self.recorded: dict[str, int] = {}
        """Path -> milliseconds of every recording that was kept."""
        self.masked: list[tuple[str, str]] = []
        """('mask' or 'unmask', path) of every one that was obeyed."""
        self.broadcasts: list[tuple[str, str]] = []
        """(announcement, 'both' or 'aleg') of every one played into waiting or talk."""

    def audible(self) -> Audible:
        """Who is to be heard in a recording of this leg: on the left itself, on the right what it hears."""
        raise NotImplementedError

    def broadcast(self, path: str, to: str) -> None:
        """Something is played into it."""
        self.broadcasts.append((Path(path).stem, to))

    @property
    def recorders(self) -> dict[str, Recorder]:
        """By path, as ``uuid_record`` knows them."""
        return {bug.path: bug for bug in self.bugs if isinstance(bug, Recorder)}

    def record(self, path: str, *, told: bool = True) -> bool:
        """As ``record_session``: False when the file cannot be created. ``told``: whether events say so."""
        if path in self.recorders:
            return True
        only_bridged = self.value_of("RECORD_BRIDGE_REQ") == "true"

        def audible() -> Audible:
            return *self.audible()[:2], self.bridge is not None or not only_bridged

        try:
            recorder = Recorder(path, self.value_of("RECORD_STEREO") == "true", lambda: self.switch.now_ms, audible)
        except (OSError, ValueError):
            return False
        self.bugs.append(recorder)
        self.switch.recording.add(recorder)
        if told:
            self.event("RECORD_START", {"Record-File-Path": path})
            self.tell_of_bug("START", recorder)
        return True

    def stop_recording(self, path: str) -> bool:
        """False when nothing records there."""
        recorder = self.recorders.get(path)
        if recorder is None:
            return False
        self.bugs.remove(recorder)
        self._finished(recorder)
        self.tell_of_bug("STOP", recorder)
        return True

    def stop_all_recording(self) -> bool:
        """False when nothing records."""
        return any([self.stop_recording(path) for path in list(self.recorders)])  # noqa: C419 - all of them

    def mask(self, path: str, on: bool) -> bool:
        """False when nothing records there."""
        recorder = self.recorders.get(path)
        if recorder is None:
            return False
        recorder.mask(on)
        self.masked.append(("mask" if on else "unmask", path))
        return True

    def move_recorders(self, to: Leg) -> None:
        """As ``recording_follow_transfer`` does: the files go on, on the other leg, without RECORD_ events."""
        for recorder in list(self.recorders.values()):
            recorder.follow(to.audible)
            self.bugs.remove(recorder)
            to.bugs.append(recorder)
            to.tell_of_bug("START", recorder)
            self.tell_of_bug("STOP", recorder)

    def record_message(self, path: str) -> Recorder:
        """As the application ``record``: RECORD_START alone. Raises OSError when the file cannot be created."""
        self.execute("record", path)
        made = Recorder(path, False, lambda: self.switch.now_ms, lambda: (self.audible()[0], frozenset(), True))
        self.messages.append(made)
        self.switch.recording.add(made)
        self.event("RECORD_START", {"Record-File-Path": path})
        return made

    def end_message(self, recorder: Recorder) -> None:
        """The message is complete."""
        self.messages.remove(recorder)
        self._finished(recorder)

    def _finished(self, recorder: Recorder) -> None:
        duration = recorder.finish()
        self.switch.recording.discard(recorder)
        if duration > 0:
            self.recorded[recorder.path] = duration
        cause = "success-silence" if duration > 0 else "empty-file"
        self.variables |= {"record_ms": str(duration), "record_seconds": str(duration // 1000)}
        self.variables |= {"record_samples": str(duration * 8), "record_completion_cause": cause}
        self.event("RECORD_STOP", {"Record-File-Path": recorder.path, "Record-Completion-Cause": cause})

    def tell_of_bug(self, what: str, bug: Recorder | Tap) -> None:
        """MEDIA_BUG_START or MEDIA_BUG_STOP."""
        named = {"Media-Bug-Function": bug.function, "Media-Bug-Target": bug.target}
        self.event(f"MEDIA_BUG_{what}", named)

    def bug_list(self) -> str:
        """What ``uuid_buglist`` prints."""
        return words.bug_list([(bug.function, bug.target) for bug in self.bugs])
