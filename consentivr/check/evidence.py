"""Rows 10 to 13: what makes a recording other than it should be, and what makes the keys deaf."""

from __future__ import annotations

from collections.abc import Iterator

from consentivr import switch
from consentivr.check.answers import Answers, is_true, named, parameters
from consentivr.check.finding import Element
from consentivr.check.found import Found, Wanted, bad, warning, when
from consentivr.check.recorders import global_variable, set_in_dialplan

CHANGES_RECORDINGS = {
    "RECORD_ANSWER_REQ": "recorders wait for an answer",
    "RECORD_APPEND": "recorders write on into a file that is there",
    "RECORD_BRIDGE_REQ": "recorders wait for a bridge",
    "RECORD_CHECK_BRIDGE": "a recorder on one leg hinders one on the other",
    "RECORD_FINAL_TIMEOUT_MS": "recorders end when it is silent for a while",
    "RECORD_HANGUP_ON_ERROR": "a full disk hangs up whoever is recorded",
    "RECORD_INITIAL_TIMEOUT_MS": "recorders end when it is silent at first",
    "RECORD_MIN_SEC": "a short recording is thrown away",
    "RECORD_PRE_BUFFER_FRAMES": "recorders begin late",
    "RECORD_READ_ONLY": "only one side is in a recording",
    "RECORD_SILENCE_THRESHOLD": "recorders look for silence",
    "RECORD_STEREO_SWAP": "the sides of a recording are exchanged",
    "RECORD_TOGGLE_ON_REPEAT": "who starts a recorder a second time stops it",
    "RECORD_USE_THREAD": "recorders write in the thread of the call",
    "RECORD_WRITE_ONLY": "only one side is in a recording",
    "enable_file_write_buffering": "recordings are written at other times",
    "media_bug_answer_req": "nothing listens before an answer",
    "record_sample_rate": "recordings have another rate",
}
"""Variables that every recorder obeys, and that a global variable sets for all (switch_ivr_async.c, 1.10.12). Ours are
neutral on both legs of our calls (``switch.NEUTRAL``); RECORD_BRIDGE_REQ we set ourselves."""

UNTOUCHED = ("", "false", "no", "off", "0")


def recorders(answers: Answers, wanted: Wanted) -> Iterator[Found]:
    """10. No global variable changes what a recorder does."""
    for variable, said in CHANGES_RECORDINGS.items():
        value = answers.set_globally(variable)
        if value is not None and value.casefold() not in UNTOUCHED:
            yield warning(
                variable,
                f"{said}: set for every channel. On the legs of our calls it has no effect, we set it there; other "
                "recorders, "
                "and those of a queue that records by law, may obey it",
                f"take it out of vars.xml, and 'global_setvar {variable}='",
                f"vars.xml, {variable}",
                global_variable(variable),
            )


FOLLOWS = "recording_follow_transfer"


def follow(answers: Answers, wanted: Wanted) -> Iterator[Found]:
    """11. No recorder moves to another leg."""
    said = (
        "a recorder goes on with another leg after a transfer; on the legs of our calls it is off, on others it is not"
    )
    if is_true(answers.set_globally(FOLLOWS)):
        yield warning(
            "every call",
            f"{said} (a global variable)",
            f"take it out of vars.xml, and 'global_setvar {FOLLOWS}=false'",
            f"vars.xml, {FOLLOWS}",
            global_variable(FOLLOWS),
        )
    users = [
        variable
        for variable in answers.xml(switch.DIRECTORY).iter("variable")
        if variable.get("name", "").casefold() == FOLLOWS and is_true(variable.get("value"))
    ]
    if users:
        yield warning(
            "directory",
            f"{said} (in the directory, {len(users)} times)",
            f"take {FOLLOWS} out of the directory, or set it to false",
            f"directory, {FOLLOWS}",
            Element("variable", (("name", FOLLOWS),)),
        )
    for context, name in set_in_dialplan(answers, FOLLOWS, true_only=True):
        yield warning(
            f"{context}/{name}",
            f"{said} (set in the dialplan)",
            "take it away, or set it to false",
            f"dialplan, context {context}, extension {name}, {FOLLOWS}",
            Element("action", within=(name,), holds=f"{FOLLOWS}="),
        )


# --- 12: sound goes past the switch ----------------------------------------------------------

_PAST_US = {"nomedia": "inbound-bypass-media", "proxy-media": "inbound-proxy-media"}


def media(answers: Answers, wanted: Wanted) -> Iterator[Found]:
    """12. Sound and keys come through the switch."""
    if answers.is_loaded("mod_sofia") is False:
        said = "mod_sofia is not loaded: no call comes by SIP, and nothing of its profiles can be seen"
        yield bad("module", said, "load it; the switch's log says why it is not", "modules.conf, mod_sofia")
    coming = {
        name: parameters(profile) for name, profile in named(answers.configuration("sofia"), "./profiles/profile")
    }
    for name in sorted({*answers.profiles, *coming}):
        loaded = answers.xml(switch.profile(name)).find("./profile-info") if name in answers.profiles else None
        settings = coming.get(name, {})
        for seen, setting in _PAST_US.items():
            now = loaded is not None and loaded.findtext(seen) == "true"
            next_ = is_true(settings.get(setting))
            if now or next_:
                said = "sound goes past the switch: a caller can neither be asked nor recorded, and no key is heard"
                yield _of_profile(name, setting, f"{said} ({when(now, next_)})")
        now = loaded is not None and loaded.findtext("dtmf-mode") == "none"
        next_ = settings.get("dtmf-type", "").casefold() == "none"
        if now or next_:
            said = "no keys come through: a caller can neither agree nor take it back"
            yield _of_profile(name, "dtmf-type", f"{said} ({when(now, next_)})")
    for variable in ("bypass_media", "proxy_media"):
        if is_true(answers.set_globally(variable)):
            yield bad(
                variable,
                "sound goes past the switch once two legs are connected: no recorder hears it, and no '*9'",
                f"take it out of vars.xml, and 'global_setvar {variable}=false'",
                f"vars.xml, {variable}",
                global_variable(variable),
            )


def _of_profile(name: str, setting: str, said: str) -> Found:
    return bad(
        f"{name} {setting}",
        said,
        f"take {setting} out of the profile, or give our callers another one; then 'sofia profile {name} restart'",
        f"sofia.conf, profile {name}, {setting}",
        Element.parameter(setting, name),
    )


# --- 13: keys that nobody hears --------------------------------------------------------------


def keys(answers: Answers, wanted: Wanted) -> Iterator[Found]:
    """13. What keeps keys secret does not keep them from us: '*9' is one."""
    for name, profile in named(answers.configuration("sofia"), "./profiles/profile"):
        if is_true(parameters(profile).get("pass-rfc2833")):
            yield _of_profile(
                name,
                "pass-rfc2833",
                "in a talk keys are passed on unheard: '*9' and the agents' keys do nothing, and a channel cannot "
                "have it "
                "otherwise",
            )
    for variable, said in (
        ("pass_rfc2833", "in a talk keys are passed on unheard: '*9' and the agents' keys do nothing"),
        (
            "sensitive_dtmf",
            "no key is told to us: '*9' and the agents' keys do nothing, though the log is silent as well",
        ),
    ):
        if is_true(answers.set_globally(variable)):
            yield bad(
                variable,
                f"{said} (a global variable)",
                f"take it out of vars.xml, and 'global_setvar {variable}=false'; what keeps keys out of the log is "
                "row 14",
                f"vars.xml, {variable}",
                global_variable(variable),
            )
        for context, name in set_in_dialplan(answers, variable, true_only=True):
            if not name.startswith("consentivr-"):  # the agents' line: their PINs
                yield warning(
                    f"{context}/{name}",
                    f"{said} (set in the dialplan), where this comes before our line, or after a transfer",
                    f"set {variable}=false before the call goes on to people",
                    f"dialplan, context {context}, extension {name}, {variable}",
                    Element("action", within=(name,), holds=f"{variable}="),
                )
