"""Row 18: who may command the switch."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from xml.etree import ElementTree

from consentivr import switch
from consentivr.check.answers import Answers
from consentivr.check.finding import Element
from consentivr.check.found import Found, Wanted, bad

EVENT_SOCKET = switch.configuration("event_socket")
DEFAULT_PASSWORD = "ClueCon"  # noqa: S105 - the one that FreeSWITCH comes with, and everybody knows
PASSWORD = Element.parameter("password", "event_socket.conf")
STRANGERS = ("192.0.2.1", "203.0.113.1")
"""Addresses that nobody has (RFC 5737): a list that lets both in lets everybody in."""


def _all(settings: ElementTree.Element, name: str) -> list[str]:
    found = settings.findall("./settings/param")
    return [one.get("value", "") for one in found if one.get("name", "").casefold() == name and one.get("value")]


def access_lists(answers: Answers, wanted: Wanted) -> list[str]:
    """What to ask of them."""
    lists = _all(answers.configuration("event_socket"), "apply-inbound-acl")
    return [switch.lets_in(address, name) for name in lists if switch.is_word(name) for address in STRANGERS]


def event_socket(answers: Answers, wanted: Wanted) -> Iterator[Found]:
    """18. Nobody commands the switch who should not."""
    settings = answers.configuration("event_socket")
    seen = answers.why_unseen(EVENT_SOCKET) is None
    now = wanted.default_password
    next_ = seen and _all(settings, "password")[-1:] in ([], [DEFAULT_PASSWORD])
    if now or next_:
        yield bad(
            "password",
            "it is the one that FreeSWITCH comes with: whoever reaches the port is master of the switch, other "
            "users of this "
            f"machine too ({'now' if now else 'with the next load'})",
            "choose one of your own in event_socket.conf.xml, 'reload mod_event_socket', and put it into switches' "
            "password_file",
            "event_socket.conf, password",
            PASSWORD,
        )
    address = (_all(settings, "listen-ip") or ["127.0.0.1"])[-1]
    lists = _all(settings, "apply-inbound-acl")
    wide = [
        name
        for name in lists
        if switch.is_word(name) and all(answers.said(switch.lets_in(one, name)) == "true" for one in STRANGERS)
    ]
    if wide and not _is_loopback(address):
        yield bad(
            "access",
            f"it listens on {address}, and its access list {wide[0]} lets everybody in",
            "listen on 127.0.0.1, or name a list of the machines that need it (without one FreeSWITCH takes "
            "loopback.auto)",
            "event_socket.conf, apply-inbound-acl",
            Element.parameter("apply-inbound-acl", "event_socket.conf"),
        )


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
