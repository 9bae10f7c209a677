"""Calls: the list. One call is in ``call``. No sound is loaded here: looking is not hearing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from flask import Blueprint, g, redirect, request

from consentivr.console.books import Books
from consentivr.console.cut import cut
from consentivr.console.guard import needs
from consentivr.console.seeing import is_shown, sees_agent
from consentivr.console.settings import Settings
from consentivr.console.tables import Table, answer, table_at
from consentivr.core.consent import Reason
from consentivr.core.evidence import CallSummary, summarize
from consentivr.core.roles import Right
from consentivr.core.turn import Turn
from consentivr.ledger import Entry
from consentivr.ledger.listing import Listed, Place, newest
from consentivr.ledger.searching import Searching

ON_A_PAGE = 50
IN_A_FILE = 1000
"""Of CSV; where there are more, the header Link leads on."""

DECISIONS = ("given", "refused", "not_obtained", "withdrawn")
REASONS = tuple(
    reason.value
    for reason in Reason
    if reason not in (Reason.WITHDRAWAL_KEYS, Reason.BY_WORD, Reason.BY_LETTER, Reason.BY_MAIL)
)
"""How a decision may have come about: the others say how one was taken back."""

CHOICES = ("queue", "line", "language", "decision", "reason", "wording")
MARKS = ("held", "masked", "unsealed")

ON_THE_PAGE = ("at", "queue", "line", "language", "decision", "reason", "recording", "marks")
IN_FILES = (
    *("call", "at", "queue", "line", "language", "decision", "reason", "wording"),
    *("recordings", "held", "masked", "unsealed", "caller", "agent"),
)


@dataclass(frozen=True)
class Asked:
    """What the address asks for; ``wrong`` has the words for what it cannot mean, by filter."""

    wanted: Listed
    after: Place | None
    wrong: Mapping[str, str]


def blueprint(settings: Settings, books: Books) -> Blueprint:
    """The pages of it."""
    pages = Blueprint("calls", __name__)
    zone = ZoneInfo(settings.time_zone)

    @table_at(pages, "/calls")
    @needs(Right.SEE_CALLS)
    def listed(form: str) -> Any:
        account = g.session.account
        if form == "html" and "" in request.args.values():  # a form sends also what nobody chose
            return redirect(f"{request.path}?{urlencode({name: said for name, said in request.args.items() if said})}")
        asked = read(request.args, zone)
        calls: list[dict[str, Any]] = []
        following: Place | None = None
        with books.reading() as book:
            if not asked.wrong:
                limit = IN_A_FILE if form == "csv" else ON_A_PAGE
                names, following = newest(book, asked.wanted, account.scope, limit, asked.after)
                calls = [_row_or_alarm(rows) for rows in book.rows_of_visits(names)]
            wordings = list(_wordings(book)) if form == "html" else []
            missing = cut(book, settings.chain)
        table = Table(
            ON_THE_PAGE if form == "html" else IN_FILES,
            calls,
            {"after": f"{following.at}_{following.position}"} if following else None,
        )
        queues = settings.queues if account.scope.everything or account.agent else sorted(account.scope.queues)
        choices = {
            "queue": queues,
            "line": settings.lines,
            "language": sorted({language for _, language, _ in wordings}),
            "decision": DECISIONS,
            "reason": REASONS,
            "wording": [digest for digest, _, _ in wordings],
        }
        response = answer(
            form,
            table,
            "calls.html",
            choices={name: _with_chosen(values, name) for name, values in choices.items()},
            marks=MARKS,
            wordings={digest: (language, text) for digest, language, text in wordings},
            wrong=asked.wrong,
            cut=missing,
            file_rows=IN_A_FILE,
            is_filtered=any(value for name, value in request.args.items() if name != "after"),
        )
        return (response, 400) if asked.wrong else response

    return pages


def _with_chosen(values: Sequence[str], name: str) -> Sequence[str]:
    """Also what the address names, and the configuration does not any more."""
    chosen = request.args.get(name, "")
    return [*values, chosen] if chosen and chosen not in values else values


def _wordings(book: Searching) -> Iterator[tuple[str, str, str]]:
    for digest, notice in sorted(book.notices().items(), key=lambda one: (one[1].language, one[1].text)):
        yield digest, notice.language, notice.text


# --- what an address asks for ----------------------------------------------------------------

_PLACE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00)_(\d{1,18})")


def read(said: Mapping[str, str], zone: ZoneInfo) -> Asked:
    """The filters in an address; times without a zone are the console's."""
    wrong: dict[str, str] = {}

    def moment(name: str, whole_day: timedelta) -> datetime | None:
        text = said.get(name, "").strip()
        if not text:
            return None
        try:
            day = date.fromisoformat(text)
            return datetime(day.year, day.month, day.day, tzinfo=zone) + whole_day
        except (ValueError, OverflowError):
            pass
        try:
            found = datetime.fromisoformat(text)
            return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(zone)
        except (ValueError, OverflowError):
            wrong[name] = "calls.wrong_time"
            return None

    since, until = moment("from", timedelta(0)), moment("to", timedelta(days=1))
    if since is not None and until is not None and since >= until:
        wrong["to"] = "calls.wrong_order"
    chosen: dict[str, Any] = {name: said.get(name) or None for name in CHOICES}
    if chosen["decision"] not in (None, *DECISIONS):
        wrong["decision"] = "calls.wrong_choice"
    marks: dict[str, Any] = {name: said.get(name, "") not in ("", "0", "no", "false") for name in MARKS}
    after = said.get("after", "")
    place = _PLACE.fullmatch(after)
    if after and not place:
        wrong["after"] = "calls.wrong_after"
    wanted = Listed(since=since, until=until, notice=chosen.pop("wording"), **chosen, **marks)
    return Asked(wanted, Place(place[1], int(place[2])) if place else None, wrong)


# --- what a row of the list says -------------------------------------------------------------


UNREADABLE = (AttributeError, KeyError, TypeError, ValueError)
"""What comes of a row that is not as any of ours: somebody changed it."""


def _row_or_alarm(rows: Sequence[Entry]) -> dict[str, Any]:
    """One call that was tampered with hides no other."""
    try:
        return as_row(rows)
    except UNREADABLE:
        first = rows[0]
        known = {"call": first.call, "at": first.at, "queue": first.queue, "line": first.line, "marks": ()}
        return dict.fromkeys((*ON_THE_PAGE, *IN_FILES)) | known | {"decision": "calls.unreadable", "recording": "none"}


def as_row(rows: Sequence[Entry]) -> dict[str, Any]:
    """A call as a row of the list: names and numbers only where they were asked for."""
    call = summarize(rows)
    said: Mapping[str, Any] = next((row.evidence for row in rows if row.turn == Turn.DECISION), {})
    return {
        "call": call.call,
        "at": call.started_at,
        "queue": call.queue,
        "line": call.line,
        "language": said.get("language"),
        "decision": call.decision,
        "reason": call.reason,
        "wording": call.notice,
        "recordings": len(call.audio),
        "recording": recorded(call),
        "recorded_s": round(sum(one.duration_ms or 0 for one in call.audio) / 1000),
        "marks": [name for name, is_so in marks_of(call).items() if is_so],
        **marks_of(call),
        "caller": _unless(is_shown(call), call.caller_id_number),
        "agent": _unless(sees_agent(call, call.agent), call.agent),
    }


def _unless(is_seen: bool, name: str | None) -> str | None:
    return name if is_seen or name is None else "hidden"


def recorded(call: CallSummary) -> str:
    """What there is of sound: 'there', 'under_way', 'erased' or 'none'."""
    if any(not (one.stopped or one.sealed) for one in call.audio) and call.hangup_cause is None:
        return "under_way"
    return "there" if call.audio else "erased" if call.recordings else "none"


def marks_of(call: CallSummary) -> dict[str, bool]:
    """What is said of a call beside its decision, as the list is filtered by."""
    missing = any(one.permitted and one.sha256 is None for one in call.audio)
    return {"held": call.held, "masked": bool(call.masked), "unsealed": missing}
