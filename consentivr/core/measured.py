"""What figures count of one call. Nothing of a person: no number, no agent, no channel.

=============== =========================================================================================
``calls``        1
``asked``        1 where the line asks, and nothing was in the way
``yes`` ...      how it came out: yes, no, silence, wrong_key, hangup, fault (not asked, or we failed)
``begun``        the question is known to have sounded
``to_end``       the first putting of the question was heard to its end; else ``cut_short``
``queue``        the caller stayed until the queue; ``agent``: and until somebody answered
``taken_back``   a yes was taken back later; ``late_yes``: given later
``timed``        it is known how long the asking took: ``speech_ms``, ``waiting_ms``, ``repeats_ms``; by bin ``cost``
``began``        by bin: the question began, after the call arrived; ``first``: its first putting was over
``hung``         by bin: hung up in the first putting; ``gone``: in it or before, the switch did not say
``stayed``       by bin: how long nobody answered on a line that does not ask, or the caller stayed; ``left``: hung up
``hour``         by hour of the week (0: Monday at midnight); ``hour_asked``, ``hour_yes``
``incidents``    rows that somebody should look at
``to_prove``     1 where somebody who did not agree talked with an agent; ``proven``: and no recorder was there
``withheld``     a yes that was not recorded after all; ``blind_ms``: nobody watched over what records
=============== =========================================================================================
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Any

from consentivr.core.consent import AnswerOutcome
from consentivr.core.evidence import Row, summarize
from consentivr.core.policy import RecordingMode
from consentivr.core.statistics import Group, Tally, bin_of
from consentivr.core.turn import INCIDENTS, Turn

ENDS = ("yes", "no", "silence", "wrong_key", "hangup", "fault")
"""How a call of a line that asks comes out."""

_ENDS = {
    "consent_key": "yes",
    "objection_key": "no",
    "silence": "silence",
    "wrong_key": "wrong_key",
    "too_early": "wrong_key",
    "hangup": "hangup",
}

_MODES = {mode.value: mode for mode in RecordingMode}

TO_THE_END_MS = 250
"""So much of the question's end may be missing: it is silence."""


@dataclass(frozen=True)
class Kept:
    """What is left of a call in recordings: how many are kept until their term is over, are to be erased now, are held
    for a court, lie in quarantine. ``ended``: the day from which the term counts.
    """

    ended: date
    kept: int = 0
    to_erase: int = 0
    held: int = 0
    quarantined: int = 0


@dataclass(frozen=True)
class Measured:
    """One call, for figures; ``day`` is that of its decision."""

    day: date
    group: Group
    tally: Tally
    kept: Kept | None


def measure(rows: Sequence[Row], zone: tzinfo) -> Measured | None:
    """The rows of one call, in their order; None without a decision."""
    decided = next((row for row in rows if row.turn == Turn.DECISION), None)
    if decided is None:
        return None
    said, at = decided.evidence, decided.at.astimezone(zone)
    mode = _MODES.get(decided.mode)
    tally = Tally(Counter(calls=1))
    hour = at.weekday() * 24 + at.hour
    tally.put("hour", hour)
    turns = Counter(row.turn for row in rows)
    arrived = datetime.fromisoformat(said["arrived_at"]) if said.get("arrived_at") else decided.at
    if mode is not None and mode.asks:
        end = "yes" if said.get("decision") == "given" else _ENDS.get(str(said.get("reason")), "fault")
        tally.counts[end] = 1
        if end != "fault":
            tally.counts["asked"] = 1
            tally.put("hour_asked", hour)
        if end == "yes":
            tally.put("hour_yes", hour)
        tally.counts["queue"] = int(end != "hangup")
        _question(tally, said, arrived, decided.at)
    elif mode is RecordingMode.OFF:
        _unasked(tally, rows, arrived)
    tally.counts["agent"] = int(Turn.AGENT_ANSWERED in turns)
    tally.counts["taken_back"] = int(Turn.WITHDRAWN in turns and said.get("decision") == "given")
    tally.counts["late_yes"] = int(Turn.AGREED_LATE in turns)
    _kept_promises(tally, rows, turns, said, mode)
    # Of a trial nobody shall see how its wordings are answered: its own result tells what there is to tell.
    notice = "" if "trial" in said else said.get("notice") or ""
    group = Group(decided.queue, decided.line, said.get("language") or "", decided.mode, notice)
    return Measured(at.date(), group, tally, _kept(rows, zone))


def _question(tally: Tally, said: Mapping[str, Any], arrived: datetime, decided: datetime) -> None:
    attempts = [a for a in said.get("attempts") or () if a["outcome"] != AnswerOutcome.NOT_ASKED.value]
    answered = [a for a in attempts if a["outcome"] != AnswerOutcome.HUNG_UP.value]
    if said.get("reason") == "hangup" and not answered:
        tally.put("hung" if attempts else "gone", bin_of((decided - arrived).total_seconds()))
    if not attempts:
        return
    tally.counts["begun"] = 1
    changes = [n for n, a in enumerate(attempts) if a["outcome"] == AnswerOutcome.LANGUAGE.value]
    language = attempts[changes[-1] + 1 :] if changes else attempts
    if language:
        _first(tally, language[0], said.get("notice_ms"))
    times = [(_moment(a.get("asked_at")), _moment(a.get("answered_at"))) for a in attempts]
    known = [(asked, over) for asked, over in times if asked is not None and over is not None]
    if len(known) < len(attempts):
        return
    tally.put("began", bin_of((known[0][0] - arrived).total_seconds()))
    if answered:
        tally.put("first", bin_of((known[0][1] - arrived).total_seconds()))
    lengths = [_ms(over - asked) for asked, over in known]
    heard = [min(_heard(a, length), length) for a, length in zip(attempts, lengths, strict=True)]
    total = _ms(known[-1][1] - known[0][0])
    waiting = sum(lengths) - sum(heard)
    tally.counts["timed"] = 1
    tally.put("cost", bin_of(total / 1000))
    tally.counts["speech_ms"] = heard[0]
    tally.counts["waiting_ms"] = waiting
    tally.counts["repeats_ms"] = max(0, total - heard[0] - waiting)


def _first(tally: Tally, attempt: Mapping[str, Any], whole_ms: int | None) -> None:
    heard_ms = attempt.get("heard_ms")
    if attempt["outcome"] == AnswerOutcome.HUNG_UP.value:
        tally.counts["cut_short"] = 1
    elif heard_ms is not None and whole_ms is not None:
        tally.counts["to_end" if heard_ms >= whole_ms - TO_THE_END_MS else "cut_short"] = 1


def _heard(attempt: Mapping[str, Any], length_ms: int) -> int:
    """Who hung up heard all that there was until then."""
    heard_ms = attempt.get("heard_ms")
    return length_ms if heard_ms is None else int(heard_ms)


def _unasked(tally: Tally, rows: Sequence[Row], arrived: datetime) -> None:
    """Until an agent answered, or the caller had enough."""
    for row in rows:
        if row.turn in (Turn.AGENT_ANSWERED, Turn.CALL_ENDED):
            stayed = bin_of((row.at - arrived).total_seconds())
            tally.put("stayed", stayed)
            if row.turn == Turn.CALL_ENDED:
                tally.put("left", stayed)
            return


def _kept_promises(
    tally: Tally, rows: Sequence[Row], turns: Counter[str], said: Mapping[str, Any], mode: RecordingMode | None
) -> None:
    tally.counts["incidents"] = sum(turns[turn] for turn in INCIDENTS)
    tally.counts["withheld"] = int(Turn.RECORDING_WITHHELD in turns)
    no_yes = said.get("decision") != "given" and mode is not RecordingMode.PERMANENT
    if no_yes and Turn.AGENT_ANSWERED in turns:
        seen = [row.evidence.get("recorders") for row in rows if row.turn == Turn.LOOKED_FOR_RECORDERS]
        tally.counts["to_prove"] = 1
        tally.counts["proven"] = int(bool(seen) and not any(recorders != 0 for recorders in seen))
    began = {row.evidence.get("path"): row.at for row in rows if row.turn == Turn.RECORDING_STARTED}
    for row in rows:
        if row.turn == Turn.UNWATCHED:
            until = datetime.fromisoformat(row.evidence["until"])
            since = _moment(row.evidence.get("since")) or min(
                (began[path] for path in row.evidence.get("paths", ()) if path in began), default=until
            )
            tally.counts["blind_ms"] += max(0, _ms(until - since))


def _kept(rows: Sequence[Row], zone: tzinfo) -> Kept | None:
    call = summarize(rows)
    audio = len(call.audio)
    if not audio and not call.held:
        return None
    ended = call.ended_at.astimezone(zone).date()
    away = sum(recording.quarantined is not None for recording in call.audio)
    if call.held:
        return Kept(ended, held=max(audio - away, 1), quarantined=away)
    to_erase = sum(recording.quarantined is None for recording in call.to_erase)
    return Kept(ended, audio - away - to_erase, to_erase, 0, away)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _ms(length: timedelta) -> int:
    return round(length.total_seconds() * 1000)
