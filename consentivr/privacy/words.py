"""Words that the pages share, in each language; sentences are in the pages themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """Of one language."""

    missing: str
    made: str
    one_day: str
    many_days: str
    modes: Mapping[str, str]
    wishes: Mapping[str, str]
    turns: Mapping[str, str]

    def days(self, number: int) -> str:
        """A term."""
        return self.one_day if number == 1 else self.many_days.format(number)


LANGUAGES = {
    "de": Words(
        missing="FEHLT",
        made="Erstellt aus der Konfiguration von consentivr {version} am {at:%d.%m.%Y, %H:%M} UTC",
        one_day="1 Tag",
        many_days="{} Tage",
        modes={
            "off": "Es wird nicht aufgezeichnet.",
            "caller_opt_in": "Aufgezeichnet wird nur nach einem ausdrücklichen Ja.",
            "permanent_opt_out": "Aufgezeichnet wird nur nach einem ausdrücklichen Ja; ohne Ja macht eine Sperre am "
            "Gespräch jede Aufzeichnung unmöglich.",
            "permanent": "Jedes Gespräch wird aufgezeichnet, weil ein Gesetz es verlangt; der Anrufer wird informiert.",
            "every_nth": "Von den Gesprächen mit ausdrücklichem Ja wird eine Stichprobe aufgezeichnet.",
            "manual": "Nach einem ausdrücklichen Ja, wenn der Mitarbeiter die Aufzeichnung startet.",
        },
        wishes={
            "start": "Aufzeichnung starten",
            "stop": "Aufzeichnung beenden",
            "pause": "unterbrechen",
            "resume": "fortsetzen",
            "withdraw": "mündlichen Widerruf des Anrufers eintragen",
        },
        turns={
            "forbidden_recording": "Aufzeichnung ohne Erlaubnis, angehalten",
            "command_failed": "Die Telefonanlage hat einen wichtigen Befehl nicht ausgeführt",
            "tapped": "Mithören bei einem Gespräch ohne Einwilligung",
            "quarantined": "Unerklärte Datei in Quarantäne gelegt",
            "unwatched": "Zeitspanne ohne Überwachung, aus der Aufnahme entfernt",
            "recording_differs": "Aufnahme verloren, ersetzt, leer oder nicht so lang wie das Gespräch",
        },
    ),
    "en": Words(
        missing="MISSING",
        made="Made from the configuration of consentivr {version} on {at:%d %B %Y, %H:%M} UTC",
        one_day="1 day",
        many_days="{} days",
        modes={
            "off": "Nothing is recorded.",
            "caller_opt_in": "Recorded only after an express yes.",
            "permanent_opt_out": "Recorded only after an express yes; without one a block on the call makes any "
            "recording impossible.",
            "permanent": "Every call is recorded because a statute demands it; the caller is told.",
            "every_nth": "A sample of the calls with an express yes is recorded.",
            "manual": "After an express yes, when the agent starts the recording.",
        },
        wishes={
            "start": "start recording",
            "stop": "stop recording",
            "pause": "pause",
            "resume": "resume",
            "withdraw": "enter a withdrawal that the caller spoke",
        },
        turns={
            "forbidden_recording": "A recording without permission, stopped",
            "command_failed": "The switch did not carry out a command that matters",
            "tapped": "Somebody listened to a call without consent",
            "quarantined": "A file that nothing explains was put into quarantine",
            "unwatched": "A span that nobody watched, taken out of the recording",
            "recording_differs": "A recording was lost, replaced, empty, or not as long as the talk",
        },
    ),
}
