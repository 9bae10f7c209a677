"""Row 0: what we render is what the switch has."""

from __future__ import annotations

from collections.abc import Iterator

from consentivr import switch
from consentivr.check.answers import Answers
from consentivr.check.finding import Element
from consentivr.check.found import Found, Wanted, bad, not_seen
from consentivr.check.recorders import global_variable, steps

RENDER = "'consentivr render', then 'reloadxml'"


def ours(answers: Answers, wanted: Wanted) -> Iterator[Found]:
    """0. The switch has our dialplan, with our secret, and the default that makes calls unrecordable."""
    if answers.why_unseen(switch.GLOBALS) is None:
        yield from _variables(answers, wanted)
    if answers.why_unseen(switch.DIALPLAN) is None:
        yield from _lines(answers, wanted)


def _variables(answers: Answers, wanted: Wanted) -> Iterator[Found]:
    setting = "vars.xml, vars/consentivr.xml"
    if switch.is_recordable(answers.set_globally(switch.RECORD_FILE) or "/"):
        yield bad(
            "variables",
            "vars/consentivr.xml is not loaded: a call that never met consentivr is not kept from being recorded",
            f'{RENDER}; vars.xml wants <X-PRE-PROCESS cmd="include" data="vars/consentivr.xml"/> on a line of its own',
            setting,
            global_variable(switch.RECORD_FILE),
        )
    elif wanted.secret and answers.set_globally(switch.SECRET) != wanted.secret:
        yield bad(
            "secret",
            "the dialplan proves itself with another secret than ours: its calls are refused, and go on unrecorded",
            RENDER,
            setting,
            global_variable(switch.SECRET),
        )


def _lines(answers: Answers, wanted: Wanted) -> Iterator[Found]:
    dials: dict[tuple[str, str], str] = {}
    for context, extension, application, data in steps(answers):
        place = context, extension.get("name", "")
        dials.setdefault(place, "")
        if application == "socket":
            dials[place] = data.partition(" ")[0]
    source = answers.bound("dialplan")
    for name in wanted.extensions:
        setting, there = f"dialplan, context {wanted.context}, extension {name}", dials.get((wanted.context, name))
        if there is None and source:
            yield not_seen(
                name, f"whether the line is there is not seen: the dialplan comes from {source}", "", setting
            )
        elif there is None:
            said = "the line is not in the dialplan: who calls its number does not come to us"
            yield bad(name, said, f"{RENDER}; is freeswitch.context where callers come in?", setting)
        elif there != wanted.hosts:
            said = f"the line dials {there or 'nobody'}, and not {wanted.hosts}"
            yield bad(name, said, RENDER, setting, Element("extension", (("name", name),)))
