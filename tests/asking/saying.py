"""One call's doing, on a session whose other end is read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import gevent.socket

from consentivr.asking.channel import Channel
from consentivr.asking.doing import Doing
from consentivr.asking.hearing import Hearing
from consentivr.core import actions as do
from consentivr.esl.session import OutboundSession
from tests.asking.lines import channel
from tests.esl.peers import connected


class Said:
    """One call's doing, and what arrived at the switch."""

    def __init__(self, session: OutboundSession, switch: gevent.socket.socket, made: Channel) -> None:
        self.session = session
        self.switch = switch
        self.hearing = Hearing(made)
        self.doing = Doing(session, made, self.hearing)

    def perform(self, action: do.AskingAction) -> list[str]:
        """The commands, without their Event-UUID: 'api ...', or 'application argument'."""
        self.outcome = self.doing.perform(action)
        self.session.flush()
        self.switch.settimeout(0.05)
        try:
            data = self.switch.recv(65536).decode()
        except TimeoutError:
            return []
        self.uuids = re.findall(r"Event-UUID: (\S+)", data)
        return [_short(command) for command in data.split("\n\n")[:-1]]


def _short(command: str) -> str:
    found = re.match(r"sendmsg\ncall-command: execute\nexecute-app-name: (\S+)(?:\nexecute-app-arg: (.*))?", command)
    return " ".join(part for part in found.groups() if part) if found else command


@contextmanager
def saying(made: Channel | None = None) -> Iterator[Said]:
    with connected() as (session, switch):
        yield Said(session, switch, made or channel())
