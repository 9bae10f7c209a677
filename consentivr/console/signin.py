"""Signing in and out; and once more, before what matters."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, g, make_response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from consentivr.console import access
from consentivr.console.accounts import Accounts
from consentivr.console.books import Books
from consentivr.console.guard import COOKIE, needs
from consentivr.console.sessions import Sessions
from consentivr.console.settings import Settings
from consentivr.core.roles import Right
from consentivr.core.turn import Turn


def inside(address: str) -> str:
    """An address on this host; whatever leads elsewhere becomes the first page."""
    parts = urlsplit(address)
    path = parts.path if parts.path.startswith("/") and not parts.path.startswith(("//", "/\\")) else "/"
    return f"{path}?{parts.query}" if parts.query else path


def blueprint(settings: Settings, books: Books, accounts: Accounts, sessions: Sessions) -> Blueprint:
    """The pages of it."""
    pages = Blueprint("signin", __name__)

    def led(to: str, session: str) -> AnyResponse:
        response = redirect(to, 303)
        response.set_cookie(COOKIE, session, path="/", secure=True, httponly=True, samesite="Strict")
        return response

    @pages.get("/sign-in")
    @needs(None)
    def form() -> str:
        return render_template("signin.html", to=inside(request.args.get("to", "/")), wrong=False)

    @pages.post("/sign-in")
    @needs(None)
    def sign_in() -> AnyResponse:
        to = inside(request.form.get("to", "/"))
        known = accounts.proven(request.form.get("account", ""), request.form.get("password", ""))
        if known is None:
            return make_response(render_template("signin.html", to=to, wrong=True), 403)
        books.append([access.row(known.account, Turn.SIGNED_IN, how="password")])
        sessions.end(request.cookies.get(COOKIE, ""))
        return led(to, sessions.begin(known.account, known, "password"))

    @pages.get("/again")
    @needs(Right.SEE_TODAY)
    def form_again() -> str:
        return render_template("again.html", to=inside(request.args.get("to", "/")), wrong=False)

    @pages.post("/again")
    @needs(Right.SEE_TODAY)
    def again() -> AnyResponse:
        to = inside(request.form.get("to", "/"))
        if accounts.proven(g.session.account.name, request.form.get("password", "")) is None:
            return make_response(render_template("again.html", to=to, wrong=True), 403)
        return led(to, sessions.renew(request.cookies.get(COOKIE, "")))

    @pages.post("/sign-out")
    @needs(Right.SEE_TODAY)
    def sign_out() -> AnyResponse:
        sessions.end(request.cookies.get(COOKIE, ""))
        response = redirect("/sign-in", 303)
        response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="Strict")
        return response

    return pages
