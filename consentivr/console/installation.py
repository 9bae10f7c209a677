"""Installation: how it is set up, and whether that is well. Administrators run checks; officer and council read."""

from __future__ import annotations

import hashlib
import io
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from flask import Blueprint, abort, g, redirect, render_template, request, send_file
from werkzeug.wrappers import Response as AnyResponse

from consentivr.console import access
from consentivr.console.accounts import Accounts
from consentivr.console.books import Books
from consentivr.console.guard import needs
from consentivr.console.looking import Look, Looking
from consentivr.console.settings import Installation, Settings, Value
from consentivr.console.tables import Table, answer, table_at
from consentivr.console.today import checked
from consentivr.console.verifying import Verifying
from consentivr.console.wholeness import wholeness
from consentivr.core.roles import Right
from consentivr.core.turn import Turn
from consentivr.ledger import Entry, Search
from consentivr.ledger.looks import looks

PAGES = ("checks", "history", "configuration", "wordings", "checkpoints", "register", "accounts")
SHOWN_S = 900
"""So long agents' names are shown to whoever said why."""

REGISTER = "register"
"""In ``Session.shown``: the register's names."""

LONGEST_REASON = 300
LOOKS_ON_A_PAGE, LOOKS_IN_A_FILE = 50, 2_000
CHECKPOINTS = 200
"""So many of the newest are listed."""


def blueprint(
    settings: Settings, books: Books, accounts: Accounts, verifying: Verifying, looking: Looking
) -> Blueprint:
    """The pages of it."""
    pages = Blueprint("installation", __name__)
    there = settings.installation

    @pages.get("/installation")
    @needs(Right.SEE_INSTALLATION)
    def overview() -> Any:
        with books.reading() as book:
            whole = wholeness(book, settings.chain, verifying)
            rows = checked(book)
        counts = _counts(looking.here.findings) if looking.here else {}
        differs, wrong = changes(there)
        seen = settings.desk.look() if settings.desk is not None else None
        looked = (seen.looked if seen is not None else None) or {}
        switches = [
            {
                "switch": switch,
                "counts": _counts(_on(switch, rows, looking.switches)),
                "since": rows[switch].at if switch in rows else None,
                "looked_at": _ago(looked.get(switch)),
            }
            for switch in _names(rows, looking.switches)
        ]
        return render_template(
            "installation.html",
            pages=PAGES,
            here=None,
            whole=whole,
            switches=switches,
            looking=looking,
            counts=counts,
            read_at=there.read_at if there else None,
            differs=differs if admin() else [{**one, "now": None, "then": None} for one in differs],
            wrong=wrong,
            not_taken=None if seen is None else seen.not_good.get("configuration"),
        )

    @table_at(pages, "/installation/checks")
    @needs(Right.SEE_INSTALLATION)
    def checks(form: str) -> Any:
        with books.reading() as book:
            rows = checked(book)
        found = [one for switch in _names(rows, looking.switches) for one in _on(switch, rows, looking.switches)]
        here = looking.here or Look(datetime.now(timezone.utc))
        found += [{**one, "at": here.at} for one in here.findings]
        return listed(form, ("level", "part", "what", "said", "mend", "setting", "at"), map(told, found), "checks")

    @table_at(pages, "/installation/history")
    @needs(Right.SEE_INSTALLATION)
    def history(form: str) -> Any:
        limit = LOOKS_ON_A_PAGE if form == "html" else LOOKS_IN_A_FILE
        before = request.args.get("before", "")
        with books.reading() as book:
            found = looks(book, limit + 1, int(before) if re.fullmatch("[0-9]{1,18}", before) else None)
        following = {"before": str(found[limit - 1][0].position)} if len(found) > limit else None
        rows = [change for row, previous in found[:limit] for change in _changes(row, previous)]
        return listed(form, ("at", "part", "change", "level", "what"), rows, "history", following)

    @pages.post("/installation/check")
    @needs(Right.CHECK_INSTALLATION)
    def check() -> AnyResponse:
        looking.start()
        return redirect("/installation", 303)

    @table_at(pages, "/installation/configuration")
    @needs(Right.SEE_INSTALLATION)
    def configuration(form: str) -> Any:
        rows = [
            {"setting": one.name, "value": shown(one), "is_set": one.is_set} for one in (there.values if there else ())
        ]
        return listed(form, ("setting", "value", "is_set"), rows, "configuration")

    @table_at(pages, "/installation/wordings")
    @needs(Right.SEE_INSTALLATION)
    def wordings(form: str) -> Any:
        sounds = there.sounds() if there else {}
        with books.reading() as book:
            notices = book.notices()
            since = {row.evidence["notice"]: row.at for row in book.read(Search(turn=Turn.NOTICE_ADDED.value))}
        rows = [
            {
                "digest": digest,
                "language": notice.language,
                "text": notice.text,
                "seconds": round(notice.duration_ms / 1000, 1),
                "since": since.get(digest),
                "in_use": digest in sounds,
            }
            for digest, notice in notices.items()
        ]
        rows.sort(key=lambda row: (not row["in_use"], row["language"], row["text"], row["digest"]))
        return listed(form, ("text", "language", "seconds", "since", "in_use", "digest", "sound"), rows, "wordings")

    @pages.get("/installation/sound/<digest>")
    @needs(Right.SEE_INSTALLATION)
    def sound(digest: str) -> AnyResponse:
        """An announcement, as callers hear it; no call's recording. Only the file that the ledger means."""
        path = there.sounds().get(digest) if there else None
        with books.reading() as book:
            notice = book.notice(digest)
        if path is None or notice is None:
            abort(404)
        try:
            content = path.read_bytes()
        except OSError:
            abort(404)
        if hashlib.sha256(content).hexdigest() != notice.audio_sha256:
            abort(404)
        return send_file(io.BytesIO(content), mimetype="audio/wav", conditional=True)

    @table_at(pages, "/installation/checkpoints")
    @needs(Right.SEE_INSTALLATION)
    def checkpoints(form: str) -> Any:
        with books.reading() as book:
            newest = book.checkpoints()[::-1][:CHECKPOINTS]
        rows = [
            {"position": one.position, "signed_at": one.at, "key_id": one.key_id, "hash": one.hash} for one in newest
        ]
        key = settings.chain.public_key if settings.chain is not None else None
        public = key.decode("ascii") if key is not None else None
        return listed(form, ("position", "signed_at", "key_id", "hash"), rows, "checkpoints", public_key=public)

    @table_at(pages, "/installation/register")
    @needs(Right.SEE_INSTALLATION)
    def register(form: str) -> Any:
        """Who agreed to be recorded, and to what. Names are for the officer, who says why: officers are asked by the
        agents; the works council sees that it is in order, and administrators have 'consentivr agents list'.
        """
        names = time.monotonic() < g.session.shown.get(REGISTER, 0.0)
        with books.reading() as book:
            rows: list[dict[str, Any]] = [
                {
                    "agent": row.evidence["agent"] if names else "hidden",
                    "agreed": row.turn == Turn.AGENT_AGREED,
                    "on": row.evidence.get("on"),
                    "queues": " ".join(row.evidence.get("queues") or ()),
                    "to": row.evidence.get("wording") or row.evidence.get("document"),
                    "by": _how(row.evidence.get("by")),
                    "noted_at": row.at,
                }
                for row in book.register()
            ]
        if not names:  # in the order of their names it would be told who is who
            rows.sort(key=lambda row: row["noted_at"])
        columns = ("agent", "agreed", "on", "queues", "to", "by", "noted_at")
        return listed(form, columns, rows, "register", names=names, longest=LONGEST_REASON, missing=False)

    @pages.post("/installation/register")
    @needs(Right.SEE_PERSON)
    def show_names() -> Any:
        why = " ".join(request.form.get("why", "").split())[:LONGEST_REASON]
        if not g.session.account.may(Right.SEE_INSTALLATION):
            abort(403, "right")
        if why:
            access.note(books, Turn.PERSON_SHOWN, what="register", why=why)
            g.session.shown[REGISTER] = time.monotonic() + SHOWN_S
        return redirect("/installation/register", 303)

    @table_at(pages, "/installation/accounts")
    @needs(Right.SEE_INSTALLATION)
    def roles(form: str) -> Any:
        rows = [
            {
                "account": one.account.name,
                "person": one.account.used_by,
                "roles": "+".join(sorted(role.value for role in one.account.roles)),
                "queues": " ".join(sorted(one.account.queues)),
                "agent": (one.account.agent if admin() else "hidden") if one.account.agent else None,
                "disabled": one.disabled,
            }
            for one in accounts.all()
        ]
        return listed(form, ("account", "person", "roles", "queues", "agent", "disabled"), rows, "accounts")

    def listed(
        form: str,
        columns: Sequence[str],
        rows: Iterable[Mapping[str, Any]],
        here: str,
        following: Mapping[str, str] | None = None,
        **more: Any,
    ) -> Any:
        table = Table(columns, list(rows), following)
        return answer(form, table, "installation_table.html", pages=PAGES, here=here, **more)

    def admin() -> bool:
        return bool(g.session.account.may(Right.CHECK_INSTALLATION))

    def shown(one: Value) -> str:
        return one.text if admin() or not one.private or not one.text else "hidden"

    def told(one: Mapping[str, Any]) -> dict[str, Any]:
        """What is found on a machine names its files and users, which are shown to administrators only."""
        open_to_all = admin() or one["part"] == "law"
        said = {name: one.get(name) for name in ("level", "part", "what", "setting", "at")}
        more = {name: one.get(name) if open_to_all or not one.get(name) else "hidden" for name in ("said", "mend")}
        return {**said, **more}

    return pages


def changes(there: Installation | None) -> tuple[list[dict[str, str | None]], str | None]:
    """Where the file is another now than when this console read it; or what is wrong with it."""
    if there is None:
        return [], None
    try:
        now = {one.name: one.text for one in there.now()}
    except ValueError as error:
        return [], str(error)
    then = {one.name: one.text for one in there.values}
    names = [name for name in dict.fromkeys([*then, *now]) if then.get(name) != now.get(name)]
    return [{"setting": name, "then": then.get(name), "now": now.get(name)} for name in names], None


def _counts(findings: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for one in findings:
        counts[one["level"]] = counts.get(one["level"], 0) + 1
    return counts


def _names(rows: Mapping[str, Entry], asked: Look | None) -> list[str]:
    """The switches that the ledger tells of, and those that ``serve`` was asked about."""
    return sorted({*rows, *(one["part"] for one in (asked.findings if asked else ()))})


def _on(switch: str, rows: Mapping[str, Entry], asked: Look | None) -> list[Mapping[str, Any]]:
    """What is found on a switch: what ``serve`` told when it was asked, unless the ledger has newer; what it could not
    ask now is still what the ledger has, and not seen.
    """
    row = rows.get(switch)
    known = _of_row(switch, row) if row is not None else []
    if asked is None or (row is not None and asked.at < row.at):
        return known
    theirs: list[Mapping[str, Any]] = [{**one, "at": asked.at} for one in asked.findings if one["part"] == switch]
    was_seen = any(one["level"] != "not seen" for one in theirs)
    return theirs if was_seen else [*known, *theirs]


def _of_row(switch: str, row: Entry) -> list[Mapping[str, Any]]:
    found: list[tuple[str, str]] = [(level, what) for what, level in row.evidence["findings"].items()]
    found += [("not seen", what) for what in row.evidence["not_seen"]]
    return [{"level": level, "part": switch, "what": what, "at": row.at} for level, what in found]


def _changes(row: Entry, previous: Entry | None) -> Iterator[dict[str, Any]]:
    """What a look found that the one before it did not, and what it did not find any more."""
    now, before = row.evidence, previous.evidence if previous else {"findings": {}, "not_seen": []}
    for change, names, levels in (
        ("found", now["new"], now["findings"]),
        ("gone", now["gone"], before["findings"]),
        ("not_seen", [name for name in now["not_seen"] if name not in before["not_seen"]], {}),
        ("seen", [name for name in before["not_seen"] if name not in now["not_seen"]], {}),
    ):
        for what in names:
            yield {"at": row.at, "part": now["switch"], "change": change, "level": levels.get(what), "what": what}


def _ago(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.now(timezone.utc) - timedelta(seconds=seconds)


def _how(by: str | None) -> str | None:
    """An account of the console is somebody's name."""
    return by if by is None else by.partition(":")[0]
