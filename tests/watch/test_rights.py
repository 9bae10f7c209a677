"""The rights of the watch's account are what the watch asks for: no less, and no more."""

from __future__ import annotations

import re
from pathlib import Path

import consentivr
from consentivr.switch import LOADS
from consentivr.watch import rights, stream

PACKAGE = Path(consentivr.__file__).parent
NO_COMMANDS = {"sched_api", "sched_del", "uuid_transfer"}
"""Given on the outbound socket, which has all rights."""


def test_every_command_that_we_give_is_allowed() -> None:
    """The first words of all commands in ``switch``, which knows no others than those of the watch and the question."""
    text = (PACKAGE / "switch.py").read_text(encoding="utf-8")
    given = set(re.findall(r'f?"((?:uuid|global|sched)_[a-z_]+|show|conference|switchname)(?: [^"]*)?"', text))
    assert given - NO_COMMANDS == set(rights.COMMANDS.split())


def test_every_event_that_we_hear_is_allowed() -> None:
    events, _, kinds = rights.EVENTS.partition(" CUSTOM ")
    assert {*stream.KINDS, *LOADS, "BACKGROUND_JOB"} == set(events.split()) | {"CUSTOM"}
    assert kinds == "callcenter::info conference::maintenance", "CUSTOM last: what follows are its kinds"


def test_the_switch_can_say_all_of_them() -> None:
    """Its answer to ``userauth`` is cut at 511 characters, and nobody hears the end of it then."""
    assert len(rights.reply_to_login(rights.EVENTS, rights.COMMANDS)) <= rights.LONGEST_REPLY
