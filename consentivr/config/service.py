"""The process, and the switches it works for: 'service', 'http', 'switches', 'watch', 'freeswitch'."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from pydantic import Field, StrictStr, model_validator

from consentivr.config.values import (
    Address,
    DirectoryUser,
    Endpoint,
    File,
    PeerNetwork,
    Section,
    SwitchPath,
    SwitchText,
    SwitchWord,
    Whole,
)


class Service(Section):
    """The process that FreeSWITCH connects to."""

    listen: Endpoint = Field(Address("127.0.0.1", 8184), description="Address and port that 'serve' listens on.")
    standby: Endpoint = Field(
        Address("127.0.0.1", 8186), description="The same for 'serve --standby', if there is one."
    )
    hosts: tuple[Endpoint, ...] = Field(
        (Address("127.0.0.1", 8184), Address("127.0.0.1", 8186)),
        min_length=1,
        description="Where the dialplan looks for both, tried in order. Keep these on loopback, or behind a "
        "TCP proxy there: a host that swallows connections blocks the caller for minutes.",
    )
    allowed_peers: tuple[PeerNetwork, ...] = Field(
        (ipaddress.IPv4Network("127.0.0.1"),),
        min_length=1,
        description="Addresses or networks that may connect. The protocol has no password.",
    )
    peer_user: StrictStr | None = Field(
        None,
        min_length=1,
        description="FreeSWITCH's user on this machine: connections of others are refused. Without it: 'freeswitch', "
        "where there is one, and the user that serves. '*': any.",
        examples=["freeswitch"],
    )
    secret_file: File | None = Field(
        Path("/var/lib/consentivr/dialplan.secret"),
        description="A secret by which the rendered dialplan proves that it calls; made by 'render' or 'serve' where "
        "it is missing. null: the dialplan proves nothing, and whoever else may connect can play a switch.",
    )
    max_connections: Whole = Field(
        2000, ge=1, le=100_000, description="Calls at once; one more goes to its queue at once, unrecorded."
    )


class Http(Section):
    """The HTTP interface for agents' desktops and for monitoring."""

    listen: Endpoint | None = Field(
        None, description="Address and port; without it there is none.", examples=["127.0.0.1:8185"]
    )
    tokens_file: File = Field(
        Path("/var/lib/consentivr/agents.tokens"),
        description="The agents' tokens, hashed; 'consentivr agents token' writes it.",
    )
    token_file: File | None = Field(
        None,
        description="A file that holds one token for everybody besides, readable by its owner only. The rows do not "
        "say then which agent it was, and whoever has it may ask of every talk.",
        examples=["/etc/consentivr/http.token"],
    )

    @model_validator(mode="after")
    def _listens(self) -> Http:
        if self.listen is None and self.token_file is not None:
            raise ValueError("'token_file' goes with 'listen'")
        return self


class Switch(Section):
    """One FreeSWITCH: its event socket, over which conversations are followed."""

    address: Endpoint = Field(Address("127.0.0.1", 8021), description="Where its event socket listens.")
    user: DirectoryUser | None = Field(
        None,
        description="The account that we sign in with, user@domain in the switch's directory, with few rights "
        "('consentivr setup' makes one). Without it the master password is used, which may do everything.",
        examples=["consentivr@consentivr.invalid"],
    )
    password_file: File = Field(
        Path("/etc/consentivr/event_socket.password"),
        description="A file that holds its password, readable by its owner only.",
    )


class Watch(Section):
    """What follows from watching the switches."""

    erase_below: tuple[SwitchPath, ...] = Field(
        (), description="Besides recordings.folder: folders below which forbidden recordings of others are erased."
    )
    command: tuple[StrictStr, ...] | None = Field(
        None,
        min_length=1,
        description="A program and its arguments, run when there are incidents; it gets each as a line of JSON on its "
        "input, several at once when they come together.",
        examples=[["/usr/local/bin/tell-the-officer", "--quietly"]],
    )
    sweep_s: Whole = Field(
        5, ge=1, le=300, description="So often the switch's own lists are held against what it told."
    )


class Check(Section):
    """What 'consentivr check' and 'serve' find on a switch, and somebody answers for."""

    known: dict[StrictStr, SwitchText] = Field(
        default_factory=dict,
        description="Findings by their names, each with the reason why it may stay: they count as good then.",
        examples=[{"17 call records: mod_cdr_csv": "kept for the invoices, 30 days (logrotate)"}],
    )


class FreeSwitch(Section):
    """What the rendered XML needs to know of the switch."""

    context: SwitchWord = Field("public", description="The dialplan context in which the lines are called.")
    connect_watchdog_s: Whole = Field(
        20,
        ge=3,
        le=120,
        description="After so many seconds FreeSWITCH takes back a call that we accepted and did not handle.",
    )
