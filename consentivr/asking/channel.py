"""What we need of the channel that the switch hands over; the rest of its 160 headers is let go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timezone

from consentivr.asking.languages import Chosen, chosen
from consentivr.asking.line import Line
from consentivr.core.consent import LanguageBy, Notice
from consentivr.core.policy import Announcement, RecordingMode
from consentivr.esl.errors import RemoteProtocolError
from consentivr.prompts import Spoken
from consentivr.recordings import is_channel_uuid, recording_path
from consentivr.switch import LANGUAGE, caller_id_number


@dataclass(frozen=True)
class Channel:
    """A caller's leg at its arrival on a line."""

    uuid: str
    visit: str
    line: Line
    """In the language that is spoken now."""
    base: Line
    """In the line's own language."""
    chosen: Chosen
    rate: int
    """Of its sounds, in Hz."""
    caller_id_number: str | None
    """None when it is withheld."""
    switch: str
    core: str
    exports: str
    """``cc_export_vars`` as somebody else set it."""
    terminators: str
    """``playback_terminators``, likewise."""
    arrived_at: str
    day: date

    @classmethod
    def of(cls, headers: Mapping[str, str], lines: Mapping[str, Line], visit: str) -> Channel:
        """Read what ``connect`` answered. Raises RemoteProtocolError when it is no call on one of our lines."""
        uuid = headers.get("Unique-ID", "")
        if not is_channel_uuid(uuid):
            raise RemoteProtocolError("the channel has no valid UUID")
        line = lines.get(headers.get("Caller-Destination-Number", ""))
        if line is None:
            raise RemoteProtocolError("no line has this destination number: render and reload the dialplan")
        line = line.asking(uuid)
        rate = headers.get("Channel-Read-Codec-Rate", "")
        number = caller_id_number(headers)
        language = chosen(line.language, line.spoken, line.languages, headers.get(f"variable_{LANGUAGE}", ""), number)
        now = datetime.now(timezone.utc)
        return cls(
            uuid=uuid,
            visit=visit,
            line=line.speaking(language.language) or line,
            base=line,
            chosen=language,
            rate=int(rate) if rate.isascii() and rate.isdigit() and len(rate) < 7 else 8000,
            caller_id_number=number,
            switch=_word(headers.get("FreeSWITCH-Switchname", "")),
            core=_word(headers.get("Core-UUID", "")),
            exports=_names(headers.get("variable_cc_export_vars", "")),
            terminators=_word(headers.get("variable_playback_terminators", "")),
            arrived_at=now.isoformat(timespec="milliseconds"),
            day=now.date(),
        )

    @property
    def sounds(self) -> Mapping[Announcement, Spoken]:
        """In the language that is spoken now."""
        return self.line.sounds_at(self.rate)

    @property
    def offers(self) -> Mapping[str, str]:
        """The language that each key chooses; none where nothing is said, or where the language was known before."""
        if self.line.policy.mode is RecordingMode.OFF or self.chosen.by is LanguageBy.VARIABLE:
            return {}
        keys = self.base.languages.keys
        return {key: language for key, language in keys.items() if language in self.base.spoken - {self.line.language}}

    def speaking(self, language: str) -> Channel:
        """The same channel, whose caller chose another language by key."""
        line = self.base.speaking(language) or self.line
        return replace(self, line=line, chosen=Chosen(line.language, LanguageBy.KEY))

    @property
    def mode(self) -> str:
        """The recording mode of its queue."""
        return self.line.policy.mode.value

    @property
    def notice(self) -> Notice | None:
        """The wording that this caller is asked or told with."""
        asks = self.line.policy.mode.asks
        sound = self.sounds.get(Announcement.QUESTION if asks else Announcement.TOLD)
        if sound is None:
            return None
        said = sound.notice.digest, sound.duration_ms, sound.language
        return Notice(*said, self.chosen.by, self.chosen.wanted, self.line.on_trial)

    @property
    def recording_path(self) -> str:
        """Of the visit's first recording; the day is that of its arrival."""
        return recording_path(self.line.recordings_folder, self.visit, self.day)


def _word(text: str) -> str:
    """Something that the switch says of itself, as long as it is a plain word."""
    return text if len(text) <= 80 and text.isascii() and text.isprintable() and not set(" |'\"$") & set(text) else ""


def _names(text: str) -> str:
    return text if len(text) <= 500 and all(name.replace("_", "").isalnum() for name in text.split(",")) else ""
