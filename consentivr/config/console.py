"""The pages for people who use no shell: 'console'."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import Field, model_validator

from consentivr.config.values import (
    Endpoint,
    File,
    HeaderName,
    HttpsPlace,
    HttpsUrl,
    PeerNetwork,
    Section,
    SwitchText,
    Text,
    Whole,
)
from consentivr.core.roles import Role


class Group(Section):
    """What a group gives those whom 'oidc' or 'proxy' says to be in it."""

    roles: tuple[Role, ...] = Field(
        min_length=1, description="Of: agent, supervisor, officer, council, admin; an administrator has no other."
    )
    queues: tuple[SwitchText, ...] = Field((), description="Of a supervisor, as mod_callcenter names them.")


class Oidc(Section):
    """Signing in at a provider by OpenID Connect."""

    issuer: HttpsPlace = Field(
        description="The provider, as its discovery document names it.", examples=["https://id.beispiel.example"]
    )
    client_id: Text = Field(description="What the provider calls the console.", examples=["consentivr"])
    client_secret_file: File = Field(
        description="The client's secret, readable by its owner only.", examples=["/etc/consentivr/console.oidc"]
    )
    scopes: tuple[Text, ...] = Field(
        ("openid", "profile"), min_length=1, description="What is asked for; some providers want 'groups' too."
    )
    name: Text = Field(
        "preferred_username",
        description="The claim that is the account's name. Choose one that people cannot change for themselves.",
    )
    groups: Text = Field("groups", description="The claim that names the groups.")
    agent: Text | None = Field(
        None, description="The claim that is the agent's name in mod_callcenter.", examples=["extension"]
    )


class Proxy(Section):
    """A proxy in front, and whom it says to be there."""

    peers: tuple[PeerNetwork, ...] = Field(
        (), description="Who alone may connect: the proxy. Its X-Forwarded-For is believed.", examples=[["127.0.0.1"]]
    )
    user: HeaderName | None = Field(
        None,
        description="The header by which it says who is there. It has to take away what a browser sends of it.",
        examples=["Remote-User"],
    )
    groups: HeaderName | None = Field(
        None, description="The header that names the groups, with commas between.", examples=["Remote-Groups"]
    )
    agent: HeaderName | None = Field(
        None, description="The header that is the agent's name in mod_callcenter.", examples=["Remote-Agent"]
    )


class Console(Section):
    """The pages of 'consentivr console': for supervisors, data protection officers, works councils, agents."""

    listen: Endpoint | None = Field(
        None,
        description="Address and port; without it, and without 'socket', there is none.",
        examples=["127.0.0.1:8188"],
    )
    socket: File | None = Field(
        None,
        description="Instead of an address: a Unix socket, for a proxy on this machine.",
        examples=["/run/consentivr-console/http.sock"],
    )
    address: HttpsUrl | None = Field(
        None,
        description="What browsers are told to open; every other name is refused. Needed with 'listen' or 'socket'.",
        examples=["https://consent.beispiel.example"],
    )
    socket_group: Text | None = Field(
        None, description="Who may open the socket, besides our own user: the proxy's group.", examples=["www-data"]
    )
    certificate: File | None = Field(
        None,
        description="The chain (PEM), where no proxy in front speaks TLS.",
        examples=["/etc/consentivr/console.pem"],
    )
    certificate_key: File | None = Field(
        None, description="Its key (PEM), readable by its owner only.", examples=["/etc/consentivr/console.key"]
    )
    accounts_file: File = Field(
        Path("/var/lib/consentivr/console.accounts"),
        description="Who may sign in; 'consentivr console user' writes it.",
    )
    groups: dict[Text, Group] = Field(
        default_factory=dict,
        description="What groups of a provider or a proxy give, by name. Who has an account in the file has what "
        "stands there instead.",
        examples=[{"telephone-leads": {"roles": ["supervisor"], "queues": ["support@default"]}}],
    )
    oidc: Oidc | None = Field(None, description="Signing in at a provider by OpenID Connect.")
    proxy: Proxy = Field(default_factory=Proxy)
    session_minutes: Whole = Field(
        30, ge=1, le=720, description="Minutes without a request until somebody is signed out."
    )
    purposes: tuple[SwitchText, ...] = Field(
        ("quality assurance", "training", "a complaint", "proof of what was agreed"),
        min_length=1,
        description="For what recordings may be listened to, as the agreement with the works council says.",
    )

    @model_validator(mode="after")
    def _goes_together(self) -> Console:
        if self.listen is not None and self.socket is not None:
            raise ValueError("'listen' and 'socket' do not go together")
        if (self.listen is not None or self.socket is not None) and self.address is None:
            raise ValueError("'listen' and 'socket' need 'address': what browsers are told to open")
        if (self.certificate is None) != (self.certificate_key is None):
            raise ValueError("'certificate' and 'certificate_key' go together")
        if self.socket is not None and (self.certificate is not None or self.proxy.peers):
            raise ValueError("'socket' goes with neither 'certificate' nor 'proxy.peers': who may open it is its proxy")
        if self.proxy.user is not None and self.socket is None and not self.proxy.peers:
            raise ValueError(
                "'proxy.user' needs 'proxy.peers' or 'socket': else anybody who connects could say to be anybody"
            )
        if self.proxy.user is not None and self.oidc is not None:
            raise ValueError("'proxy.user' and 'oidc' do not go together: one of them says who is there")
        if self.listen is not None and self.certificate is None and not (self.is_at_home or self.proxy.peers):
            raise ValueError(
                "'listen' can be reached from elsewhere, and passwords would go in the clear: set 'certificate', or "
                "listen on 127.0.0.1 behind a proxy that speaks TLS, or name that proxy in 'proxy.peers'"
            )
        return self

    @property
    def secret_file(self) -> Path:
        """What signs its cookies; made when it is started first."""
        return self.accounts_file.with_suffix(".secret")

    @property
    def is_at_home(self) -> bool:
        """Whether it listens for this machine alone."""
        host = "" if self.listen is None else self.listen.host
        return host in ("localhost", "::1") or bool(re.fullmatch(r"127(\.[0-9]{1,3}){3}", host))

    @property
    def hosts(self) -> frozenset[str]:
        """Of requests to it, as the header Host has them."""
        return frozenset() if self.address is None else frozenset({self.address.partition("://")[2]})
