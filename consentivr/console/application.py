"""The console's WSGI application: screens, each in a file of its own, behind one guard."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import structlog
from flask import Flask, Response, g, make_response, redirect, render_template, request
from jinja2 import StrictUndefined
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from consentivr.console import (
    access_log,
    answers,
    call,
    calls,
    installation,
    listening,
    mine,
    numbers,
    oidc,
    operation,
    people,
    signin,
    today,
    trials,
)
from consentivr.console.accounts import Accounts, AccountsUnreadable
from consentivr.console.books import Books
from consentivr.console.failures import Failures
from consentivr.console.folding import Folding
from consentivr.console.guard import guard, needs
from consentivr.console.limits import Attempts
from consentivr.console.looking import Looking
from consentivr.console.proxy import Named
from consentivr.console.sessions import Sessions
from consentivr.console.settings import Settings
from consentivr.console.spoken import spoken
from consentivr.console.verifying import Verifying
from consentivr.console.words import LANGUAGES, WORDS
from consentivr.core.roles import Right
from consentivr.ledger import LedgerError

log = structlog.get_logger(__name__)

MAX_BODY_BYTES = 64 * 1024

MENU: Sequence[tuple[str, str, Sequence[Right]]] = (
    ("today", "/today", (Right.SEE_TODAY,)),
    ("calls", "/calls", (Right.SEE_CALLS,)),
    ("listening", "/listening", (Right.ASK_TO_LISTEN, Right.APPROVE_LISTENING)),
    ("people", "/people", (Right.ANSWER_PEOPLE,)),
    ("numbers", "/numbers", (Right.SEE_NUMBERS,)),
    ("trials", "/trials", (Right.SEE_NUMBERS,)),
    ("access", "/access", (Right.SEE_OWN_ACCESS,)),
    ("mine", "/mine", (Right.AGREE,)),
    ("installation", "/installation", (Right.SEE_INSTALLATION,)),
)
"""Each page's word, its address, and the rights of which one leads there."""


def application(
    settings: Settings,
    books: Books,
    folding: Folding | None = None,
    *,
    secret: str | None = None,
    may_scrape: Callable[[str], bool] = lambda token: False,
) -> Flask:
    """Everything that browsers are served. Raises TypeError when a view does not say which right it needs.

    ``folding`` counts for Numbers beside the pages; without, it is done when they are asked for. ``secret``: signs
    cookies, and had better outlive this process. ``may_scrape``: whether a token is one of monitoring's.
    """
    secret = secret or secrets.token_urlsafe(32)
    app = Flask("consentivr.console")
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.secret_key = secret
    app.config.update(
        # Of Flask's own session, in which only the way to a provider and back is kept: Lax, since it leads elsewhere.
        SESSION_COOKIE_NAME="__Host-consentivr-way",
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_SAMESITE="Lax",
    )
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    zone = ZoneInfo(settings.time_zone)
    sessions = Sessions(settings.session_minutes * 60)
    accounts = Accounts(settings.accounts_file)
    verifying = Verifying(settings.chain)
    looking = Looking(
        settings.installation.look if settings.installation else None,
        settings.desk.look_at_switches if settings.desk else None,
    )

    failures = Failures(books)
    books.before_close.append(partial(failures.flush, all_of_it=True))
    door = signin.Door(settings, books, accounts, sessions, failures, Attempts(secret))

    app.register_blueprint(operation.blueprint(books, may_scrape))
    app.register_blueprint(signin.blueprint(door))
    if settings.provider is not None:
        app.register_blueprint(oidc.blueprint(door, settings.provider))
    app.register_blueprint(today.blueprint(settings, books))
    app.register_blueprint(calls.blueprint(settings, books))
    app.register_blueprint(call.blueprint(settings, books, spoken))
    app.register_blueprint(listening.blueprint(settings, books))
    app.register_blueprint(access_log.blueprint(settings, books, verifying))
    app.register_blueprint(mine.blueprint(settings, books))
    app.register_blueprint(installation.blueprint(settings, books, accounts, verifying, looking))
    app.register_blueprint(trials.blueprint(settings, books))
    app.register_blueprint(numbers.blueprint(settings, books, folding or Folding(books, settings.time_zone)))
    app.register_blueprint(people.blueprint(settings, books))
    app.register_blueprint(answers.blueprint(settings, books))

    @app.template_filter("moment")
    def moment(value: datetime | str | None) -> str:
        if isinstance(value, str):
            value = datetime.fromisoformat(value) if value else None
        return "" if value is None else f"{value.astimezone(zone):%Y-%m-%d %H:%M:%S}"

    @app.template_filter("seconds")
    def seconds(value: float | None) -> str:
        return "" if value is None else f"{int(value) // 60}:{int(value) % 60:02d}"

    def glass_broken() -> int:
        """For who must see it; nothing when the ledger cannot tell, which the page itself says."""
        session = g.get("session")
        if session is None or not session.account.may(Right.SEE_GLASS_BROKEN):
            return 0
        try:
            return listening.glass_broken(books)
        except LedgerError:
            return 0

    @app.context_processor
    def around() -> dict[str, object]:
        language = spoken()
        session = g.get("session")
        menu = [
            (word, address)
            for word, address, rights in MENU
            if session is not None and any(map(session.account.may, rights))
        ]
        return {
            "say": WORDS[language].__getitem__,
            "known": (lambda word: WORDS[language].get(word, word)),
            "language": language,
            "session": session,
            "menu": menu,
            "may": (lambda right: session is not None and session.account.may(Right(right))),
            "form_token": session.form_token if session else "",
            "back_to": back_to,
            "time_zone": settings.time_zone,
            "glass_broken": glass_broken,
        }

    @app.get("/")
    @needs(Right.SEE_TODAY)
    def first() -> AnyResponse:
        return redirect(next(address for _, address, rights in MENU if any(map(g.session.account.may, rights))))

    @app.post("/language")
    @needs(Right.SEE_TODAY)
    def change_language() -> AnyResponse:
        response = redirect(signin.inside(request.form.get("to", "/")), 303)
        chosen = request.form.get("language")
        if chosen in LANGUAGES:
            response.set_cookie("language", chosen, max_age=365 * 86400, secure=True, httponly=True, samesite="Strict")
        return response

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> Response:
        code = error.code or 500
        known = (f"frame.refused_{error.description}", f"signin.{error.description}")
        otherwise = "frame.not_found" if code == 404 else "frame.too_many" if code == 429 else "frame.refused"
        word = next((word for word in known if word in WORDS["en"]), otherwise)
        return told(word, code)

    @app.errorhandler(LedgerError)
    def no_ledger(error: LedgerError) -> Response:
        log.error("the console cannot use the ledger", why=str(error))
        return told("frame.no_ledger", 503)

    @app.errorhandler(AccountsUnreadable)
    def no_accounts(error: AccountsUnreadable) -> Response:
        log.error("the console cannot read who may sign in", why=str(error))
        return told("frame.no_accounts", 503)

    @app.errorhandler(Exception)
    def failed(error: Exception) -> Response:
        log.exception("the console failed", endpoint=request.endpoint)
        return told("frame.failed", 500)

    def told(word: str, code: int) -> Response:
        if request.path.endswith(".json"):
            return make_response({"error": WORDS["en"][word]}, code)
        response = make_response(render_template("told.html", word=word), code)
        if code == 429:
            response.headers["Retry-After"] = "60"
        return response

    guard(app, settings, accounts, sessions, failures, Named(settings, books, accounts, sessions, failures))
    return app


def back_to(address: str) -> str:
    """A list, with the filters under which somebody left it for this page."""
    before = urlsplit(request.referrer or "")
    is_from_there = before.netloc == request.host and before.path == address and before.query
    return f"{address}?{before.query}" if is_from_there else address
