"""Ten thousand talks and more, made up: to measure how soon an application has taken them up again.

There are no greenlets, no files and no audio: each leg is a number, and what is asked of it is filled into a text.
Run as ``python -m consentivr.lab.simulated.many '{"callers": 10000, "password": "..."}'`` it is a process of its
own: it prints where it listens, in JSON, and ends with its standard input.
"""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Callable

import gevent

from consentivr.lab.event_socket import SimulatedEventSocket
from consentivr.lab.simulated import words
from consentivr.lab.simulated.faults import Faults

_CALLER, _AGENT, _VISIT = "1", "2", "3"
_NO_CHANNEL = "-ERR No such channel!\n"
_MARKS = ("@UUID@", "@OTHER@", "@VISIT@", "@FILE@")
_COMMON = {"cc_queue": "support@default", "cc_agent": "1001@default", "cc_queue_joined_epoch": "1795457911"}


class ManyHeld:
    """``callers`` who talk to as many agents; each said yes on ``line``, and is recorded, below ``folder``.

    With ``recorded`` False they said no, and nothing records. ``variables`` are put on every caller's channel besides
    ours, or instead of them; @UUID@, @OTHER@, @VISIT@ and @FILE@ in them are filled in.
    """

    def __init__(
        self,
        callers: int,
        *,
        line: str = "support",
        folder: str = "/recordings",
        recorded: bool = True,
        variables: dict[str, str] | None = None,
    ) -> None:
        self.callers = callers
        self.faults = Faults()
        self.core_uuid = str(uuid.uuid4())
        self.listeners: list[Callable[[words.Event], None]] = []
        self._folder = folder
        self._records = bytearray([recorded]) * callers
        self._masked = bytearray(callers)
        self._set: dict[tuple[str, str], str] = {}
        ours = {
            "consent_visit": "@VISIT@",
            "consent_line": line,
            "consent_decision": "given" if recorded else "refused",
            "consent_no_record": "false" if recorded else "true",
            "consent_record_file": "@FILE@" if recorded else "/dev/null/no-record/@UUID@.wav",
            "consent_handled": "true",
            "cc_side": "member",
            "cc_agent_uuid": "@OTHER@",
            "cc_cause": "answered",
            "bridge_uuid": "@OTHER@",
            "signal_bond": "@OTHER@",
        }
        agents = {"cc_side": "agent", "cc_member_session_uuid": "@OTHER@"}
        agents |= {"bridge_uuid": "@OTHER@", "signal_bond": "@OTHER@"}
        self._variables = {_CALLER: _COMMON | ours | (variables or {}), _AGENT: _COMMON | agents}
        self._dumps = {kind: words.as_json(self._headers(kind)) for kind in (_CALLER, _AGENT)}
        self._listings: dict[str, str] = {}

    # --- who is there ------------------------------------------------------------------------

    def caller(self, number: int) -> str:
        """The UUID of a caller's leg."""
        return f"{number:08x}-0000-4000-8000-00000000000{_CALLER}"

    def agent(self, number: int) -> str:
        """The UUID of the agent's leg in that talk."""
        return f"{number:08x}-0000-4000-8000-00000000000{_AGENT}"

    def visit(self, number: int) -> str:
        """The UUID of that visit."""
        return f"{number:08x}-0000-4000-8000-00000000000{_VISIT}"

    def file(self, number: int) -> str:
        """Where that visit is recorded."""
        return f"{self._folder}/2026/11/24/{self.visit(number)}.wav"

    def records(self, number: int) -> bool:
        """Whether that visit is recorded now."""
        return bool(self._records[number])

    def masked(self, number: int) -> bool:
        """Whether that recorder is masked."""
        return bool(self._masked[number])

    def variable(self, leg: str, name: str) -> str | None:
        """A channel variable; None when it is not set, or there is no such leg."""
        found = self._leg(leg)
        if found is None:
            return None
        kind, number = found
        said = self._set.get((leg, name))
        if said is None:
            said = self._variables[kind].get(name)
        return self._fill(said, kind, number) if said else None

    def _leg(self, leg: str) -> tuple[str, int] | None:
        kind = leg[-1:]
        if len(leg) != 36 or kind not in (_CALLER, _AGENT):
            return None
        number = int(leg[:8], 16)
        return (kind, number) if number < self.callers else None

    def _fill(self, text: str, kind: str, number: int) -> str:
        if "@" not in text:
            return text
        one, other = self.caller(number), self.agent(number)
        values = (one, other) if kind == _CALLER else (other, one)
        for mark, value in zip(_MARKS, (*values, self.visit(number), self.file(number)), strict=True):
            text = text.replace(mark, value)
        return text

    def _headers(self, kind: str) -> dict[str, str]:
        number = "+493023125000" if kind == _CALLER else "1001"
        template = words.TEMPLATE if kind == _CALLER else words.OF_THE_CHANNEL
        headers = {
            name: value.replace("@NUMBER@", number)
            .replace("@NAME@", "Erika Mustermann")
            .replace("@DESTINATION@", "5000")
            for name, value in template.items()
        }
        headers |= {"Core-UUID": self.core_uuid, "Channel-State": "CS_EXCHANGE_MEDIA", "Answer-State": "answered"}
        headers |= {"Channel-Call-State": "ACTIVE", "Other-Leg-Unique-ID": "@OTHER@"}
        return headers | {f"variable_{name}": value for name, value in self._variables[kind].items()}

    # --- what is asked -----------------------------------------------------------------------

    def api(self, command: str) -> str:
        """Obey an API command; what it answers."""
        name, _, rest = command.partition(" ")
        if name in ("show", "conference", "switchname"):
            return self._of_all(command)
        if name == "global_getvar":
            return self.core_uuid if rest == "core_uuid" else ""
        if name == "global_setvar":
            return "+OK\n"
        leg, _, more = rest.partition(" ")
        found = self._leg(leg)
        if name == "uuid_exists":
            return "true" if found else "false"
        if found is None:
            return "" if name == "uuid_buglist" else _NO_CHANNEL
        kind, number = found
        if name == "uuid_dump":
            return self._dump(leg, kind, number)
        if name == "uuid_getvar":
            return self.variable(leg, more) or "_undef_"
        if name == "uuid_buglist":
            return self._bugs(kind, number)
        if name == "uuid_record":
            return self._record(leg, kind, number, more)
        if name in ("uuid_setvar", "uuid_setvar_multi"):
            pairs = (
                [more.partition(" ")] if name == "uuid_setvar" else [pair.partition("=") for pair in more.split(";")]
            )
            self._set.update({(leg, variable): value for variable, _, value in pairs})
        return "+OK\n"

    def _dump(self, leg: str, kind: str, number: int) -> str:
        said = self._fill(self._dumps[kind], kind, number)
        if self._set:
            changed = {f"variable_{name}": value for (of, name), value in self._set.items() if of == leg}
            return words.as_json(json.loads(said) | changed) if changed else said
        return said

    def _bugs(self, kind: str, number: int) -> str:
        if kind != _CALLER or not self._records[number]:
            return "<media-bugs>\n</media-bugs>\n"
        return words.bug_list([("session_record", self.file(number))])

    def _record(self, leg: str, kind: str, number: int, more: str) -> str:
        action, _, path = more.partition(" ")
        here = kind == _CALLER and (path == self.file(number) or (action == "stop" and path == "all"))
        if action == "start" and here:
            self._change(leg, number, True)
            return "+OK Success\n"
        if not here or not self._records[number]:
            what = {"start": "record", "stop": "stop record", "mask": "mask recording", "unmask": "unmask recording"}
            return f"-ERR Cannot {what.get(action, action)} session!\n"
        if action == "stop":
            self._change(leg, number, False)
        else:
            self._masked[number] = action == "mask"
        return "+OK Success\n"

    def _change(self, leg: str, number: int, on: bool) -> None:
        if bool(self._records[number]) == on:
            return
        self._records[number], self._masked[number] = on, False
        event = words.without_a_channel("RECORD_START" if on else "RECORD_STOP", self.core_uuid)
        event |= {"Unique-ID": leg, "Other-Leg-Unique-ID": self.agent(number), "Record-File-Path": self.file(number)}
        for listener in list(self.listeners):
            listener(event)

    def _of_all(self, command: str) -> str:
        if command not in self._listings:
            self._listings[command] = self._listed(command)
        return self._listings[command]

    def _listed(self, command: str) -> str:
        if command == "switchname":
            return words.SWITCHNAME
        if command == "conference json_list":
            return "[]"
        row = dict.fromkeys(words.CHANNEL_FIELDS, "") | {"name": "sofia/lab/x", "state": "CS_EXCHANGE_MEDIA"}
        row |= {"created_epoch": "1795457911", "callstate": "ACTIVE", "application": "uuid_bridge", "dest": "5000"}
        row |= {"application_data": "@OTHER@", "uuid": "@UUID@", "call_uuid": "@CALL@", "hostname": words.SWITCHNAME}
        caller, agent = row | {"direction": "inbound"}, row | {"direction": "outbound"}
        if command == "show channels as json":
            texts = {_CALLER: words.as_json(caller), _AGENT: words.as_json(agent)}
            kinds: tuple[str, ...] = (_CALLER, _AGENT)
        elif command == "show calls as json":
            texts = {_CALLER: words.as_json(words.call_row(caller, agent | {"uuid": "@OTHER@"}))}
            kinds = (_CALLER,)
        else:
            return "-USAGE: channels|calls as json\n"
        rows = ",".join(
            self._fill(texts[kind], kind, number).replace("@CALL@", self.caller(number))
            for number in range(self.callers)
            for kind in kinds
        )
        return (
            f'{{"row_count":{self.callers * len(kinds)},"rows":[{rows}]}}\n' if self.callers else '{"row_count": 0}\n'
        )


def main(plan: dict[str, object]) -> None:
    """Serve until standard input ends."""
    password = str(plan.pop("password"))
    port = int(str(plan.pop("port", 0)))
    many = ManyHeld(**plan)  # type: ignore[arg-type]
    many.api("show channels as json")
    socket = SimulatedEventSocket(many, password, port)
    print(json.dumps({"port": socket.address[1], "core": many.core_uuid}), flush=True)
    gevent.get_hub().threadpool.apply(sys.stdin.read)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
