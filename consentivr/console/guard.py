"""What every request passes: a host that we are, somebody who is signed in, a right, and a form that we made."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, TypeVar
from urllib.parse import urlencode

import structlog
from flask import Flask, Response, abort, g, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from consentivr import metrics
from consentivr.console.accounts import Accounts
from consentivr.console.failures import Failures
from consentivr.console.groups import NotLetIn
from consentivr.console.proxy import Named
from consentivr.console.sessions import Session, Sessions
from consentivr.console.settings import Settings
from consentivr.core.roles import Right
from consentivr.ledger import LedgerError

log = structlog.get_logger(__name__)

COOKIE = "__Host-consentivr"
"""Only over TLS (or loopback), for this host alone, for the whole of it."""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "Strict-Transport-Security": "max-age=63072000",
}
"""As Mozilla's guidance for the web wants them."""

View = TypeVar("View", bound=Callable[..., object])


@dataclass(frozen=True)
class Needs:
    """What a view is for. ``right`` None: everybody, signed in or not. ``again``: the password a moment ago.
    ``quiet``: a page asks by itself, every few seconds; nobody is the longer signed in for it.
    """

    right: Right | None
    again: bool = False
    quiet: bool = False


def needs(right: Right | None, *, again: bool = False, quiet: bool = False) -> Callable[[View], View]:
    """Every view says so; one that does not lets the application not start."""

    def mark(view: View) -> View:
        view.needs = Needs(right, again, quiet)  # type: ignore[attr-defined]
        return view

    return mark


def refuse(status: int, why: str) -> NoReturn:
    """Answer so, and count it."""
    metrics.CONSOLE_REFUSED.labels(why).inc()
    abort(status, why)


def keep(response: AnyResponse, session: str) -> AnyResponse:
    """With the cookie of that session."""
    response.set_cookie(COOKIE, session, path="/", secure=True, httponly=True, samesite="Strict")
    return response


def guard(
    app: Flask, settings: Settings, accounts: Accounts, sessions: Sessions, failures: Failures, named: Named
) -> None:
    """Put it before every view of the application, which is complete."""
    app.view_functions["static"] = needs(None)(app.view_functions["static"])
    wanted: dict[str, Needs] = {}
    for endpoint, view in app.view_functions.items():
        if not hasattr(view, "needs"):
            raise TypeError(f"the view {endpoint} does not say which right it needs")
        wanted[endpoint] = view.needs

    @app.before_request
    def pass_or_not() -> AnyResponse | None:
        g.began = time.monotonic()
        g.session = g.begun = None
        if settings.proxy.peers and not settings.proxy.is_one(request.remote_addr or ""):
            refuse(403, "peer")
        if request.host not in settings.hosts:
            refuse(421, "host")
        need = wanted.get(request.endpoint or "")
        if need is None:
            # Nobody learns without a session which addresses there are.
            need = Needs(Right.SEE_TODAY)
        _write_failures()
        g.session = _of_this_browser(quiet=need.quiet)
        if g.session is None and need.right is not None:
            g.session = _named_by_proxy()
        if need.right is None and request.method in ("GET", "HEAD"):
            return None
        if g.session is None and need.right is not None:
            metrics.CONSOLE_REFUSED.labels("session").inc()
            if need.quiet:  # htmx loads the whole page anew, which leads to signing in
                return Response(status=401, headers={"HX-Refresh": "true"})
            if request.method in ("GET", "HEAD") and not request.path.endswith((".json", ".csv")):
                return redirect("/sign-in?" + urlencode({"to": request.full_path.rstrip("?")}))
            abort(401, "session")
        if request.method not in ("GET", "HEAD") and not _is_our_form():
            refuse(403, "form")
        if need.right is not None and not g.session.account.may(need.right):
            refuse(403, "right")
        if need.again and not g.session.is_proven:
            back = request.full_path.rstrip("?") if request.method == "GET" else request.headers.get("Referer", "/")
            return redirect("/again?" + urlencode({"to": back}), 303)
        return None

    def _of_this_browser(*, quiet: bool) -> Session | None:
        name = request.cookies.get(COOKIE, "")
        session = sessions.of(name, quiet=quiet)
        if session is None:
            return None
        if accounts.known(session.account.name) != session.known or not named.goes_on(session):
            sessions.end(name)
            return None
        return session

    def _named_by_proxy() -> Session | None:
        try:
            return named.begin()
        except NotLetIn as error:
            refuse(403, error.why)

    def _write_failures() -> None:
        try:
            failures.flush()
        except LedgerError as error:
            log.warning("who could not sign in is not in the ledger yet", why=str(error))

    def _is_our_form() -> bool:
        if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            return False
        if request.headers.get("Origin", f"https://{request.host}") != f"https://{request.host}":
            return False
        if g.session is None:  # signing in: nobody's form, but from our own page
            return True
        shown = request.headers.get("X-Form-Token") or request.form.get("form_token", "")
        return hmac.compare_digest(shown.encode(), g.session.form_token.encode())

    @app.after_request
    def never_kept(response: Response) -> Response:
        if g.begun is not None:
            keep(response, g.begun)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if request.endpoint != "static":
            response.headers["Cache-Control"] = "no-store"
        return response
