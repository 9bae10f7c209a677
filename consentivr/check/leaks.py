"""Rows 14, 15 and 17: keys and numbers that the switch itself writes down, outside of every term of ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree

from consentivr import switch
from consentivr.check.answers import Answers, is_true, named, parameters
from consentivr.check.finding import Element
from consentivr.check.found import Found, Wanted, bad, not_seen, warning, when
from consentivr.check.listeners import load

LEVELS = ("console", "alert", "crit", "err", "warning", "notice", "info", "debug")
"""0 to 7. Each key is logged at ``info`` (``RECV DTMF``, switch_channel.c)."""

INFO = LEVELS.index("info")
PASSED, HELD = "passed", "held"
KEPT, NOT_KEPT = "kept", "not-kept"
TRACED, SILENT = "traced", "silent"
"""What ``switch.LOG`` is answered with: ``info passed``; ``logfile NAME kept``; ``sip NAME traced``; one a line."""

TELLING = {"all", "info", "debug"}


def _words(levels: str) -> list[str]:
    return [word.casefold() for word in re.split(r"[,\s]+", levels) if word]


def level_of(value: str) -> int:
    """A level by its name or number; -1 for none."""
    value = value.strip().casefold()
    if value.isdigit():
        return int(value)
    return LEVELS.index(value) if value in LEVELS else -1


def log(answers: Answers, wanted: Wanted) -> Iterator[Found]:
    """14. No log keeps the keys that callers press."""
    probed = dict(line.rsplit(" ", 1) for line in answers.said(switch.LOG).splitlines() if " " in line)
    coming = parameters(answers.configuration("switch")).get("loglevel")
    passes_next = coming is None or level_of(coming) >= INFO
    passes_now = {PASSED: True, HELD: False}.get(probed.get("info", ""), passes_next)
    for subject, setting, element, telling in [*_files(answers), *_daemons(answers)]:
        kept = {KEPT: True, NOT_KEPT: False}.get(probed.get(subject, ""))
        now = passes_now and (telling if kept is None else kept)
        next_ = passes_next and telling
        if now or next_:
            yield bad(
                subject,
                "each key that a caller presses is written into it, card numbers too, and nothing of ours erases them "
                f"({when(now, next_)})",
                "map notice and above only, and load it anew ('reload mod_logfile'); or loglevel 'notice' in "
                "switch.conf.xml and 'fsctl loglevel notice'. Numbers are in it all the same: see docs/persons.md, "
                "What the switch itself keeps",
                setting,
                element,
            )
        elif passes_now and kept is None and answers.said(switch.LOG):
            yield not_seen(
                subject,
                "its configuration keeps keys out, but what it has loaded is not told, and its file cannot be read "
                "here",
                "'fsctl loglevel notice' makes sure",
                setting,
            )


def _files(answers: Answers) -> Iterator[tuple[str, str, Element, bool]]:
    """Each log file: its name, its setting, and whether keys are written into it."""
    for name, profile in named(answers.configuration("logfile"), "./profiles/profile"):
        maps = profile.findall("./mappings/map")
        telling = any(TELLING & set(_words(found.get("value", ""))) for found in maps)
        yield f"logfile {name}", f"logfile.conf, profile {name}, map", Element("map", within=(name,)), telling


def log_files(answers: Answers) -> dict[str, str]:
    """Where they are, by their names."""
    standard = f"{answers.globals.get('log_dir', '')}/freeswitch.log"
    return {
        f"logfile {name}": parameters(profile).get("logfile") or standard
        for name, profile in named(answers.configuration("logfile"), "./profiles/profile")
    }


def _daemons(answers: Answers) -> Iterator[tuple[str, str, Element, bool]]:
    for name in ("syslog", "graylog2"):
        if answers.is_loaded(f"mod_{name}"):
            value = parameters(answers.configuration(name)).get("loglevel", "warning")
            yield name, f"{name}.conf, loglevel", Element.parameter("loglevel"), level_of(value) >= INFO


# --- 15: SIP traces --------------------------------------------------------------------------


def traces(answers: Answers, wanted: Wanted) -> Iterator[Found]:
    """15. No SIP message is written down, or copied elsewhere."""
    sofia = answers.configuration("sofia")
    server = parameters(sofia, "global_settings").get("capture-server")
    for name, profile in named(sofia, "./profiles/profile"):
        settings = parameters(profile)
        if is_true(settings.get("sip-trace")):
            yield bad(
                f"{name} sip-trace",
                "every SIP message is written into the log: numbers, names, and keys that come by INFO (the next load)",
                f"set it to no, then 'sofia profile {name} siptrace off'",
                f"sofia.conf, profile {name}, sip-trace",
                Element.parameter("sip-trace", name),
            )
        if is_true(settings.get("sip-capture")) and server:
            yield bad(
                f"{name} sip-capture",
                "every SIP message is copied to a capture server: numbers, names, and keys that come by INFO (the "
                "next load)",
                f"set it to no, then 'sofia profile {name} capture off'; or answer for it in check.known",
                f"sofia.conf, profile {name}, sip-capture",
                Element.parameter("sip-capture", name),
            )
    probed = answers.said(switch.LOG).splitlines()
    for name in answers.profiles:
        if f"sip {name} {TRACED}" in probed:
            yield bad(
                f"{name} now",
                "a message that we sent it was written into the log: every SIP message is, with numbers, names and "
                "keys that come "
                "by INFO",
                f"'sofia global siptrace off', or 'sofia profile {name} siptrace off'",
                f"sofia profile {name} siptrace",
            )
        elif probed and f"sip {name} {SILENT}" not in probed:
            yield not_seen(
                f"{name} now",
                "whether SIP messages are written into the log cannot be asked, and it did not answer the one that "
                "we sent",
                f"'sofia profile {name} siptrace off' makes sure",
                f"sofia profile {name} siptrace",
            )


# --- 17: call records ------------------------------------------------------------------------

CALL_RECORDS = {
    "mod_cdr_csv": "cdr_csv",
    "mod_cdr_mongodb": "cdr_mongodb",
    "mod_cdr_pg_csv": "cdr_pg_csv",
    "mod_cdr_sqlite": "cdr_sqlite",
    "mod_format_cdr": "format_cdr",
    "mod_json_cdr": "json_cdr",
    "mod_odbc_cdr": "odbc_cdr",
    "mod_radius_cdr": "mod_radius_cdr",
    "mod_xml_cdr": "xml_cdr",
}
"""Modules that write call records, and their configurations."""

OF_ALL_VARIABLES = ("mod_format_cdr", "mod_json_cdr", "mod_xml_cdr")


def call_records(answers: Answers, wanted: Wanted) -> Iterator[Found]:
    """17. Numbers, and what was pressed, do not outlive our terms in call records."""
    for module, name in CALL_RECORDS.items():
        if not answers.is_loaded(module):
            continue
        configuration = answers.configuration(name)
        if module == "mod_cdr_csv" and is_true(parameters(configuration).get("debug")):
            yield warning(
                f"{module} debug",
                "every variable of a call is written into the log when it ends: numbers, and the digits that were "
                "pressed on legs "
                "that are not ours",
                "set debug to false, then 'reload mod_cdr_csv'",
                "cdr_csv.conf, debug",
                Element.parameter("debug"),
            )
        all_of_it = module in OF_ALL_VARIABLES or "digits_dialed" in _text(configuration)
        said = "numbers are kept in its call records, for as long as you keep those" + (
            ", and the digits that were pressed on legs that are not of our calls (on ours they are crossed out)"
            if all_of_it
            else ""
        )
        yield warning(
            module,
            said,
            "give them a term, erase them with a person (docs/persons.md, What the switch itself keeps), and answer "
            "for it in "
            "check.known; or set "
            "process_cdr=false on calls that need none",
            f"modules.conf, {module}",
            load(module),
        )


def _text(element: ElementTree.Element) -> str:
    return " ".join([*element.itertext(), *(str(one.get("value")) for one in element.iter())])
