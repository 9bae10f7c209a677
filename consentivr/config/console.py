"""The pages for people who use no shell: 'console'."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from consentivr.config.values import Endpoint, File, HttpsUrl, Section, SwitchText, Whole


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
        return self

    @property
    def hosts(self) -> frozenset[str]:
        """Of requests to it, as the header Host has them."""
        return frozenset() if self.address is None else frozenset({self.address.partition("://")[2]})
