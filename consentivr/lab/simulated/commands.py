"""What API commands do and answer, in the words of mod_commands, mod_conference and mod_callcenter."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

from consentivr.lab.dialplan import cond
from consentivr.lab.simulated import words
from consentivr.lab.simulated.bridges import start_bridge
from consentivr.lab.simulated.conferences import json_list
from consentivr.lab.simulated.legs import Leg

if TYPE_CHECKING:
    from consentivr.lab.switch import SimulatedSwitch

NO_CHANNEL = "-ERR No such channel!\n"


class Commands:
    """Each method ``_do_NAME`` is one command; it gets what stands behind the name."""

    def __init__(self, switch: SimulatedSwitch) -> None:
        self._switch = switch

    def run(self, command: str) -> str:
        """Obey; what is answered."""
        name, _, rest = command.strip().partition(" ")
        method: Callable[[str], str] | None = getattr(self, f"_do_{name}", None)
        return method(rest.strip()) if method else f"-ERR {name} Command not found!\n"

    # --- of one leg --------------------------------------------------------------------------

    def _about(self, rest: str, do: Callable[[Leg, str], str], missing: str = NO_CHANNEL) -> str:
        which, _, more = rest.partition(" ")
        leg = self._switch.legs.get(which)
        return do(leg, more) if leg is not None and leg.up else missing

    def _do_uuid_exists(self, rest: str) -> str:
        leg = self._switch.legs.get(rest)
        return "true" if leg is not None and leg.up else "false"

    def _do_uuid_getvar(self, rest: str) -> str:
        return self._about(rest, lambda leg, name: leg.value_of(name) or "_undef_")

    def _do_uuid_setvar(self, rest: str) -> str:
        def do(leg: Leg, more: str) -> str:
            name, _, value = more.partition(" ")
            if not name:
                return "-ERR No variable specified\n"
            leg.set_variable(name, value)
            return "+OK\n"

        return self._about(rest, do)

    def _do_uuid_setvar_multi(self, rest: str) -> str:
        def do(leg: Leg, more: str) -> str:
            for pair in filter(None, more.split(";")):
                name, _, value = pair.partition("=")
                leg.set_variable(name, value)
            return "+OK\n"

        return self._about(rest, do)

    def _do_uuid_dump(self, rest: str) -> str:
        return self._about(rest, lambda leg, _format: words.as_json(leg.headers("CHANNEL_DATA")))

    def _do_uuid_buglist(self, rest: str) -> str:
        return self._about(rest, lambda leg, _: leg.bug_list(), missing="")

    def _do_uuid_kill(self, rest: str) -> str:
        def do(leg: Leg, cause: str) -> str:
            leg.hang_up(cause or "NORMAL_CLEARING")
            return "+OK\n"

        return self._about(rest, do)

    def _do_uuid_broadcast(self, rest: str) -> str:
        def do(leg: Leg, more: str) -> str:
            path, _, to = more.partition(" ")
            leg.broadcast(path, to or "aleg")
            return "+OK Message sent\n"

        return self._about(rest, do, "-ERR invalid uuid\n")

    def _do_uuid_hold(self, rest: str) -> str:
        off = rest.startswith("off ")

        def do(leg: Leg, _: str) -> str:
            leg.unhold() if off else leg.hold()
            return "+OK Success\n"

        return self._about(rest.removeprefix("off "), do, "-ERR Operation failed\n")

    def _do_uuid_record(self, rest: str) -> str:
        def do(leg: Leg, more: str) -> str:
            action, path, *_ = [*more.split(" "), "", ""]
            if action == "start":
                return "+OK Success\n" if leg.record(path) else "-ERR Cannot record session!\n"
            if action == "stop":
                stopped = leg.stop_all_recording() if path == "all" else leg.stop_recording(path)
                return "+OK Success\n" if stopped else "-ERR Cannot stop record session!\n"
            if action in ("mask", "unmask"):
                obeyed = leg.mask(path, action == "mask")
                return "+OK Success\n" if obeyed else f"-ERR Cannot {action} recording session!\n"
            return "-USAGE: <uuid> [start|stop|mask|unmask] <path> [<limit>] [<recording_vars>]\n"

        return self._about(rest, do, "-ERR Cannot locate session!\n")

    def _do_uuid_transfer(self, rest: str) -> str:
        def do(leg: Leg, more: str) -> str:
            which, _, place = more.partition(" ")
            moved: list[Leg | None] = [leg]
            if which == "-bleg":
                moved = [leg.partner]
                if leg.partner is not None and leg.value_of("recording_follow_transfer") == "true":
                    leg.move_recorders(leg.partner)
            elif which == "-both":
                moved = [leg, leg.partner]
            else:
                place = more
            for one in moved:
                if one is not None:
                    one.transfer(place.split(" ")[0])
            return "+OK\n"

        return self._about(rest, do)

    def _do_uuid_bridge(self, rest: str) -> str:
        one, _, other = rest.partition(" ")
        legs = self._switch.legs
        if one not in legs or other not in legs:
            return "-ERR Invalid uuid\n"
        start_bridge(legs[one], legs[other])
        return f"+OK {other}\n"

    # --- of all ------------------------------------------------------------------------------

    def _do_show(self, rest: str) -> str:
        legs = [leg for leg in self._switch.legs.values() if leg.uuid not in self._switch.faults.hidden]
        if rest == "channels as json":
            return words.listing([leg.row() for leg in legs])
        if rest == "calls as json":
            bridges = {bridge: None for leg in legs if (bridge := leg.bridge) is not None}
            rows = [words.call_row(bridge.a.row(), bridge.b.row()) for bridge in bridges]
            rows += [words.call_row(leg.row(), None) for leg in legs if leg.bridge is None]
            return words.listing(rows)
        return "-USAGE: channels|calls as json\n"

    def _do_conference(self, rest: str) -> str:
        name, _, more = rest.partition(" ")
        rooms = self._switch.conferences
        if name == "json_list":
            return json_list(list(rooms.values()))
        room = rooms.get(name)
        if room is None:
            return f"-ERR Conference {name} not found\n"
        action, _, path = more.partition(" ")
        if action == "json_list":
            return json_list([room])
        if action == "record":
            return "+OK Record file " + path + "\n" if room.record(path) else "-ERR cannot record\n"
        if action == "norecord":
            return room.norecord(path)
        return "-ERR unknown command\n"

    def _do_json(self, rest: str) -> str:
        """``callcenter_config`` ``queue list``: the queues as they are loaded (FREESWITCH.md, section 7)."""
        asked = json.loads(rest)
        queues = [{"name": name, "record_template": template} for name, template in self._switch.queues.items()]
        answer = {"command": asked["command"], "data": asked["data"], "status": "success", "response": queues}
        return words.as_json(answer)

    def _do_switchname(self, rest: str) -> str:
        return words.SWITCHNAME

    def _do_create_uuid(self, rest: str) -> str:
        return str(uuid.uuid4())

    def _do_global_setvar(self, rest: str) -> str:
        name, _, value = rest.partition("=")
        self._switch.globals[name] = value
        return "+OK\n"

    def _do_global_getvar(self, rest: str) -> str:
        return self._switch.core_uuid if rest == "core_uuid" else self._switch.globals.get(rest, "")

    def _do_strepoch(self, rest: str) -> str:
        return str(int(time.time()))

    def _do_md5(self, rest: str) -> str:
        return hashlib.md5(rest.encode()).hexdigest()  # noqa: S324 - FreeSWITCH's own

    def _do_strftime(self, rest: str) -> str:
        return time.strftime(rest)

    def _do_cond(self, rest: str) -> str:
        return cond(rest)

    def _do_sched_api(self, rest: str) -> str:
        return self._switch.schedule.add(rest)

    def _do_sched_del(self, rest: str) -> str:
        return self._switch.schedule.delete(rest)
