"""Asks a switch. Nothing on it is changed; what it answers holds its secrets, and is read, judged and let go."""

from __future__ import annotations

import time
from collections.abc import Callable

from consentivr import switch
from consentivr.check.answers import Answers
from consentivr.check.finding import Finding, Level
from consentivr.check.found import Wanted
from consentivr.check.table import first_questions, more_questions, questions
from consentivr.esl.connection import literal
from consentivr.esl.errors import ESLError, SessionClosed, WaitTimedOut
from consentivr.esl.inbound import InboundConnection

ANSWER_SECONDS = 10.0
"""So long the switch may take for all answers of one round."""


class NotReady(ESLError):
    """The switch still loads, is paused, or ends: what it has not loaded yet must not be taken for missing."""

    def __init__(self) -> None:
        super().__init__("the switch takes no calls now: it starts, is paused, or ends")


Connect = Callable[[], InboundConnection]
"""A connection that has signed in. Raises ESLError, OSError."""

Probe = Callable[[Answers], str]
"""Answers for ``switch.LOG``."""


def ask(connect: Connect, wanted: Wanted, probe: Probe | None = None) -> Answers:
    """Everything that the table wants; what was not answered in time is None. Without ``probe`` that is not asked.

    Raises ESLError or OSError when the switch lets nobody in, and NotReady.
    """
    connection = connect()
    said: dict[str, str | None] = {}
    try:
        _ask(connection, [switch.STATUS], said)
        if switch.NOT_READY in (said[switch.STATUS] or ""):
            raise NotReady
        _ask(connection, first_questions(), said)
        _ask(connection, questions(Answers(said)), said)
        while new := [command for command in more_questions(Answers(said), wanted) if command not in said]:
            _ask(connection, new, said)
    finally:
        connection.stop()
    if probe is not None:
        said[switch.LOG] = probe(Answers(said))
    return Answers(said)


def not_asked(address: str, why: object) -> Finding:
    """Of a switch that said nothing at all."""
    said, mend = f"it cannot be asked: {why}", "see event_socket.conf.xml, and 'switches'"
    return Finding("settings", Level.NOT_SEEN, said, mend, part=address)


def _ask(connection: InboundConnection, commands: list[str], said: dict[str, str | None]) -> None:
    """One after the other, on a connection of our own: a hung one holds up nobody else."""
    deadline = time.monotonic() + ANSWER_SECONDS
    for command in commands:
        if command in said:
            continue
        said[command] = None
        try:
            answer = connection.send(f"api {literal(command)}", deadline - time.monotonic())
        except WaitTimedOut:
            connection.stop()
        except SessionClosed:
            continue  # what was not answered is not seen
        except ESLError:
            connection.stop()
        else:
            is_answer = answer.content_type == "api/response"
            said[command] = answer.body.decode("utf-8", "replace") if is_answer else answer.reply_text
