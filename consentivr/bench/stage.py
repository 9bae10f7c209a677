"""A real FreeSWITCH with ``consentivr serve``, and a second one as the callers and the agents' telephones."""

from __future__ import annotations

import secrets
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import gevent
import numpy as np
import soundfile

from consentivr.config import load
from consentivr.config.model import SAMPLE_RATES
from consentivr.files import write_secret
from consentivr.lab.native import ADDRESS, NativeSwitch, free_port
from consentivr.lab.outside import CALLER_HZ, Outside
from consentivr.lab.serving import serve
from consentivr.prompts.audio import sound_path

LINE, QUEUE = "5000", "support@default"
LUA = "lua-consent"
"""The number at which the switch's own script answers."""

SOUNDS_MS = {"welcome": 500, "question": 1500, "accepted": 500, "refused": 500}
"""How long each announcement hums."""

KEY_AFTER_MS = SOUNDS_MS["welcome"] + 1200
"""So long after the answer a caller presses: late enough in the question to count."""

START_SECONDS = 120.0
UP = (b"watching", b"another process watches")
"""What ``serve`` says once it serves, and watches, or somebody else does."""

_YAML = """
service:
  listen: "{address}:{port}"
  standby: "{address}:{standby}"
  hosts: ["{address}:{port}", "{address}:{standby}"]
  secret_file: {folder}/dialplan.secret
switches: [{{address: "{address}:{event_socket}", password_file: {folder}/password}}]
ledger: {{path: {folder}/ledger.sqlite3, head_file: {folder}/ledger.head}}
recordings: {{folder: {folder}/recordings}}
sounds: {{folder: {folder}/hums}}
agents: {{must_agree: false}}
language: en
question: {{attempts: 1, answer_timeout_ms: 3000, min_heard_ms: 600}}
lines: {{support: {{number: "{line}", queue: support}}}}
queues:
  support:
    name: {queue}
    recording: {{mode: permanent_opt_out}}
    music: "tone_stream://%(1000,0,500);loops=-1"
    max_wait_s: 60
announcements:
  en: {{welcome: Welcome, question: "May we?", accepted: Thank you, refused: All right}}
"""

_SCRIPT = """-- The consent line as FreeSWITCH's own script would do it: nothing is proven, nothing is watched.
session:answer()
session:execute("playback", "{sounds}/welcome.wav")
session:execute("play_and_get_digits",
  "1 1 1 3000 # {sounds}/question.wav silence_stream://10 consent_key [19] 3000")
if session:getVariable("consent_key") == "1" then
  session:execute("playback", "{sounds}/accepted.wav")
  session:execute("record_session", "{recordings}/" .. session:get_uuid() .. ".wav")
end
session:execute("callcenter", "{queue}")
"""


class Stage:
    """Use it with ``with``; everything lies below ``folder`` and ends with the block.

    ``agents`` telephones answer at once; ``quiet`` ones, and callers, send no media. With ``fine_clock`` the switch's
    events have milliseconds. Raises FileNotFoundError without a FreeSWITCH, RuntimeError when something does not start.
    """

    def __init__(self, folder: Path, agents: int, *, quiet: bool = False, fine_clock: bool = False) -> None:
        self.folder = folder
        self._quiet = quiet
        self.sounds = _hum(folder / "hums")
        event_socket, password = free_port(), secrets.token_hex(16)
        write_secret(folder / "password", password)
        self.yaml = folder / "consentivr.yaml"
        self.yaml.write_text(
            _YAML.format(
                address=ADDRESS,
                port=free_port(),
                standby=free_port(),
                event_socket=event_socket,
                folder=folder,
                line=LINE,
                queue=QUEUE,
            )
        )
        self._write_script()
        self.outside = Outside(folder / "outside")
        names = [f"{'quiet-' if quiet else ''}{number}" for number in range(1, agents + 1)]
        self.switch = NativeSwitch(
            load(self.yaml),
            folder,
            agents={f"{name}@default": [QUEUE] for name in names},
            outside=self.outside.sip_port,
            event_socket_port=event_socket,
            password=password,
            fine_clock=fine_clock,
        )
        self.outside.central = self.switch.sip_port
        self._serve: subprocess.Popen[bytes] | None = None
        self._standby: subprocess.Popen[bytes] | None = None

    def _write_script(self) -> None:
        recordings = self.folder / "by-lua"
        recordings.mkdir()
        script = self.folder / "lua" / f"{LUA.partition('-')[2]}.lua"
        script.parent.mkdir()
        script.write_text(_SCRIPT.format(sounds=self.sounds, recordings=recordings, queue=QUEUE))

    # --- its life --------------------------------------------------------------------------------

    def __enter__(self) -> Stage:
        self.outside.launch()
        self.switch.launch()
        try:
            self.outside.wait_until_up()
            self.switch.wait_until_up()
            self.start_serve()
        except TimeoutError as error:
            self._end()
            raise RuntimeError(str(error)) from None
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def start_serve(self) -> None:
        """Returns once it serves; waits for the one before to end. Raises RuntimeError."""
        self._serve = self._started(self._serve, "serve.log")

    def start_standby(self) -> None:
        """The same for ``serve --standby``."""
        self._standby = self._started(self._standby, "standby.log", "--standby")

    def _started(self, before: subprocess.Popen[bytes] | None, name: str, *options: str) -> subprocess.Popen[bytes]:
        if before is not None:
            wait_until(lambda: before.poll() is not None, START_SECONDS, "the end of serve")
        log = self.folder / name
        log.unlink(missing_ok=True)
        made = serve(self.yaml, *options, log=log)
        until = time.monotonic() + START_SECONDS
        while not any(word in log.read_bytes() for word in UP):
            if made.poll() is not None or time.monotonic() > until:
                made.kill()
                raise RuntimeError(f"serve does not start: {log.read_text()[-2000:]}")
            gevent.sleep(0.25)
        return made

    def wait_for_log(self, words: str) -> None:
        """Until ``serve`` says so. Raises RuntimeError."""
        log = self.folder / "serve.log"
        wait_until(lambda: words in log.read_text(), START_SECONDS, f"'{words}'")

    def _end(self) -> None:
        for process in (self._serve, self._standby):
            if process is not None:
                process.kill()
                process.wait()
        self.switch.kill()
        self.outside.kill()

    @property
    def serve(self) -> subprocess.Popen[bytes]:
        """``consentivr serve``."""
        assert self._serve is not None
        return self._serve

    @property
    def standby(self) -> subprocess.Popen[bytes]:
        """``consentivr serve --standby``, once it was started."""
        assert self._standby is not None
        return self._standby

    # --- callers ---------------------------------------------------------------------------------

    def call(self, number: str, caller: str, lasts_s: float, key: str = "1") -> str:
        """Dial ``number``, press ``key`` in the question, hang up ``lasts_s`` seconds after the answer; the leg.

        The caller hums; a quiet one falls silent after the key.
        """
        leg = self.outside.api("create_uuid")
        variables = (
            f"origination_uuid={leg},origination_caller_id_number={caller},absolute_codec_string=PCMA,"
            "originate_timeout=30,playback_terminators=none"
        )
        hum = f"playback:tone_stream://%({KEY_AFTER_MS},0,{CALLER_HZ})"
        after = "park:" if self._quiet else f"playback:tone_stream://%(1000,0,{CALLER_HZ});loops=-1"
        presses = f"send_dtmf:{key}@100^" if key else ""
        does = f"'m:^:sched_hangup:+{lasts_s:.0f}^{hum}^{presses}{after}' inline"
        self.outside.start(f"originate {{{variables}}}sofia/lab/{number}@{ADDRESS}:{self.switch.sip_port} {does}")
        return leg

    @property
    def channels(self) -> int:
        """Legs on the switch in the middle."""
        return int(self.switch.api("show channels count").split()[0])

    @property
    def talks(self) -> int:
        """Bridges on the switch in the middle."""
        return int(self.switch.api("show calls count").split()[0])

    def wait_until_empty(self, seconds: float) -> None:
        """Until everybody has hung up. Raises RuntimeError."""
        wait_until(lambda: self.channels == 0, seconds, "the end of all calls")

    def recorded(self) -> int:
        """How many talks were recorded by consent."""
        return sum(1 for _ in (self.folder / "recordings").rglob("*.wav"))


def wait_until(what: Callable[[], bool], seconds: float, name: str) -> None:
    """Poll, seldom: it costs the switch something. Raises RuntimeError when it does not come to be."""
    with gevent.Timeout(seconds, RuntimeError(f"{name} does not come within {seconds:g} s")):
        while not what():
            gevent.sleep(0.25)


def _hum(folder: Path) -> Path:
    """Announcements of ``SOUNDS_MS``; where those of 8 kHz are."""
    for rate in SAMPLE_RATES:
        for name, milliseconds in SOUNDS_MS.items():
            path = sound_path(folder, "en", rate, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            moments = np.arange(rate * milliseconds // 1000) / rate
            soundfile.write(str(path), 0.3 * np.sin(2 * np.pi * 300 * moments), rate, subtype="PCM_16")
    return folder / "en" / "8000"
