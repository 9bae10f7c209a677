"""Talks on the simulated switch, followed by a watch: what the tests of the watch share."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, MutableMapping
from pathlib import Path
from typing import Any

import gevent
import yaml
from structlog.testing import capture_logs

from consentivr.config import Configuration, loads
from consentivr.lab.caller import Caller
from consentivr.lab.laboratory import Laboratory
from consentivr.lab.listening import heard, silence, total
from consentivr.lab.native import free_port
from consentivr.lab.simulated.legs import PITCHES
from consentivr.lab.switch import Channel
from consentivr.watch import Watch
from consentivr.watch.following import Following
from consentivr.watch.visit import Visit
from tests.waiting import until

YES = {1: ("1", 1200)}
NO = {1: ("9", 1200)}
SILENCE: dict[int, tuple[str, int]] = {}
ALICE, BOB, COLLEAGUE = "1001@default", "1002@default", "2001@default"
SUPPORT, SALES = "5000", "5002"
"""The lines' numbers."""

TOKEN = "0123456789abcdef"
AGENT_KEYS = {"start": "*1", "stop": "*2", "pause": "*3", "resume": "*4", "withdraw": "*7"}

MORE = """
<context>
<extension name="sales alone"><condition field="destination_number" expression="^queue-sales$">
  <action application="callcenter" data="sales@default"/></condition></extension>
<extension name="unknown queue"><condition field="destination_number" expression="^queue-other$">
  <action application="callcenter" data="other@default"/></condition></extension>
<extension name="colleague"><condition field="destination_number" expression="^2001$">
  <action application="bridge" data="user/2001@127.0.0.1"/></condition></extension>
<extension name="outside"><condition field="destination_number" expression="^2002$">
  <action application="bridge" data="sofia/lab/2002@127.0.0.1"/></condition></extension>
<extension name="voicemail"><condition field="destination_number" expression="^voicemail$">
  <action application="record" data="${mailbox} 200 30 200"/></condition></extension>
</context>
"""


def stays(what: Callable[[], object], seconds: float = 0.2) -> None:
    for _ in range(int(seconds / 0.005)):
        assert what()
        gevent.sleep(0.005)


def changed(configuration: Configuration, **sections: dict[str, Any]) -> Configuration:
    """With other values in some of its sections, however deep."""
    data = configuration.model_dump(mode="json", exclude_none=True)
    _merge(data, sections)
    return loads(yaml.safe_dump(data))


def _merge(data: dict[str, Any], more: dict[str, Any]) -> None:
    for name, value in more.items():
        if isinstance(value, dict) and isinstance(data.get(name), dict):
            _merge(data[name], value)
        else:
            data[name] = value


def two_lines(configuration: Configuration, elsewhere: Path, **sections: dict[str, Any]) -> Configuration:
    """With a line and a queue 'sales', agents who have keys, and a colleague who is known."""
    sales = {"name": "sales@default", "recording": {"mode": "permanent_opt_out"}}
    house: dict[str, Any] = {
        "lines": {"sales": {"number": SALES, "queue": "sales"}},
        "queues": {"sales": sales},
        "agents": {"keys": AGENT_KEYS, "users": {"2001@127.0.0.1": COLLEAGUE}},
        "question": {"answer_timeout_ms": 5000},  # a machine under load is late with keys
        "watch": {"sweep_s": 1, "erase_below": [str(elsewhere)]},
    }
    _merge(house, sections)
    return changed(configuration, **house)


class Talks(Laboratory):
    """A laboratory with two lines, and what is seen in it. Recordings of others lie in ``elsewhere``."""

    def __init__(
        self, configuration: Configuration, folder: Path, *, speed: float = 20, desktops: bool = False, **sections: Any
    ) -> None:
        """``desktops``: with an HTTP interface."""
        self.elsewhere = folder / "elsewhere"
        made = two_lines(configuration, self.elsewhere, **sections)
        if desktops:
            token = folder / "token"
            token.touch(0o600)
            token.write_text(TOKEN + "\n")
            made = made.changed(http=made.http.changed(listen=f"127.0.0.1:{free_port()}", token_file=token))
        super().__init__(made, folder, speed=speed, more=MORE)

    # --- calls -------------------------------------------------------------------------------

    def talking(self, keys: dict[int, tuple[str, int]], number: str = SUPPORT, **script: Any) -> Channel:
        """A caller who talks, and whom the watch follows."""
        script = {"talks_ms": 10_000_000, "agents": {"sales@default": BOB}, **script}
        channel = self.switch.call(number, Caller(keys=keys, **script))
        until(lambda: channel.bugs_in_talk, why=lambda: channel.applications)
        until(lambda: self.follows(channel), why="nobody follows")
        gevent.sleep(0.02)
        return channel

    def recorded(self, **script: Any) -> Channel:
        """A talk that is recorded, for a while already."""
        channel = self.talking(YES, **script)
        until(lambda: channel.recorders, why=lambda: [(row.turn, row.evidence) for row in self.rows(channel)])
        gevent.sleep(0.1)
        return channel

    def waiting(self, keys: dict[int, tuple[str, int]], **script: Any) -> Channel:
        """A caller who waits in the queue, until ``answer``."""
        channel = self.switch.call(SUPPORT, Caller(keys=keys, waits_ms=10_000_000, talks_ms=10_000_000, **script))
        until(lambda: channel.reached)
        until(lambda: self.follows(channel), why="nobody follows")
        return channel

    def ended(self, channel: Channel, visits: int = 1) -> list[str]:
        """Hang up; the turns of the call, once its visits are over: each has one decision and one end."""
        channel.hang_up()
        channel.greenlet.join(20)
        assert channel.over
        until(lambda: self.turns(channel).count("call_ended") == visits, why=lambda: self.turns(channel))
        until(lambda: not self.unfinished(channel), why=lambda: self.turns(channel))
        said = self.turns(channel)
        assert said.count("arrived") == said.count("decision") == said.count("call_ended") == visits, said
        return said

    def unfinished(self, channel: Channel) -> bool:
        """Whether a file has no row yet that says what became of it."""
        said = self.turns(channel)
        after = sum(map(said.count, ("recording_sealed", "recording_erased", "quarantined")))
        return said.count("recording_stopped") > after

    # --- what is seen ------------------------------------------------------------------------

    def turns(self, channel: Channel) -> list[str]:
        return [row.turn for row in self.rows(channel)]

    def said(self, channel: Channel, turn: str) -> list[dict[str, Any]]:
        """The evidence of each row of this turn."""
        return [row.evidence for row in self.rows(channel) if row.turn == turn]

    def sees(self, channel: Channel, turn: str, count: int = 1, seconds: float = 10) -> list[dict[str, Any]]:
        """Wait for so many rows of this turn; the evidence of all of them."""
        until(lambda: self.turns(channel).count(turn) >= count, seconds, lambda: self.turns(channel))
        return self.said(channel, turn)

    def sealed(self, channel: Channel) -> dict[str, str]:
        """Path and hash of each sealed file."""
        return {said["path"]: said["sha256"] for said in self.said(channel, "recording_sealed")}

    @property
    def watch(self) -> Watch:
        (watch,) = self.application._watches
        return watch

    @property
    def following(self) -> Following:
        assert self.watch._following is not None
        return self.watch._following

    def visit(self, channel: Channel) -> Visit | None:
        return self.following.visits.get(channel.uuid) if self.watch._following else None

    def follows(self, channel: Channel) -> bool:
        """And knows what the caller decided."""
        visit = self.visit(channel)
        return visit is not None and visit.state.decision is not None

    @property
    def incidents(self) -> int:
        return self.application.status().incidents

    @property
    def commands(self) -> list[str]:
        """What the application said to the switch, in order."""
        return self.event_socket.commands

    def files(self) -> list[Path]:
        return sorted((self.folder / "recordings").rglob("*.wav"))

    # --- other people's recorders ------------------------------------------------------------

    def foreign(self, name: str = "foreign") -> Path:
        return self.elsewhere / f"{name}.wav"


def written(made: Talks, **sections: Any) -> Path:
    """The configuration in force, with other values."""
    path = made.folder / "consentivr.yaml"
    data = changed(made.configuration, **sections).model_dump(mode="json", exclude_none=True)
    path.write_text(yaml.safe_dump(data))
    return path


def reload(made: Talks, path: Path) -> list[MutableMapping[str, Any]]:
    """What the log says of it."""
    with capture_logs() as log:
        made.application.reload(path)
    return log


def press(channel: Channel, keys: str, *, agent: bool = False) -> None:
    for key in keys:
        (channel.agent_presses if agent else channel.press)(key)


def audible(path: str | Path, at_least: float = 0.3) -> set[str]:
    """Who is heard in a file, in any channel, for so many seconds or more."""
    return {
        name for channel in heard(Path(path), PITCHES) for name, spans in channel.items() if total(spans) >= at_least
    }


def everybody(paths: Iterable[str | Path]) -> set[str]:
    return set().union(*(audible(path) for path in paths if Path(path).exists()))


def masked_s(path: str | Path) -> float:
    """Seconds of exact zeros in every channel."""
    return min(total(spans) for spans in silence(Path(path)))


class Desktop:
    """An agent's desktop, or the officer's."""

    def __init__(self, talks: Talks) -> None:
        web = talks.application._web
        assert web is not None
        self._base = "http://{}:{}".format(*web.address)

    def ask(self, path: str, body: bytes | None = None, token: str = TOKEN) -> tuple[int, str]:
        """The status, and what is said."""
        return gevent.get_hub().threadpool.apply(self._ask, (path, body, token))

    def wishes(self, channel: Channel | str, wish: str) -> int:
        target = channel if isinstance(channel, str) else f"/v1/calls/{channel.uuid}/recording"
        return self.ask(target, json.dumps({"wish": wish}).encode())[0]

    def _ask(self, path: str, body: bytes | None, token: str) -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        request = urllib.request.Request(self._base + path, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
