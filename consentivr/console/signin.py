"""Signing in and out with a password; and once more, before what matters."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

import structlog
from flask import Blueprint, g, make_response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from consentivr import metrics
from consentivr.console import access, proxy
from consentivr.console.accounts import Accounts
from consentivr.console.books import Books
from consentivr.console.failures import Failures
from consentivr.console.guard import COOKIE, keep, needs, refuse
from consentivr.console.limits import Attempts
from consentivr.console.sessions import Sessions
from consentivr.console.settings import Settings
from consentivr.core.roles import Right
from consentivr.core.turn import Turn

log = structlog.get_logger(__name__)

BROWSER = "__Host-consentivr-browser"
"""The cookie by which a browser is known in which somebody has signed in."""

KNOWN_S = 180 * 86400


@dataclass(frozen=True)
class Door:
    """All that signing in needs."""

    settings: Settings
    books: Books
    accounts: Accounts
    sessions: Sessions
    failures: Failures
    attempts: Attempts


def inside(address: str) -> str:
    """An address on this host; whatever leads elsewhere becomes the first page."""
    parts = urlsplit(address)
    path = parts.path if parts.path.startswith("/") and not parts.path.startswith(("//", "/\\")) else "/"
    return f"{path}?{parts.query}" if parts.query else path


def blueprint(door: Door) -> Blueprint:
    """The pages of it."""
    pages = Blueprint("signin", __name__)
    provider = door.settings.provider

    def page(to: str, word: str | None = None) -> str:
        return render_template("signin.html", to=to, word=word, provider=provider)

    @pages.get("/sign-in")
    @needs(None)
    def form() -> AnyResponse:
        to = inside(request.args.get("to", "/"))
        if g.session is not None:
            return redirect(to)
        return make_response(page(to, "signed_out" if "out" in request.args else None))

    @pages.post("/sign-in")
    @needs(None)
    def sign_in() -> AnyResponse:
        to, name = inside(request.form.get("to", "/")), request.form.get("account", "")
        peer = proxy.address(door.settings)
        attempt = door.attempts.begin(name, peer, request.cookies.get(BROWSER, ""))
        known = door.accounts.known(name)
        if attempt is None:
            door.failures.note(known.account if known else None, "often")
            refuse(429, "often")
        proven = door.accounts.proven(name, request.form.get("password", ""))
        if proven is None:
            door.failures.note(known.account if known else None, "password")
            metrics.CONSOLE_REFUSED.labels("password").inc()
            log.info("somebody could not sign in", address=peer)
            return make_response(page(to, "wrong"), 403)
        door.attempts.undo(attempt)
        door.books.append([access.row(proven.account, Turn.SIGNED_IN, how="password")])
        door.sessions.end(request.cookies.get(COOKIE, ""))
        response = keep(redirect(to, 303), door.sessions.begin(proven.account, proven, "password"))
        response.set_cookie(
            BROWSER,
            door.attempts.cookie(name),
            max_age=KNOWN_S,
            path="/",
            secure=True,
            httponly=True,
            samesite="Strict",
        )
        return response

    def page_again(to: str, word: str | None = None) -> str:
        known = g.session.known
        has_password = known is not None and known.password_hash is not None
        return render_template("again.html", to=to, word=word, provider=provider, has_password=has_password)

    @pages.get("/again")
    @needs(Right.SEE_TODAY)
    def form_again() -> str:
        return page_again(inside(request.args.get("to", "/")))

    @pages.post("/again")
    @needs(Right.SEE_TODAY)
    def again() -> AnyResponse:
        to, account = inside(request.form.get("to", "/")), g.session.account
        attempt = door.attempts.again(account.name)
        if attempt is None:
            door.failures.note(account, "often")
            refuse(429, "often")
        if door.accounts.proven(account.name, request.form.get("password", "")) is None:
            door.failures.note(account, "again")
            metrics.CONSOLE_REFUSED.labels("password").inc()
            return make_response(page_again(to, "wrong"), 403)
        door.attempts.undo(attempt)
        return keep(redirect(to, 303), door.sessions.renew(request.cookies.get(COOKIE, "")))

    @pages.post("/sign-out")
    @needs(Right.SEE_TODAY)
    def sign_out() -> AnyResponse:
        door.sessions.end(request.cookies.get(COOKIE, ""))
        response = redirect("/sign-in?out", 303)
        response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="Strict")
        return response

    return pages
