"""The applications of the dialplan that our calls meet, except the queue (``queueing``)."""

from __future__ import annotations

import re
import time
from pathlib import Path

import gevent
import gevent.socket
import soundfile

from consentivr.lab.simulated.bridges import start_bridge
from consentivr.lab.simulated.execution import FRAME_MS, Execution, HungUp, Transferred
from consentivr.lab.simulated.outbound import OutboundSocket
from consentivr.lab.simulated.recorders import RATE

_KEYS = "0123456789*#"
_SEVERAL = "file_string://"


def _files(path: str) -> list[str]:
    """Of a prompt, which may be several files one after another."""
    return path.removeprefix(_SEVERAL).split("!") if path.startswith(_SEVERAL) else [path]


class Applications(Execution):
    """Each method ``_app_NAME`` is one; what it returns goes into its CHANNEL_EXECUTE_COMPLETE."""

    questions = 0
    agent_waits = False
    """An agent has answered, and the bridge is due once the applications are complete (FREESWITCH.md, section 5)."""
    _watchdog: gevent.Greenlet | None = None

    # --- variables, timers -------------------------------------------------------------------

    def _app_set(self, argument: str) -> None:
        name, _, value = argument.partition("=")
        self.set_variable(name, value)

    def _app_unset(self, argument: str) -> None:
        self.set_variable(argument, "")

    def _app_multiset(self, argument: str) -> None:
        separator, pairs = (argument[2], argument[3:]) if argument.startswith("^^") else (" ", argument)
        for pair in pairs.split(separator):
            self._app_set(pair)

    def _app_log(self, argument: str) -> None:
        """Nothing to do: the switch's own log is not part of the simulation."""

    def _app_sched_transfer(self, argument: str) -> None:
        seconds, extension, *_ = argument.split(" ")
        self._app_sched_cancel("")
        self._watchdog = self.switch.later(int(seconds), self.transfer, extension)

    def _app_sched_cancel(self, argument: str) -> None:
        """All that is scheduled for this channel, whoever scheduled it: the group is the channel's UUID."""
        self.switch.schedule.delete(self.uuid)
        if self._watchdog is not None:
            self._watchdog.kill(block=False)
            self._watchdog = None

    def _app_flush_dtmf(self, argument: str) -> None:
        self.forget_keys()

    # --- coming and going --------------------------------------------------------------------

    def _app_answer(self, argument: str) -> None:
        if not self.answered:
            self.wait(FRAME_MS)
            self.answered = True
            self.event("CHANNEL_ANSWER")

    def _app_transfer(self, argument: str) -> None:
        self.go_to(argument.split(" ")[0])
        raise Transferred

    def _app_hangup(self, argument: str) -> None:
        raise HungUp(argument or "NORMAL_CLEARING")

    def _app_park(self, argument: str) -> None:
        self.event("CHANNEL_PARK")
        try:
            self.wait(None)
        finally:
            self.event("CHANNEL_UNPARK")

    def _app_sleep(self, argument: str) -> None:
        self.wait(int(argument), takes_keys=self.variables.get("sleep_eat_digits") == "true")

    # --- sounds and keys ---------------------------------------------------------------------

    @staticmethod
    def duration_ms(path: str) -> int | None:
        """Of a sound; None for a file that cannot be played."""
        if path.startswith("silence_stream://"):
            return int(path.rpartition("/")[2])
        if path.startswith(_SEVERAL):
            lengths = [Applications.duration_ms(one) for one in _files(path)]
            return sum(known for known in lengths if known is not None)
        try:
            information = soundfile.info(path)
        except (OSError, soundfile.LibsndfileError):
            return None
        return int(information.frames * 1000 // information.samplerate)

    def _play(self, path: str, stops_at: str) -> tuple[bool, str | None]:
        """Whether there was something to play, and the key that stopped it."""
        duration = self.duration_ms(path)
        if duration is None:
            return False, None
        if not path.startswith("silence_stream://"):
            self.tell(f"hears {', '.join(Path(one).stem for one in _files(path))}")
        started = time.monotonic()
        key = self.wait(duration, stops_at)
        played = min(duration, (time.monotonic() - started) * 1000 * self.switch.speed) if key else duration
        self.variables["playback_ms"] = str(duration)
        self.variables["playback_last_offset_pos"] = str(int(played * RATE / 1000))
        return True, key

    def _app_playback(self, argument: str) -> dict[str, str]:
        terminators = self.variables.get("playback_terminators", "*")
        self.variables.pop("playback_terminator_used", None)
        played, key = self._play(argument, {"none": "", "any": _KEYS}.get(terminators, terminators))
        if key:
            self.variables["playback_terminator_used"] = key
        return {"Application-Response": "FILE PLAYED" if played else "FILE NOT FOUND"}

    def _app_play_and_get_digits(self, argument: str) -> None:
        _min, most, tries, timeout, terminators, prompt, _error, variable, regex, _digit_timeout = argument.split(" ")
        self.variables.pop(variable, None)
        keys = _KEYS.replace(terminators, "")
        for _ in range(int(tries)):
            self.questions += 1
            if self.questions in self.caller.keys:
                key, after_ms = self.caller.keys[self.questions]
                for place, digit in enumerate(key):
                    self.later(after_ms + 100 * place, self.press, digit)
            played, pressed = self._play(prompt, keys)
            if not played:
                return
            if pressed is None:
                pressed = self.wait(int(timeout), keys)
            while pressed is not None and len(pressed) < int(most):
                following = self.wait(int(timeout), _KEYS)
                if following is None or following in terminators:
                    break
                pressed += following
            if pressed is not None and re.fullmatch(regex, pressed):
                self.variables.update({variable: pressed, "read_result": "success"})
                return
            if pressed is not None:
                self.variables[f"{variable}_invalid"] = pressed
        self.variables["read_result"] = "failure"

    # --- recording, and being with others ----------------------------------------------------

    def _app_record_session(self, argument: str) -> None:
        self.record(argument.split(" ")[0])  # the path ends at the first blank (FREESWITCH.md, section 4)

    def _app_record(self, argument: str) -> None:
        path, seconds, *_ = [*argument.split(" "), "3600"]
        message = self.record_message(path)
        try:
            self.wait(int(seconds) * 1000, "#")
        finally:
            if message in self.messages and self.switch.alive:
                self.end_message(message)

    def _app_bridge(self, argument: str) -> None:
        number = argument.rpartition("/")[2].partition("@")[0]
        other = self.switch.dialled(self, number, directory=argument.startswith("user/"))
        start_bridge(self, other, "")
        self.stay_connected()

    def _app_conference(self, argument: str) -> None:
        self.switch.conference(argument.partition("@")[0]).add(self)
        self.stay_connected()

    def _app_eavesdrop(self, argument: str) -> None:
        self._listen("eavesdrop", argument, heard=False)

    def _app_three_way(self, argument: str) -> None:
        self._listen("three_way", argument, heard=True)

    def _listen(self, application: str, to: str, *, heard: bool) -> None:
        tapped = self.switch.legs.get(to)
        if tapped is not None:
            tap = tapped.tap("eavesdrop", to, self, heard=heard)
            try:
                self.wait(None)
            finally:
                if tap in tapped.bugs:
                    tapped.untap(tap)

    def _app_intercept(self, argument: str) -> None:
        taken = self.switch.legs.get(argument)
        if taken is not None:
            start_bridge(self, taken, cause="PICKED_OFF")
            self.stay_connected()

    @property
    def is_with_somebody(self) -> bool:
        """Or waits for somebody in a parking lot."""
        return self.bridge is not None or self.conference is not None or self.is_parked

    def stay_connected(self) -> None:
        """Until nobody is there any more."""
        self.state = "CS_SOFT_EXECUTE"
        self.is_connected = True
        try:
            while self.is_with_somebody:
                side = self.wait(None, ends_with=("released",))
                if not self.is_with_somebody and side == "released b":
                    raise HungUp("NORMAL_CLEARING")  # only the A side of a bridge goes on in its dialplan
        finally:
            self.is_connected = False
            if not (self.ending and self.bridge is not None and self.bridge.b is self):
                self.left_behind += self.disconnect()
            self.state = "CS_EXECUTE"

    # --- the application's socket ------------------------------------------------------------

    def _app_socket(self, argument: str) -> None:
        for endpoint in argument.split(" ")[0].split("|"):
            host, _, port = endpoint.rpartition(":")
            try:
                sock = gevent.socket.create_connection((host, int(port)), timeout=2)
            except OSError:
                continue
            sock.settimeout(None)
            self.outbound = OutboundSocket(sock, self)
            break
        else:
            return
        try:
            self.wait(FRAME_MS)
            self.event("CHANNEL_PARK")
            self._obey()
        finally:
            self.event("CHANNEL_UNPARK")

    def _obey(self) -> None:
        while self.outbound is not None:
            if not self.outbound.commands:
                self.wait(None, ends_with=("command", "closed"))
                continue
            application, argument, event_uuid = self.outbound.commands.popleft()
            self.execute_application(application, self.expand(argument), event_uuid)
            if self.agent_waits:
                return
