"""What the watch asks of the switch: the rights of its account on the event socket (FREESWITCH.md, section 13)."""

from __future__ import annotations

from consentivr.switch import LOADS
from consentivr.watch.stream import EXECUTIONS, SUBSCRIPTIONS

_HEARD = (f"event json {' '.join(LOADS)}", EXECUTIONS[0], SUBSCRIPTIONS[0])
"""What follows CUSTOM are its kinds: they come last."""

EVENTS = " ".join(dict.fromkeys(word for command in _HEARD for word in command.removeprefix("event json ").split(" ")))
"""For ``esl-allowed-events``."""

COMMANDS = " ".join(
    (
        "conference",
        "global_getvar",
        "global_setvar",
        "show",
        "switchname",
        "uuid_broadcast",
        "uuid_buglist",
        "uuid_dump",
        "uuid_exists",
        "uuid_getvar",
        "uuid_kill",
        "uuid_record",
        "uuid_setvar_multi",
    )
)
"""For ``esl-allowed-api``: the first word of every command in ``switch`` that the watch gives."""

LONGEST_REPLY = 511
"""Characters: where the switch answers ``userauth`` with more, it cuts the answer, and its end is never heard."""


def reply_to_login(events: str, commands: str) -> str:
    """What it answers to who may do this (mod_event_socket.c, ``userauth``)."""
    return f"~Reply-Text: +OK accepted\nAllowed-Events: {events}\nAllowed-API: {commands}\nAllowed-LOG: false\n\n"
