"""FreeSWITCH's own words: channel variables of ours, the path that cannot be recorded to, API commands.

Every command that we give by name of a channel or a file is made here, from what is known to be harmless: channel
UUIDs, and paths without blanks or variables (promise P7).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from consentivr.numbers import as_received
from consentivr.recordings import is_channel_uuid

PROOF, CALLED_AT = "consent_proof", "consent_called_at"
"""That the dialplan which we rendered has called, and when (Unix time, seconds)."""
SECRET = "consent_secret"  # noqa: S105 - its name
"""A global variable, by which it does."""
VISIT = "consent_visit"
LINE = "consent_line"
DECISION = "consent_decision"
NO_RECORD = "consent_no_record"
RECORD_FILE = "consent_record_file"
PAUSED = "consent_paused"
LANGUAGE = "consent_language"
"""The language that a caller wants, set by whoever had the call before us; by us, when a key chose it."""
UNANSWERED = "consent_unanswered"
"""What the caller hears when the queue ends without an agent, in the caller's language; see the rendered dialplan."""
JOINED_BEFORE = "consent_joined_before"
JOINED = "cc_queue_joined_epoch"
"""When the caller joined a queue: mod_callcenter's own word, and what it was at the arrival on the line."""
PARTNER = "signal_bond"
"""The leg that a channel talks to now; unset while it is alone or in a conference (FREESWITCH.md, section 7)."""
HANDLED = "consent_handled"
"""Set just before ``callcenter``; see the rendered dialplan."""

STILL_RECORDING = re.compile(r"[^\x21-\x7e]|\$\{|'|\"")
"""What a path in a command must not hold: FreeSWITCH ends it at a blank, and expands a variable."""


def caller_id_number(headers: Mapping[str, str]) -> str | None:
    """The caller's number in an event of the caller's leg; None when it is withheld (FREESWITCH.md, section 2).

    The switch gives the number that the network asserted also of who asked for privacy.
    """
    wishes = re.split(r"[\s;,]+", headers.get("variable_sip_Privacy", "").casefold())
    if headers.get("Caller-Privacy-Hide-Number") == "true" or {"id", "user", "header"} & set(wishes):
        return None
    return as_received(headers.get("Caller-Caller-ID-Number", "")[:64])


def unrecordable(channel_uuid: str) -> str:
    """A path that can never be created (FREESWITCH.md, section 4)."""
    return f"/dev/null/no-record/{channel_uuid}.wav"


def is_recordable(path: str | None) -> bool:
    """Whether a channel's ``consent_record_file`` is a real file."""
    return bool(path) and not str(path).startswith("/dev/null/")


def can_be_named(path: str) -> bool:
    """Whether a path can stand in a command."""
    return path.startswith("/") and not STILL_RECORDING.search(path)


def _leg(channel_uuid: str) -> str:
    if not is_channel_uuid(channel_uuid):
        raise ValueError("not a channel UUID")
    return channel_uuid


def _path(path: str) -> str:
    if not can_be_named(path):
        raise ValueError("a path that cannot stand in a command")
    return path


# --- recorders -------------------------------------------------------------------------------


def start_recorder(leg: str, path: str) -> str:
    return f"uuid_record {_leg(leg)} start {_path(path)}"


def stop_recorder(leg: str, path: str) -> str:
    return f"uuid_record {_leg(leg)} stop {_path(path)}"


def stop_all_recorders(leg: str) -> str:
    return f"uuid_record {_leg(leg)} stop all"


def mask_recorder(leg: str, path: str, on: bool) -> str:
    return f"uuid_record {_leg(leg)} {'mask' if on else 'unmask'} {_path(path)}"


def is_conference_name(conference: str) -> bool:
    """Whether a conference can be named in a command."""
    return re.fullmatch(r"[\w.@+-]+", conference) is not None


def _conference(name: str) -> str:
    if not is_conference_name(name):
        raise ValueError("a conference that cannot be named in a command")
    return name


def stop_conference_recording(conference: str, path: str) -> str:
    return f"conference {_conference(conference)} norecord {_path(path)}"


def stop_all_conference_recordings(conference: str) -> str:
    return f"conference {_conference(conference)} norecord all"


def taps_of(leg: str) -> str:
    return f"uuid_buglist {_leg(leg)}"


# --- channels --------------------------------------------------------------------------------


def exists(leg: str) -> str:
    return f"uuid_exists {_leg(leg)}"


def dump(leg: str) -> str:
    return f"uuid_dump {_leg(leg)} json"


def dumped(answer: str) -> dict[str, str]:
    """What ``dump`` answered; nothing when that cannot be read."""
    try:
        channel = json.loads(answer)
    except ValueError:
        return {}
    return {name: text for name, text in channel.items() if isinstance(text, str)} if isinstance(channel, dict) else {}


def variable_of(leg: str, name: str) -> str:
    return f"uuid_getvar {_leg(leg)} {name}"


def set_variables(leg: str, values: Mapping[str, str]) -> str:
    """Values must be words of ours."""
    pairs = ";".join(f"{name}={value}" for name, value in values.items())
    if re.search(r"[\s']|\$\{", pairs) or pairs.count(";") != len(values) - 1:
        raise ValueError("a value that cannot stand in a command")
    return f"uuid_setvar_multi {_leg(leg)} {pairs}"


def play_to(leg: str, path: str, *, both: bool) -> str:
    return f"uuid_broadcast {_leg(leg)} {_path(path)} {'both' if both else 'aleg'}"


def one_after_another(paths: Sequence[str]) -> str:
    """What plays several files as one; silence for none."""
    if len(paths) > 1:
        return "file_string://" + "!".join(map(_path, paths))
    return paths[0] if paths else "silence_stream://10"


def hang_up(leg: str) -> str:
    return f"uuid_kill {_leg(leg)}"


CHANNELS = "show channels as json"
CALLS = "show calls as json"
CONFERENCES = "conference json_list"
SWITCHNAME = "switchname"
WATCHED_UNTIL = "global_getvar consentivr_watched_until"
"""The switch keeps for us, over every restart of ours, until when it was watched; Unix time in ms."""
CORE_UUID = "global_getvar core_uuid"


def watched_until(at_ms: int) -> str:
    """Let the switch keep that it is watched now."""
    return f"global_setvar consentivr_watched_until={at_ms}"


def watchdog(channel_uuid: str, seconds: int, extension: str, context: str) -> str:
    """Take the call back after so many seconds; in a group of its own, so that it is cancelled alone."""
    return (
        f"sched_api +{seconds} {watchdog_group(channel_uuid)} "
        f"uuid_transfer {_leg(channel_uuid)} {extension} XML {context}"
    )


def no_watchdog(channel_uuid: str) -> str:
    return f"sched_del {watchdog_group(_leg(channel_uuid))}"


def watchdog_group(channel_uuid: str) -> str:
    return f"consentivr-{channel_uuid}"


def permission(path: str, *, stereo: bool) -> dict[str, str]:
    """The variables of a channel that may be recorded to ``path``: all that a global variable could change."""
    return {
        "RECORD_STEREO": "true" if stereo else "false",
        "RECORD_BRIDGE_REQ": "true",
        **NEUTRAL,
        RECORD_FILE: path,
        NO_RECORD: "false",
        DECISION: "given",
    }


NEUTRAL = {
    "RECORD_ANSWER_REQ": "false",
    "RECORD_APPEND": "false",
    "RECORD_CHECK_BRIDGE": "false",
    "RECORD_FINAL_TIMEOUT_MS": "-1",
    "RECORD_HANGUP_ON_ERROR": "false",
    "RECORD_INITIAL_TIMEOUT_MS": "-1",
    "RECORD_MIN_SEC": "0",
    "RECORD_PRE_BUFFER_FRAMES": "25",
    "RECORD_READ_ONLY": "false",
    "RECORD_SILENCE_THRESHOLD": "-1",
    "RECORD_STEREO_SWAP": "false",
    "RECORD_TOGGLE_ON_REPEAT": "false",
    "RECORD_USE_THREAD": "true",
    "RECORD_WRITE_ONLY": "false",
    "enable_file_write_buffering": "true",
    "media_bug_answer_req": "false",
    "record_sample_rate": "0",
    "recording_follow_transfer": "false",
}
"""A global variable is every channel's default: one of these, set somewhere, would change our recordings. Each has here
what FreeSWITCH does without it (switch_ivr_async.c, switch_core_media_bug.c, 1.10.12); a text in the file's header
(RECORD_TITLE and its like) changes no sound, and has no such value."""

UNTOLD_DIGITS = {"digits_dialed_filter": "^(.*)$"}
"""Call records have the keys that were pressed on a leg; with this they have a letter for each (switch_channel.c)."""


def refusal(channel_uuid: str, decision: str) -> dict[str, str]:
    """The variables of a channel that may not be recorded (any more)."""
    return {NO_RECORD: "true", RECORD_FILE: unrecordable(channel_uuid), DECISION: decision}


# --- how it is set up ------------------------------------------------------------------------

STATUS, NOT_READY = "show status", "is not ready"
"""What it answers while it still loads, is paused, or ends."""
GLOBALS = "global_getvar"
"""Without a name: every global variable, secrets too."""
MODULES = "show modules as json"
APIS = "show api as json"
QUEUES = 'json {"command":"callcenter_config","data":{"arguments":"queue list"}}'
"""As mod_callcenter has loaded them."""
AGENTS = 'json {"command":"callcenter_config","data":{"arguments":"agent list"}}'
PROFILES = "sofia xmlstatus"
LOG = "log 7"
"""No API command, and no question: what is written into the log is looked for there (``check.probe``). Never ask
``fsctl loglevel`` for the level: without one it switches every log off (FREESWITCH.md, section 14)."""
DIALPLAN, DIRECTORY = "xml_locate dialplan", "xml_locate directory"
"""What the next call gets: also what a module answers for the whole of it."""


LOADS = ("RELOADXML", "MODULE_LOAD", "MODULE_UNLOAD")
"""Events: it reads its configuration anew, or a module comes or goes."""


def is_loaded(module: str) -> str:
    return f"module_exists {_word(module)}"


def log_line(text: str) -> str:
    """Let the switch log a line at the level at which it logs keys. ``text`` must be words of ours."""
    return f"log info {text}"


def configuration(name: str) -> str:
    """What a module would load next, from ``NAME.conf``."""
    return f"xml_locate configuration configuration name {_word(name)}.conf"


def profile(name: str) -> str:
    """A SIP profile as it is loaded."""
    return f"sofia xmlstatus profile {_word(name)}"


def user_is_there(user: str) -> str:
    """``user`` as ``name@domain``."""
    name, _, domain = user.partition("@")
    return f"user_exists id {_word(name)} {_word(domain)}"


def variable_of_user(user: str, name: str) -> str:
    return f"user_data {_word(user)} var {_word(name)}"


def lets_in(address: str, acl: str) -> str:
    """Whether an access list lets an address in."""
    return f"acl {address} {_word(acl)}"


def module_of(command: str) -> str | None:
    """The module without which a question means nothing; None where a switch can answer in any case."""
    first, _, rest = command.partition(" ")
    if command in (QUEUES, AGENTS):
        return "mod_callcenter"
    if first in ("sofia", "conference"):
        return f"mod_{first}"
    if first == "xml_locate" and rest.endswith(".conf"):
        name = rest.rpartition(" ")[2].removesuffix(".conf").removeprefix("mod_")
        return None if name in ("switch", "modules") else f"mod_{name}"
    return None


def _word(name: str) -> str:
    if not is_word(name):
        raise ValueError("a name that cannot stand in a command")
    return name


def is_word(name: str) -> bool:
    """Whether a name can stand in a command: of a profile, a user, an access list."""
    return re.fullmatch(r"[\w.@+:-]+", name, re.ASCII) is not None


# --- what it answers -------------------------------------------------------------------------

_MEDIA_BUG = re.compile(r"<function>([^<]*)</function>\s*<target>([^<]*)</target>")
RECORDS = "session_record"
"""The function of a media bug that records (``record_session``, ``uuid_record``)."""


def media_bugs(buglist: str) -> tuple[tuple[str, str], ...] | None:
    """(function, target) of everything that listens to a leg, from ``uuid_buglist``; None when it is no list."""
    if "<media-bugs>" not in buglist:
        return None
    return tuple(_MEDIA_BUG.findall(buglist))


def is_done(answer: str) -> bool:
    return answer.startswith("+OK")


def is_no_channel(answer: str) -> bool:
    """The channel is gone."""
    return answer.startswith("-ERR No such channel")
