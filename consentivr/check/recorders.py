"""Rows 1 to 7 and 9: what records by itself, by a key, or after a transfer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree

from consentivr import switch
from consentivr.check.answers import Answers, is_true, named, parameters
from consentivr.check.finding import Element
from consentivr.check.found import (
    LISTENING,
    LISTENS,
    RECORDING,
    RECORDS,
    RUNS_BY_ITSELF,
    Found,
    Wanted,
    bad,
    leads_elsewhere,
    not_seen,
    shown,
    some,
    warning,
    when,
)

OUR_TEMPLATE = "${consent_record_file}"
"""Real after a yes, impossible otherwise: harmless wherever it stands."""

CALLCENTER = switch.configuration("callcenter")
SOFIA = switch.configuration("sofia")
CONFERENCE = switch.configuration("conference")


# --- 1: queues -------------------------------------------------------------------------------


def templates(answers: Answers) -> tuple[dict[str, str], dict[str, str]]:
    """Each queue's record-template as it is loaded, and as the next load gives it."""
    loaded = {str(row.get("name")): str(row.get("record_template") or "") for row in answers.rows(switch.QUEUES)}
    coming = {
        name: parameters(queue, "").get("record-template", "")
        for name, queue in named(answers.configuration("callcenter"), "./queues/queue")
    }
    return loaded, coming


def queues(answers: Answers, wanted: Wanted) -> Iterator[Found]:
    """1. No queue records by itself but those that a law wants recorded; ours are loaded.

    An empty template is none (switch_event.c drops empty headers); FusionPBX writes one for "no".
    """
    if answers.is_loaded("mod_callcenter") is False:
        yield bad(
            "module", "mod_callcenter is not loaded: there are no queues", "load it in modules.conf.xml", "modules"
        )
        return
    loaded, coming = templates(answers)
    if answers.why_unseen(switch.QUEUES) is None:
        for name in wanted.queues:
            if name not in loaded:
                yield bad(
                    name,
                    "the queue is not loaded: its callers would be let go",
                    f"include autoload_configs/consentivr/queues.xml in callcenter.conf.xml, then "
                    f"'callcenter_config queue load {name}'",
                    f"callcenter.conf, queue {name}",
                )
    for name in sorted({*loaded, *coming}):
        ought = wanted.queues.get(name) or ""
        harmless = {ought} if name in wanted.demanded else {ought, OUR_TEMPLATE, ""}
        seen = [template for template in (loaded.get(name), coming.get(name)) if template is not None]
        wrong = [template for template in seen if template not in harmless]
        if not wrong:
            continue
        at = when(loaded.get(name) == wrong[0], coming.get(name) in wrong)
        setting, load = f"callcenter.conf, queue {name}, record-template", f"'callcenter_config queue reload {name}'"
        if not wrong[0]:
            mend = (
                f"let the queue be the one that we render ('consentivr render'), and no other of its name; then {load}"
            )
            said = f"has no record-template, and a statute demands its recording ({at})"
            yield bad(name, said, mend, setting, Element("queue", (("name", name),)))
        else:
            level = bad if name in wanted.queues else warning
            mend = f"take it out of the queue, or render ours; then {load}"
            yield level(name, f"{_records(wrong[0])} ({at})", mend, setting, Element.parameter("record-template", name))


def _records(template: str) -> str:
    said = f"records every member of the queue, to {shown(template)}, whatever the caller said"
    if template.startswith("${"):
        said += "; where that comes to nothing, FreeSWITCH records all the same, into its own folder"
    return said


# --- 2: agents -------------------------------------------------------------------------------

_RUN = re.compile(r"((?:execute|api)_on_\w+)\s*=\s*('[^']*'|\"[^\"]*\"|[^,\]}]*)", re.ASCII)


def agents(answers: Answers, wanted: Wanted) -> Iterator[Found]:
    """2. Nothing starts by itself on an agent's leg."""
    loaded = {str(row.get("name")): str(row.get("contact") or "") for row in answers.rows(switch.AGENTS)}
    coming = {
        name: agent.get("contact", "") for name, agent in named(answers.configuration("callcenter"), "./agents/agent")
    }
    who: dict[tuple[str, str], dict[str, tuple[bool, bool]]] = {}
    for name in sorted({*loaded, *coming}):
        now, next_ = (set(_RUN.findall(contacts.get(name, ""))) for contacts in (loaded, coming))
        for variable, value in sorted(now | next_):
            runs = who.setdefault((variable, _run(value)), {})
            runs[name] = ((variable, value) in now, (variable, value) in next_)
    for (variable, word), names in who.items():
        yield _runs(
            variable,
            word,
            f"{some(list(names))}: {when(*map(any, zip(*names.values(), strict=True)))}",
            "take it out of the agent's contact, in callcenter.conf.xml and in mod_callcenter's database "
            "('callcenter_config agent set contact ...')",
            f"callcenter.conf, agent {some(list(names))}, contact",
            Element("agent", (("name", next(iter(names))),)),
        )
    for variable, value in answers.globals.items():
        if RUNS_BY_ITSELF.match(variable.casefold()):
            yield _runs(
                f"every leg, {variable}",
                _run(value),
                "a global variable",
                f"take it out of vars.xml, and 'global_setvar {variable}='",
                f"vars.xml, {variable}",
                global_variable(variable),
            )


def _run(value: str) -> str:
    """What is executed, without what it is given: that may hold a number."""
    recorder = RECORDS.search(value)
    return recorder[1] if recorder else shown(re.split(r"[\s:]", value.strip("'\" "), maxsplit=1)[0])


def _runs(subject: str, word: str, at: str, mend: str, setting: str, element: Element) -> Found:
    if word in RECORDING:
        said = f"'{word}' starts by itself on this leg ({at})"
        return bad(f"{subject} {word}", said, mend, setting, element)
    said = f"runs '{word}' on this leg by itself ({at}): whether that records cannot be told from here"
    return warning(f"{subject} {word}", said, mend, setting, element)


def global_variable(name: str) -> Element:
    """``<X-PRE-PROCESS cmd="set" data="NAME=..."/>``."""
    return Element("X-PRE-PROCESS", holds=f"{name}=")


# --- 3: the directory ------------------------------------------------------------------------

USER_RECORD = "user_record"
RECORDED_CALLS = ("all", "inbound", "outbound", "local")


def asked_users(answers: Answers, wanted: Wanted) -> tuple[str, ...]:
    """Who is dialled as a user of the directory: agents by their contact, and by ``agents.users``."""
    contacts = [str(row.get("contact") or "") for row in answers.rows(switch.AGENTS)]
    dialled = [found[1] for contact in contacts if (found := re.search(r"\buser/([\w.+-]+@[\w.-]+)", contact))]
    return tuple(sorted({user for user in (*wanted.users, *dialled) if switch.is_word(user) and "@" in user}))


def about_users(answers: Answers, wanted: Wanted) -> list[str]:
    """What to ask of each of them."""
    users = asked_users(answers, wanted)
    return [
        command
        for user in users
        for command in (switch.user_is_there(user), switch.variable_of_user(user, USER_RECORD))
        if not (command.startswith("user_data") and answers.said(switch.user_is_there(user)) == "false")
    ]


def directory(answers: Answers, wanted: Wanted) -> Iterator[Found]:
    """3. Nobody's directory entry starts a recorder."""
    recorded: dict[tuple[str, str], list[str]] = {}
    for domain, name, variables in _users(answers.xml(switch.DIRECTORY)):
        for variable, value in variables.items():
            if _of_a_user(variable, value):
                recorded.setdefault((variable, _told(value)), []).append(f"{name}@{domain}")
    for user in asked_users(answers, wanted):
        value = answers.said(switch.variable_of_user(user, USER_RECORD))
        if value in RECORDED_CALLS and user not in recorded.get((USER_RECORD, value), ()):
            recorded.setdefault((USER_RECORD, value), []).append(user)
    for (variable, value), users in sorted(recorded.items()):
        yield warning(
            f"{variable} {value}",
            f"calls that are passed on to {some(users)} are recorded by the dialplan of the directory, whatever the "
            "caller said; the watch stops that only once it has begun",
            f"turn it off, or let the dialplan that reads it ask for ${{consent_no_record}} as well: {variable}",
            f"directory, {variable} of {some(users)}",
            Element("variable", (("name", variable),)),
        )
    if source := answers.bound("directory"):
        yield not_seen("other users", f"the directory comes from {source}: only of agents it can be asked")


def _users(root: ElementTree.Element) -> Iterator[tuple[str, str, dict[str, str]]]:
    for domain in root.iter("domain"):
        common = _variables(domain)
        for group in domain.iter("group"):
            for user in group.iter("user"):
                yield domain.get("name", ""), user.get("id", ""), common | _variables(group) | _variables(user)
        for user in domain.findall("./users/user"):
            yield domain.get("name", ""), user.get("id", ""), common | _variables(user)


def _variables(element: ElementTree.Element) -> dict[str, str]:
    found = element.findall("./variables/variable")
    return {one.get("name", ""): one.get("value", "") for one in found}


def _of_a_user(variable: str, value: str) -> bool:
    if variable.casefold() == USER_RECORD:
        return value in RECORDED_CALLS
    return bool(RUNS_BY_ITSELF.match(variable.casefold()) and RECORDS.search(value))


def _told(value: str) -> str:
    recorder = RECORDS.search(value)
    return recorder[1] if recorder else shown(value)


# --- 4: the dialplan -------------------------------------------------------------------------


def steps(answers: Answers) -> Iterator[tuple[str, ElementTree.Element, str, str]]:
    """Context, extension, application and its data, of each action."""
    for context, body in named(answers.xml(switch.DIALPLAN), ".//context"):
        for extension in body.iter("extension"):
            for action in extension.iter():
                if action.tag in ("action", "anti-action"):
                    yield context, extension, action.get("application", ""), action.get("data") or (action.text or "")


def _asks_for_consent(extension: ElementTree.Element, data: str) -> bool:
    """Whether it heeds the caller's word: a condition on the flag, or the path that is real after a yes alone."""
    conditions = [condition.get("field", "") for condition in extension.iter("condition")]
    return OUR_TEMPLATE in data or any("consent_no_record" in field for field in conditions)


def dialplan(answers: Answers, wanted: Wanted) -> Iterator[Found]:
    """4. Nothing in the dialplan records, or listens, where our callers may come after a transfer or by a key."""
    found: dict[tuple[str, str, str], Found] = {}
    for context, extension, application, data in steps(answers):
        words = f"{application} {data}"
        recorder, listener = RECORDS.search(words), LISTENS.search(words)
        if not (recorder or listener) or _asks_for_consent(extension, data):
            continue
        name = extension.get("name", "")
        word = (recorder or listener)[1]  # type: ignore[index]
        how = "by key" if application.startswith("bind_") else "when a call comes here"
        if recorder:
            said = f"'{word}' {how}: a caller who said no and is passed on may be recorded until the watch stops it"
        else:
            said = f"'{word}' {how}: somebody may listen to a caller who did not agree; talks.taps says what follows"
        found.setdefault(
            (context, name, word),
            warning(
                f"{context}/{name} {word}",
                said,
                f"take it out, or put a condition on ${{consent_no_record}} before it, or record to {OUR_TEMPLATE}",
                f"dialplan, context {context}, extension {name}",
                Element("action", within=(name,), holds=word),
            ),
        )
    yield from found.values()
    if source := answers.bound("dialplan"):
        yield not_seen(
            "other contexts",
            f"the dialplan comes from {source}, which answers for a call, not for all of it",
            "look through it yourself for: " + ", ".join((*RECORDING, *LISTENING)),
        )


# --- 5, 6, 7: telephones, conferences, fifo --------------------------------------------------


def telephones(answers: Answers, wanted: Wanted) -> Iterator[Found]:
    """5. No telephone switches a recorder on."""
    for name, profile in named(answers.configuration("sofia"), "./profiles/profile"):
        if parameters(profile).get("record-template"):
            yield warning(
                name,
                "a telephone may switch a recorder on (INFO with 'Record: on'). The legs of our calls refuse it; "
                "the one of "
                "somebody to whom a caller is passed on does not",
                f"take record-path and record-template out of the profile, then 'sofia profile {name} restart'",
                f"sofia.conf, profile {name}, record-template",
                Element.parameter("record-template", name),
            )


def conferences(answers: Answers, wanted: Wanted) -> Iterator[Found]:
    """6. No conference records by itself."""
    for name, profile in named(answers.configuration("conference"), "./profiles/profile"):
        if parameters(profile, "").get("auto-record"):
            yield warning(
                f"profile {name}",
                "a conference of this profile records whoever comes into it, until the watch stops it",
                "take auto-record out of it, or give our callers another profile",
                f"conference.conf, profile {name}, auto-record",
                Element.parameter("auto-record", name),
            )
    for room in answers.rows(switch.CONFERENCES):
        if any(member.get("type") == "recording_node" for member in room.get("members", ())):
            yield warning(
                "now",
                "a conference is being recorded now",
                "'conference list' names it; 'conference NAME norecord all' ends it",
                "conference json_list",
            )
            break
    yield from _set_by_dialplan_or_globally(
        answers, "conference_auto_record", "every conference is recorded", "take it away"
    )


def fifo(answers: Answers, wanted: Wanted) -> Iterator[Found]:
    """7. mod_fifo records nobody."""
    yield from _set_by_dialplan_or_globally(
        answers, "fifo_record_template", "mod_fifo records whoever it connects", "take it away"
    )


def _set_by_dialplan_or_globally(answers: Answers, variable: str, said: str, mend: str) -> Iterator[Found]:
    if answers.set_globally(variable):
        yield warning(
            "every call",
            f"{said} (a global variable)",
            f"{mend}: in vars.xml, and 'global_setvar {variable}='",
            f"vars.xml, {variable}",
            global_variable(variable),
        )
    for context, name in set_in_dialplan(answers, variable):
        yield warning(
            f"{context}/{name}",
            f"{said} (set in the dialplan)",
            mend,
            f"dialplan, context {context}, extension {name}, {variable}",
            Element("action", within=(name,), holds=f"{variable}="),
        )


def set_in_dialplan(answers: Answers, variable: str, *, true_only: bool = False) -> list[tuple[str, str]]:
    """Where: context and extension."""
    places: dict[tuple[str, str], None] = {}
    assigned = re.compile(rf"(?<!\w){re.escape(variable)}=([^,|\s]*)", re.IGNORECASE)
    for context, extension, _, data in steps(answers):
        value = assigned.search(data)
        if value and (is_true(value[1]) if true_only else value[1]):
            places[(context, extension.get("name", ""))] = None
    return list(places)


# --- 9: where recordings go ------------------------------------------------------------------


def elsewhere(answers: Answers, wanted: Wanted) -> Iterator[Found]:
    """9. No recording goes to where an erasure does not reach it, by an address or by a copy."""
    loaded, coming = templates(answers)
    targets = [
        *((f"callcenter.conf, queue {name}, record-template", t, Element.parameter("record-template", name))
          for name, t in {*loaded.items(), *coming.items()}),
        *((f"sofia.conf, profile {name}, {key}", parameters(profile).get(key, ""), Element.parameter(key, name))
          for name, profile in named(answers.configuration("sofia"), "./profiles/profile")
          for key in ("record-path", "record-template")),
        *((f"conference.conf, profile {name}, auto-record", parameters(profile, "").get("auto-record", ""),
           Element.parameter("auto-record", name))
          for name, profile in named(answers.configuration("conference"), "./profiles/profile")),
        *((f"vars.xml, {name}", answers.set_globally(name) or "", global_variable(name))
          for name in ("fifo_record_template", "conference_auto_record")),
    ]  # fmt: skip
    targets += [
        (
            f"dialplan, context {context}, extension {extension.get('name', '')}",
            data,
            Element("action", within=(extension.get("name", ""),), holds="://"),
        )
        for context, extension, application, data in steps(answers)
        if RECORDS.search(f"{application} {data}")
    ]
    for setting, target, element in targets:
        if leads_elsewhere(target):
            yield bad(
                setting,
                f"a recording would go to {shown(target)}: no erasure of ours reaches it there",
                "record to a file, and let what needs a copy take it from there, with a term of its own",
                setting,
                element,
            )
    for variable in POST_PROCESS:
        if answers.set_globally(variable):
            yield bad(
                variable,
                "something is run with each recording when it is complete: what it makes of it, no erasure reaches, "
                "and a "
                "file that it moves is missing from the evidence",
                f"take it away: in vars.xml, and 'global_setvar {variable}='",
                f"vars.xml, {variable}",
                global_variable(variable),
            )


POST_PROCESS = ("record_post_process_exec_api", "record_post_process_exec_app")
