"""Installation: how it is set up, and whether that is well. Administrators run checks; officer and council read."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from flask import Blueprint, abort, g, redirect, render_template, request, send_file
from werkzeug.wrappers import Response as AnyResponse

from consentivr.console import access
from consentivr.console.accounts import Accounts
from consentivr.console.books import Books
from consentivr.console.guard import needs
from consentivr.console.looking import Looking
from consentivr.console.settings import Installation, Settings, Value
from consentivr.console.tables import Table, answer, table_at
from consentivr.console.today import checked
from consentivr.console.verifying import Verifying
from consentivr.console.wholeness import wholeness
from consentivr.core.roles import Right
from consentivr.core.turn import Turn
from consentivr.ledger import Search
from consentivr.ledger.searching import Searching

PAGES = ("checks", "configuration", "wordings", "checkpoints", "register", "accounts")
SHOWN_S = 900
"""So long agents' names are shown to whoever said why."""

REGISTER = "register"
"""In ``Session.shown``: the register's names."""

LONGEST_REASON = 300
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
            switches = _switches(book)
        counts = _counts(looking.last.findings) if looking.last else {}
        differs, wrong = changes(there)
        seen = settings.desk.look() if settings.desk is not None else None
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
            rows = [*_of_switches(book), *map(told, looking.last.findings if looking.last else ())]
        return listed(form, ("level", "part", "what", "said", "mend", "setting", "at"), rows, "checks")

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
                "roles": "+".join(sorted(role.value for role in one.account.roles)),
                "queues": " ".join(sorted(one.account.queues)),
                "agent": (one.account.agent if admin() else "hidden") if one.account.agent else None,
                "disabled": one.disabled,
            }
            for one in accounts.all()
        ]
        return listed(form, ("account", "roles", "queues", "agent", "disabled"), rows, "accounts")

    def listed(form: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]], here: str, **more: Any) -> Any:
        return answer(form, Table(columns, rows), "installation_table.html", pages=PAGES, here=here, **more)

    def admin() -> bool:
        return bool(g.session.account.may(Right.CHECK_INSTALLATION))

    def shown(one: Value) -> str:
        return one.text if admin() or not one.private or not one.text else "hidden"

    def told(one: Mapping[str, Any]) -> dict[str, Any]:
        """What is found on this machine names files, which are shown to administrators only."""
        open_to_all = admin() or one["part"] == "law"
        said = {name: one.get(name) for name in ("level", "part", "what", "setting")}
        at = looking.last.at if looking.last else None
        more = {name: one.get(name) if open_to_all or not one.get(name) else "hidden" for name in ("said", "mend")}
        return {**said, **more, "at": at}

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


def _switches(book: Searching) -> list[dict[str, Any]]:
    """What the last look that changed something found on each switch."""
    return [
        {
            "switch": switch,
            "at": row.at,
            "bad": sum(level == "bad" for level in row.evidence["findings"].values()),
            "warning": sum(level == "warning" for level in row.evidence["findings"].values()),
            "not_seen": len(row.evidence["not_seen"]),
        }
        for switch, row in sorted(checked(book).items())
    ]


def _of_switches(book: Searching) -> list[dict[str, Any]]:
    rows = []
    for switch, row in sorted(checked(book).items()):
        found: list[tuple[str, str]] = [(level, what) for what, level in row.evidence["findings"].items()]
        found += [("not seen", what) for what in row.evidence["not_seen"]]
        rows += [_finding(switch, level, what, row.at) for level, what in found]
    return rows


def _finding(switch: str, level: str, what: str, at: datetime) -> dict[str, Any]:
    return {"level": level, "part": switch, "what": what, "said": None, "mend": None, "setting": None, "at": at}


def _how(by: str | None) -> str | None:
    """An account of the console is somebody's name."""
    return by if by is None else by.partition(":")[0]
