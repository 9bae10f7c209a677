"""Listening: asked for by one, decided by another, played with a row before the first byte; and who heard me."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, abort, g, make_response, redirect, render_template, request
from werkzeug.datastructures import Range
from werkzeug.wrappers import Response as AnyResponse

from consentivr.console import access
from consentivr.console.books import Books
from consentivr.console.guard import needs
from consentivr.console.players import Player, Players
from consentivr.console.seeing import sees
from consentivr.console.settings import Settings
from consentivr.console.tables import Table, answer, table_at
from consentivr.core.evidence import CallSummary, Recording, summarize
from consentivr.core.listening import (
    BEGUN_WITHIN,
    DECIDED_WITHIN,
    OPEN_FOR,
    Listening,
    Silence,
    State,
    listenings,
    may_be_played,
    silences,
)
from consentivr.core.roles import Account, Right, Scope
from consentivr.core.turn import Turn
from consentivr.custody.checking import Differs
from consentivr.ledger import NO_CALLS, CallRef, Entry
from consentivr.ledger import listening as found
from consentivr.ledger.entry import as_text, now
from consentivr.ledger.searching import Searching
from consentivr.recordings import Elsewhere
from consentivr.recordings.compared import Compared, NotAsSealed
from consentivr.recordings.peaks import PARTS, Peaks, peaks

ON_A_PAGE = 50

LONGEST_REASON = 500
"""Characters."""

AT_A_TIME = 1 << 20
"""Not more bytes of a part that a browser asks for are sent in one answer, so that it does not run far ahead of what is
heard, and its ticket is looked at again (RFC 9110, 15.3.7: a part may be answered in part).
"""

HEIGHT = 100
"""Of a track's drawing; its width is ``PARTS``."""

KINDS = {"WAV": "audio/wav", "OGG": "audio/ogg", "FLAC": "audio/flac", "MPEG": "audio/mpeg"}
"""What libsndfile calls them, and browsers."""


@dataclass(frozen=True)
class Case:
    """A request with the call that it is about."""

    rows: Sequence[Entry]
    call: CallSummary
    one: Listening

    @property
    def state(self) -> State:
        return self.one.state(now())

    def is_of(self, account: Account, right: Right) -> bool:
        """Whether the call is one of those of which this account has that right."""
        return account.may(right) and sees(account.scope_of(right), self.call, self.rows)

    def may_be_seen(self, account: Account) -> bool:
        return self.one.by == account.name or self.is_of(account, Right.APPROVE_LISTENING)

    def is_own(self, account: Account) -> bool:
        """Whether it was the same person who asked."""
        return not self.one.persons.isdisjoint(account.persons)

    def may_be_decided(self, account: Account) -> bool:
        """By a second person, never by who asked, with whichever account."""
        is_open = self.state is State.REQUESTED and not self.is_own(account)
        return is_open and self.is_of(account, Right.APPROVE_LISTENING)

    def may_be_heard(self, account: Account) -> bool:
        """By who asked, alone."""
        return self.one.by == account.name and self.one.may_be_heard(now()) and self.is_of(account, Right.ASK_TO_LISTEN)

    @property
    def is_unseen(self) -> bool:
        """Broken glass, and nobody of the works council said to have seen it."""
        return self.one.broken and self.one.seen_by is None

    @property
    def offered(self) -> list[tuple[int, Recording]]:
        """The recordings that may be played, each with its number in the call, which stays."""
        return _offered(self.call)


def blueprint(settings: Settings, books: Books) -> Blueprint:
    """The pages of it."""
    pages = Blueprint("listening", __name__)
    players = Players(books)

    # --- what there is ---------------------------------------------------------------------------

    @table_at(pages, "/listening")
    @needs(Right.SEE_CALLS)
    def listed(form: str) -> Any:
        account: Account = g.session.account
        scope = account.scope_of(Right.APPROVE_LISTENING)
        with books.reading() as book:
            page = found.requests(book, ON_A_PAGE + 1, before=_before(), by=account.name, scope=scope)
            cases = _cases(book, page[:ON_A_PAGE])
            more: dict[str, Any] = {}
            if form == "html":
                waiting = _cases(book, found.undecided(book, now() - DECIDED_WITHIN)) if scope != Scope() else []
                mine = _cases(book, found.requests(book, ON_A_PAGE, by=account.name, scope=Scope()))
                everything = scope.everything
                more = {
                    "to_decide": [case for case in waiting if case.may_be_decided(account)],
                    "to_hear": [case for case in mine if case.may_be_heard(account)],
                    "unseen": _cases(book, found.unseen(book)) if everything else [],
                    "objections": _cases(book, found.objections(book, ON_A_PAGE)) if everything else [],
                }
        rows = [
            {
                "at": case.one.at,
                "request": case.one.request,
                "call": case.call.call,
                "queue": case.call.queue,
                "purpose": case.one.purpose,
                "by": case.one.by,
                "second": case.one.decided_by,
                "broken": case.one.broken,
                "state": case.state.value,
                "heard_s": _heard_s(case.one),
            }
            for case in cases
            if case.may_be_seen(account)
        ]
        following = {"before": str(page[ON_A_PAGE - 1].position)} if len(page) > ON_A_PAGE else None
        columns = ("at", "request", "call", "queue", "purpose", "by", "second", "state", "heard_s")
        return answer(form, Table(columns, rows, following), "listening.html", **more)

    # --- asking ----------------------------------------------------------------------------------

    @pages.get("/listening/ask")
    @needs(Right.ASK_TO_LISTEN)
    def form() -> str:
        return _form(_call_of(request.args.get("call", "")))

    @pages.post("/listening")
    @needs(Right.ASK_TO_LISTEN)
    def ask() -> AnyResponse:
        rows = _call_of(request.form.get("call", ""))
        purpose = request.form.get("purpose", "")
        if purpose not in settings.purposes:
            return make_response(_form(rows, wrong="purpose"), 400)
        if not _there(summarize(rows)):
            return make_response(_form(rows), 409)
        return redirect(f"/listening/{_asked(rows, Turn.LISTENING_REQUESTED, purpose=purpose)}", 303)

    @pages.post("/listening/break")
    @needs(Right.BREAK_GLASS, again=True)
    def break_glass() -> AnyResponse:
        rows = _call_of(request.form.get("call", ""))
        purpose, why = request.form.get("purpose", ""), _reason()
        if purpose not in settings.purposes:
            return make_response(_form(rows, wrong="glass_purpose"), 400)
        if not why:
            return make_response(_form(rows, wrong="why"), 400)
        if not _there(summarize(rows)):
            return make_response(_form(rows), 409)
        said = {"purpose": purpose, "why": why, "until": as_text(now() + OPEN_FOR)}
        return redirect(f"/listening/{_asked(rows, Turn.GLASS_BROKEN, **said)}", 303)

    def _asked(rows: Sequence[Entry], turn: Turn, **said: Any) -> str:
        """The request, noted; one that is open already is not made again."""
        account: Account = g.session.account
        with books.writing() as book:
            for one in listenings(_rows_of(book, rows[0].call)):
                is_same = one.by == account.name and one.broken == (turn is Turn.GLASS_BROKEN)
                if is_same and one.state(now()) in (State.REQUESTED, State.APPROVED, State.OPEN):
                    return one.request
            name = str(uuid.uuid4())
            row = access.row(account, turn, CallRef.of(summarize(rows)), request=name, **said)
            book.append([found.named(row, turn, name)])
        return name

    def _form(rows: Sequence[Entry], wrong: str = "") -> str:
        call = summarize(rows)
        return render_template(
            "listening_ask.html", call=call, there=_there(call), purposes=settings.purposes, wrong=wrong
        )

    def _there(call: CallSummary) -> bool:
        return any(_is_there(settings, recording) for _, recording in _offered(call))

    def _call_of(name: str) -> Sequence[Entry]:
        """The rows of a call that this one may ask to hear; else there is none."""
        scope = g.session.account.scope_of(Right.ASK_TO_LISTEN)
        with books.reading() as book:
            rows = _rows_of(book, name)
        if not rows:
            abort(404)
        if not sees(scope, summarize(rows), rows):
            abort(404)
        return rows

    # --- one request -----------------------------------------------------------------------------

    @pages.get("/listening/<uuid:name>")
    @needs(Right.SEE_CALLS)
    def one(name: uuid.UUID) -> str:
        return _page(_seen(name))

    @pages.post("/listening/<uuid:name>/decide")
    @needs(Right.APPROVE_LISTENING, again=True)
    def decide(name: uuid.UUID) -> AnyResponse:
        approved = {"yes": True, "no": False}.get(request.form.get("approved", ""))
        case = _seen(name)
        if approved is None:
            return make_response(_page(case, wrong="approved"), 400)
        if case.is_own(g.session.account):
            abort(403, "oneself")
        with books.writing() as book:
            case = _case_in(book, str(name)) or case
            if not case.may_be_decided(g.session.account):
                return make_response(_page(case, alert="already_decided"), 409)
            said = {"until": as_text(now() + BEGUN_WITHIN)} if approved else {}
            about, turn = CallRef.of(case.call), Turn.LISTENING_DECIDED
            row = access.row(g.session.account, turn, about, request=case.one.request, approved=approved, **said)
            book.append([found.named(row, turn, case.one.request)])
        return redirect(f"/listening/{name}", 303)

    @pages.post("/listening/<uuid:name>/seen")
    @needs(Right.SEE_GLASS_BROKEN)
    def seen(name: uuid.UUID) -> AnyResponse:
        case = _seen(name)
        if case.is_own(g.session.account):
            abort(403, "oneself")
        if case.is_unseen:
            access.note(books, Turn.GLASS_SEEN, CallRef.of(case.call), request=case.one.request)
        return redirect("/listening", 303)

    def _seen(name: uuid.UUID) -> Case:
        """What this one may see; else there is none."""
        with books.reading() as book:
            case = _case_in(book, str(name))
        if case is None or not case.may_be_seen(g.session.account):
            abort(404)
        return case

    def _page(case: Case, alert: str = "", wrong: str = "", path: str = "") -> str:
        account: Account = g.session.account
        here = [(number, recording, _is_there(settings, recording)) for number, recording in case.offered]
        return render_template(
            "listening_one.html",
            case=case,
            recordings=here,
            decides=case.may_be_decided(account),
            hears=case.may_be_heard(account),
            is_mine=case.is_own(account),
            alert=alert,
            wrong=wrong,
            differs=path,
        )

    # --- playing ---------------------------------------------------------------------------------

    @pages.post("/listening/<uuid:name>/<int:number>")
    @needs(Right.ASK_TO_LISTEN, again=True)
    def play(name: uuid.UUID, number: int) -> AnyResponse:
        """Open the player: a row, and then there is an address of the sound."""
        case, recording = _hearable(name, number)
        call = case.call
        try:
            sound = Compared(settings.places.file_of(recording.path), recording.sha256 or "")
        except (FileNotFoundError, Elsewhere):
            return _differs(case, recording, "missing")
        except NotAsSealed:
            return _differs(case, recording, "replaced")
        except OSError:
            return make_response(_page(case, alert="unreadable"), 409)
        try:
            wave = peaks(sound.as_file())
            said = {"sha256": recording.sha256, "purpose": case.one.purpose, "agent": call.agent}
            said |= {"second": case.one.decided_by, "playing": str(uuid.uuid4()), "path": recording.path}
            access.note(books, Turn.RECORDING_PLAYED, CallRef.of(call), request=case.one.request, **said)
        except OSError:
            sound.close()
            return make_response(_page(case, alert="unreadable"), 409)
        except BaseException:
            sound.close()
            raise
        until = case.one.open_until or now() + OPEN_FOR
        about, playing = CallRef.of(call), str(said["playing"])
        players.begin(Player(playing, g.session, case.one.request, number, about, recording.path, sound, wave, until))
        return redirect(f"/listening/{name}/{number}", 303)

    @pages.get("/listening/<uuid:name>/<int:number>")
    @needs(Right.ASK_TO_LISTEN)
    def player(name: uuid.UUID, number: int) -> AnyResponse:
        case, recording = _hearable(name, number)
        open_one = players.of(g.session, case.one.request, number)
        if open_one is None:
            return redirect(f"/listening/{name}", 303)
        wave = open_one.wave
        return make_response(
            render_template(
                "listening_player.html",
                case=case,
                number=number,
                recording=recording,
                duration_s=wave.duration_s,
                tracks=_tracks(wave),
                silences=_spans(silences(case.rows, recording.path), wave.duration_s),
                width=PARTS,
                height=HEIGHT,
            )
        )

    @pages.get("/listening/<uuid:name>/<int:number>.wav")
    @needs(Right.ASK_TO_LISTEN)
    def sound(name: uuid.UUID, number: int) -> Response:
        """The sound, or a part of it, for whoever has the player open. Each answer looks at the ticket anew."""
        open_one = players.of(g.session, str(name), number)
        if open_one is None:
            abort(404)
        return _bytes_of(open_one, _piece)

    def _piece(player: Player, start: int, stop: int) -> bytes:
        if not _is_still_open(player):
            players.end(player)
            abort(404)
        try:
            return player.read(start, stop)
        except ValueError:
            abort(404)  # closed meanwhile
        except NotAsSealed:
            players.end(player)
            books.append([Differs(player.about, player.path, "replaced").row()])
            abort(409)

    @pages.post("/listening/<uuid:name>/<int:number>/heard")
    @needs(Right.ASK_TO_LISTEN)
    def heard(name: uuid.UUID, number: int) -> AnyResponse:
        """The browser closed the player, and says how many seconds of the recording were heard in it."""
        open_one = players.of(g.session, str(name), number)
        try:
            seconds = float(request.form.get("heard_s", ""))
        except ValueError:
            abort(400)
        if open_one is not None and 0 <= seconds < float("inf"):
            players.end(open_one, seconds)
        return make_response("", 204)

    def _hearable(name: uuid.UUID, number: int) -> tuple[Case, Recording]:
        """What this one may hear now; else there is none."""
        with books.reading() as book:
            case = _case_in(book, str(name))
        if case is None or not case.may_be_heard(g.session.account):
            abort(404)
        recording = dict(case.offered).get(number)
        if recording is None:
            abort(404)
        return case, recording

    def _is_still_open(player: Player) -> bool:
        with books.reading() as book:
            case = _case_in(book, player.request, player.about)
        if case is None or not case.may_be_heard(player.session.account):
            return False
        recording = dict(case.offered).get(player.number)
        return recording is not None and recording.path == player.path

    def _differs(case: Case, recording: Recording, why: str) -> AnyResponse:
        """It is not played as if it were evidence, and the ledger knows."""
        if why not in recording.differs:
            books.append([Differs(CallRef.of(case.call), recording.path, why).row()])
        return make_response(_page(case, alert=why, path=recording.path), 409)

    # --- who heard me ----------------------------------------------------------------------------

    @table_at(pages, "/listening/me")
    @needs(Right.SEE_WHO_HEARD_ME)
    def me(form: str) -> Any:
        account: Account = g.session.account
        with books.reading() as book:
            page = found.played_of(book, account.agent or "", ON_A_PAGE + 1, _before())
            cases = {case.one.request: case for case in _cases(book, page)}
        rows = []
        for place in page[:ON_A_PAGE]:
            case = cases[place.request]
            for one in case.one.playings:
                if one.playing == place.playing:
                    said = {
                        "played_at": one.at,
                        "by": one.by,
                        "role": one.role,
                        "purpose": one.purpose,
                        "second": one.second,
                    }
                    said |= {"heard_s": one.heard_s, "counted_by": one.counted_by, "call": case.call.call}
                    objected = any(objection.by == account.name for objection in case.one.objections)
                    rows.append({**said, "objected": objected, "request": place.request})
        following = {"before": str(page[ON_A_PAGE - 1].position)} if len(page) > ON_A_PAGE else None
        columns = ("played_at", "by", "role", "purpose", "second", "heard_s", "counted_by", "call", "objected")
        return answer(form, Table(columns, rows, following), "listening_me.html")

    @pages.get("/listening/<uuid:name>/object")
    @needs(Right.SEE_WHO_HEARD_ME)
    def objection(name: uuid.UUID) -> str:
        return render_template("listening_object.html", case=_heard_me(name), wrong=False)

    @pages.post("/listening/<uuid:name>/object")
    @needs(Right.SEE_WHO_HEARD_ME)
    def object_to(name: uuid.UUID) -> AnyResponse:
        case, why = _heard_me(name), _reason()
        if not why:
            return make_response(render_template("listening_object.html", case=case, wrong=True), 400)
        if not any(one.by == g.session.account.name for one in case.one.objections):
            access.note(books, Turn.OBJECTED, CallRef.of(case.call), request=case.one.request, why=why)
        return redirect("/listening/me", 303)

    def _heard_me(name: uuid.UUID) -> Case:
        with books.reading() as book:
            case = _case_in(book, str(name))
        own = Scope(agent=g.session.account.agent)
        if case is None or not case.one.playings or not sees(own, case.call, case.rows):
            abort(404)
        return case

    return pages


def glass_broken(books: Books) -> int:
    """How often the glass was broken and nobody of the works council has seen it. Raises LedgerError."""
    with books.reading() as book:
        return len(found.unseen(book))


def _rows_of(book: Searching, call: str) -> Sequence[Entry]:
    return () if call in NO_CALLS else next(book.rows_of_visits([call]), ())


def _cases(book: Searching, places: Iterable[found.Found]) -> list[Case]:
    """In their order, each once."""
    wanted = {place.request: place.call for place in places}
    cases: dict[str, Case] = {}
    for rows in book.rows_of_visits(list(dict.fromkeys(wanted.values()))):
        call = summarize(rows)
        cases |= {one.request: Case(rows, call, one) for one in listenings(rows)}
    return [cases[name] for name in wanted if name in cases]


def _case_in(book: Searching, name: str, about: CallRef | None = None) -> Case | None:
    call = (about.visit or about.channel_uuid) if about is not None else found.call_of(book, name)
    cases = _cases(book, [found.Found(0, call, name)]) if call is not None else []
    return cases[0] if cases else None


def _offered(call: CallSummary) -> list[tuple[int, Recording]]:
    return [(number, one) for number, one in enumerate(call.recordings, 1) if may_be_played(call, one)]


def _is_there(settings: Settings, recording: Recording) -> bool:
    try:
        return settings.places.file_of(recording.path).is_file()
    except (Elsewhere, OSError):
        return False


def _heard_s(one: Listening) -> float | None:
    known = [playing.heard_s for playing in one.playings if playing.heard_s is not None]
    return round(sum(known), 1) if known else None


def _before() -> int | None:
    try:
        return int(request.args["before"])
    except (KeyError, ValueError):
        return None


def _reason() -> str:
    return request.form.get("why", "").strip()[:LONGEST_REASON]


def _bytes_of(player: Player, piece: Callable[[Player, int, int], bytes]) -> Response:
    """The whole, or the one part that is asked for (RFC 9110, 14.2: several may be answered with the whole)."""
    size, tag = player.sound.size, player.name
    part = request.range
    if request.headers.get("If-Range") is not None and request.if_range.etag != tag:
        part = None
    headers = {"Accept-Ranges": "bytes", "ETag": f'"{tag}"'}
    kind = KINDS.get(player.wave.kind, "application/octet-stream")
    if part is None or part.units != "bytes" or len(part.ranges) != 1:
        headers["Content-Length"] = str(size)
        pieces = (piece(player, start, min(size, start + AT_A_TIME)) for start in range(0, size, AT_A_TIME))
        first = next(pieces, b"")  # what goes wrong with it is still an answer of its own
        return Response(itertools.chain([first], pieces), 200, headers, content_type=kind)
    begin, end = part.ranges[0]
    begin = max(begin, -size)  # RFC 9110, 14.1.2: the last n of fewer bytes are all
    span = Range("bytes", [(begin, end)]).range_for_length(size)
    if span is None:
        return Response("", 416, headers | {"Content-Range": f"bytes */{size}"})
    start, stop = span[0], min(span[1], span[0] + AT_A_TIME)
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    return Response(piece(player, start, stop), 206, headers, content_type=kind)


def _tracks(wave: Peaks) -> list[str]:
    """Each track's outline, as the path of a drawing ``PARTS`` wide and ``HEIGHT`` high."""
    drawn = []
    for track in wave.tracks:
        step = PARTS / max(1, len(track))
        xs = [round((place + 0.5) * step, 1) for place in range(len(track))]
        up = [f"{x} {round(HEIGHT / 2 * (1 - peak), 1)}" for x, peak in zip(xs, track, strict=True)]
        down = [f"{x} {round(HEIGHT / 2 * (1 + peak), 1)}" for x, peak in zip(xs, track, strict=True)]
        drawn.append("M" + "L".join([*up, *reversed(down)]) + "Z" if track else "")
    return drawn


@dataclass(frozen=True)
class Span:
    """Of silence, in seconds, and where it is drawn."""

    since_s: float
    until_s: float
    why: str
    x: float
    width: float


def _spans(silent: Sequence[Silence], duration_s: float) -> list[Span]:
    spans = []
    for one in silent:
        until = duration_s if one.until_s is None else min(one.until_s, duration_s)
        if one.since_s < until:
            scale = PARTS / duration_s
            x, width = round(one.since_s * scale, 1), round((until - one.since_s) * scale, 1)
            spans.append(Span(one.since_s, until, one.why, x, width))
    return spans
