"""Signing in at a provider by OpenID Connect (Core 1.0): code flow, PKCE, nonce, state. Authlib does the protocol and
checks the ID token; nothing else the provider says is believed.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import requests
import structlog
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.flask_client import FlaskIntegration, FlaskOAuth2App
from authlib.integrations.requests_client import OAuth2Session
from flask import Blueprint, g, make_response, redirect, render_template, request, session
from joserfc.errors import JoseError
from werkzeug.wrappers import Response as AnyResponse

from consentivr import metrics
from consentivr.console import access
from consentivr.console.accounts import Known
from consentivr.console.groups import NotLetIn, account_of
from consentivr.console.guard import COOKIE, keep, needs, refuse
from consentivr.console.signin import Door, inside
from consentivr.console.trust import Provider
from consentivr.core.roles import Account, Right
from consentivr.core.turn import Turn

log = structlog.get_logger(__name__)

PATIENCE_S = 10
"""So long the provider may take for each answer."""

CLOCKS_S = 60
"""So far its clock and ours may be apart."""

ASYMMETRIC = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""How an ID token may be signed: only who has the provider's private key can."""

WRONG = (AuthlibBaseError, JoseError, requests.RequestException, ValueError, KeyError, TypeError, RuntimeError)
"""What Authlib raises for an answer that is not as it should be."""


class NotTheProvider(ValueError):
    """It names another issuer, leads to somewhere else, or speaks in the clear."""


class _Session(OAuth2Session):  # type: ignore[misc]
    """Asks nobody but where it was sent, and waits for nobody for ever."""

    def request(self, method: str, url: str, **how: Any) -> requests.Response:
        response: requests.Response = super().request(
            method, url, **how | {"timeout": PATIENCE_S, "allow_redirects": False}
        )
        if response.is_redirect:
            raise NotTheProvider(f"{url} leads elsewhere")
        return response


class _Client(FlaskOAuth2App):  # type: ignore[misc]
    client_cls = _Session

    def __init__(self, provider: Provider) -> None:
        self._issuer = provider.issuer.rstrip("/")
        super().__init__(
            FlaskIntegration("oidc"),
            "oidc",
            client_id=provider.client_id,
            client_secret=provider.client_secret,
            client_kwargs={"scope": " ".join(provider.scopes), "code_challenge_method": "S256"},
            server_metadata_url=f"{self._issuer}/.well-known/openid-configuration",
        )

    def load_server_metadata(self) -> dict[str, Any]:
        """Raises NotTheProvider when it is another's, or leads into the clear."""
        said: dict[str, Any] = super().load_server_metadata()
        scheme = self._issuer.partition(":")[0]
        wanted = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        try:
            if said["issuer"].rstrip("/") != self._issuer:
                raise NotTheProvider(f"it says that it is {said['issuer']}")
            for name in (*wanted, *({"end_session_endpoint"} & said.keys())):
                if not said[name].startswith(f"{scheme}://"):
                    raise NotTheProvider(f"its {name} is not {scheme}")
        except BaseException:
            self.server_metadata: dict[str, Any] = {}
            raise
        told = said.get("id_token_signing_alg_values_supported", ["RS256"])
        said["id_token_signing_alg_values_supported"] = [name for name in told if name in ASYMMETRIC]
        return said


def blueprint(door: Door, provider: Provider) -> Blueprint:
    """The pages of it."""
    pages = Blueprint("oidc", __name__)
    client = _Client(provider)
    host = min(door.settings.hosts)
    here = f"https://{host}/oidc/back"

    def could_not(error: Exception) -> AnyResponse:
        log.warning("the provider could not say who somebody is", why=f"{type(error).__name__}: {error}")
        metrics.CONSOLE_REFUSED.labels("provider").inc()
        return make_response(render_template("told.html", word="signin.provider_failed"), 502)

    def lead(to: str, **how: object) -> AnyResponse:
        session.clear()
        try:
            started = client.create_authorization_url(here, **how)
        except WRONG as error:
            return could_not(error)
        client.save_authorize_data(redirect_uri=here, to=to, again="max_age" in how, began=int(time.time()), **started)
        return redirect(started["url"])

    @pages.get("/oidc")
    @needs(None)
    def start() -> AnyResponse:
        return lead(inside(request.args.get("to", "/")))

    @pages.get("/oidc/again")
    @needs(Right.SEE_TODAY)
    def start_again() -> AnyResponse:
        hint = {"login_hint": g.session.account.name}
        return lead(inside(request.args.get("to", "/")), prompt="login", max_age=str(CLOCKS_S), **hint)

    @pages.get("/oidc/back")
    @needs(None)
    def back() -> AnyResponse:
        state = request.args.get("state", "")
        begun: dict[str, Any] | None = client.framework.get_state_data(session, state)
        if begun is None:
            refuse(403, "state")
        issuer = request.args.get("iss")  # RFC 9207
        if issuer is not None and issuer.rstrip("/") != provider.issuer.rstrip("/"):
            refuse(403, "issuer")
        try:
            options = {
                "iss": {"essential": True, "values": [client.load_server_metadata()["issuer"]]},
                "aud": {"essential": True, "values": [provider.client_id]},
                "nonce": {"essential": True},
            }
            token = client.authorize_access_token(claims_options=options, leeway=CLOCKS_S)
            claims: Mapping[str, Any] = token["userinfo"]
        except WRONG as error:
            return could_not(error)
        finally:
            session.clear()
        if begun["again"]:
            return prove(claims, begun)
        try:
            account, known = account_by(claims)
            account = replace(account, subject=claims["sub"])
        except NotLetIn as error:
            door.failures.note(error.account, error.why)
            refuse(403, error.why)
        door.books.append([access.row(account, Turn.SIGNED_IN, how="oidc")])
        door.sessions.end(request.cookies.get(COOKIE, ""))
        return keep(on(begun["to"]), door.sessions.begin(account, known, "oidc"))

    def account_by(claims: Mapping[str, Any]) -> tuple[Account, Known | None]:
        """Raises NotLetIn. Whoever has a local password is nobody that a provider could name."""
        name, groups = claims.get(provider.name), claims.get(provider.groups) or ()
        if not isinstance(name, str) or (provider.name == "email" and claims.get("email_verified") is not True):
            raise NotLetIn("no_name")
        known = door.accounts.known(name)
        if known is not None and known.password_hash is not None:
            raise NotLetIn("local", known.account)
        agent = claims.get(provider.agent) if provider.agent else None
        is_in = [groups] if isinstance(groups, str) else [group for group in groups if isinstance(group, str)]
        return account_of(door.accounts, door.settings.groups, name, is_in, None if agent is None else str(agent))

    def prove(claims: Mapping[str, Any], begun: Mapping[str, Any]) -> AnyResponse:
        """Who was there just now. The session's cookie is Strict, and does not come along from elsewhere: the next
        page, which our own leads to, has both.
        """
        at = claims.get("auth_time")
        if not isinstance(at, int | float) or at < begun["began"] - CLOCKS_S:
            refuse(403, "not_again")
        session["proven"] = {"name": claims.get(provider.name), "subject": claims["sub"], "at": time.time()}
        return on("/oidc/proven?" + urlencode({"to": begun["to"]}))

    @pages.get("/oidc/proven")
    @needs(Right.SEE_TODAY)
    def proven() -> AnyResponse:
        was = session.pop("proven", None)
        who = (g.session.account.name, g.session.account.subject)
        if was is None or (was["name"], was["subject"]) != who or time.time() - was["at"] > CLOCKS_S:
            refuse(403, "not_again")
        return keep(redirect(inside(request.args.get("to", "/"))), door.sessions.renew(request.cookies[COOKIE]))

    def on(to: str) -> AnyResponse:
        return make_response(render_template("onward.html", to=to))

    @pages.get("/oidc/out")
    @needs(None)
    def out() -> AnyResponse:
        try:
            end = client.load_server_metadata().get("end_session_endpoint")
        except WRONG as error:
            return could_not(error)
        back = {"client_id": provider.client_id, "post_logout_redirect_uri": f"https://{host}/sign-in?out"}
        return redirect(f"{end}?{urlencode(back)}" if end else "/sign-in?out")

    return pages
