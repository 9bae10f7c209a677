"""Rows 8 and 16: modules through which sound, keys and numbers leave the switch unseen."""

from __future__ import annotations

import re
from collections.abc import Iterator

from consentivr import switch
from consentivr.check.answers import Answers, parameters
from consentivr.check.finding import Element
from consentivr.check.found import Found, Wanted, bad, warning
from consentivr.check.tree import OF_THE_TREE

TAKE_SOUND = {
    "mod_oreka": "sends the sound of calls to a recorder elsewhere",
    "mod_snapshot": "writes the last seconds of a call to a file, at the press of a key, and tells nobody",
    "mod_rayo": "lets whoever signs in by XMPP record calls",
}
"""Of FreeSWITCH's own modules. mod_spy, mod_httapi and mod_fsv do nothing until a dialplan says so (row 4)."""

_SOUND_APIS = re.compile(r"uuid_audio_\w+|\w+_transcribe|telecast", re.ASCII)

MULTICAST = switch.configuration("event_multicast")
TELL_EVENTS = {
    "mod_amqp": "sends events to a message broker",
    "mod_event_zmq": "publishes every event to whoever connects",
    "mod_erlang_event": "gives every event, and every command, to whoever knows its cookie",
    "mod_smpp": "hands messages with their numbers to an SMS centre",
}


def load(name: str) -> Element:
    """``<load module="NAME"/>``."""
    return Element("load", (("module", name),))


def sound(answers: Answers, wanted: Wanted) -> Iterator[Found]:
    """8. Nothing is loaded that takes sound off without a word."""
    for name in sorted(answers.modules):
        if name in TAKE_SOUND:
            said = TAKE_SOUND[name]
        elif name.startswith("mod_") and name not in OF_THE_TREE:
            said = "is not of FreeSWITCH's own tree: whether it takes sound off cannot be told from here"
        else:
            continue
        yield warning(
            name,
            f"{name} is loaded, and {said}",
            f"'unload {name}', and take it out of modules.conf.xml; or answer for it in check.known",
            f"modules.conf, {name}",
            load(name),
        )
    for row in answers.rows(switch.APIS):
        name = str(row.get("name", ""))
        if _SOUND_APIS.fullmatch(name):
            yield warning(
                name,
                f"the command {name} is there: it sends the sound of a call elsewhere, and is no recorder that is "
                "announced",
                f"unload {row.get('ikey') or 'its module'}; or answer for it in check.known",
                f"modules.conf, {row.get('ikey') or name}",
                load(str(row.get("ikey", ""))),
            )


def events(answers: Answers, wanted: Wanted) -> Iterator[Found]:
    """16. No module sends keys and numbers away."""
    if answers.is_loaded("mod_event_multicast"):
        settings = parameters(answers.configuration("event_multicast"))
        tells = settings.get("bindings", "")
        if not settings.get("psk"):
            yield bad(
                "mod_event_multicast",
                f"every machine on the network hears events ({tells or 'as loaded'}), in clear: numbers, and keys "
                "as they are "
                "pressed",
                "'unload mod_event_multicast', and take it out of modules.conf.xml; where you need it, set psk and "
                "bindings",
                "event_multicast.conf, psk",
                Element.parameter("bindings"),
            )
        else:
            yield warning(
                "mod_event_multicast",
                f"whoever on the network has the key hears events ({tells}): numbers, and keys as they are pressed",
                "unload it, or bind no more than what is needed; or answer for it in check.known",
                "event_multicast.conf, bindings",
                Element.parameter("bindings"),
            )
    for name, said in TELL_EVENTS.items():
        if answers.is_loaded(name):
            yield warning(
                name,
                f"{name} {said}: with numbers, and keys as they are pressed",
                f"'unload {name}', and take it out of modules.conf.xml; or answer for it in check.known",
                f"modules.conf, {name}",
                load(name),
            )
