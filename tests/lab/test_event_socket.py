"""The simulated event socket: what a client says, hears, and what may go wrong."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import gevent
import gevent.socket
import pytest

from consentivr.lab.event_socket import SimulatedEventSocket
from consentivr.lab.switch import SimulatedSwitch
from tests.lab.client import PASSWORD, Client
from tests.lab.talks import WATCHED, ended, passes, talking
from tests.waiting import until

SUBSCRIBE = f"event json BACKGROUND_JOB {' '.join(WATCHED)} callcenter::info conference::maintenance"


@pytest.fixture
def socket(switch: SimulatedSwitch) -> Iterator[SimulatedEventSocket]:
    made = SimulatedEventSocket(switch, PASSWORD)
    switch.sockets.append(made)
    yield made
    made.cut()


@pytest.fixture
def client(socket: SimulatedEventSocket) -> Iterator[Client]:
    made = Client(socket)
    made.say(SUBSCRIBE)
    until(lambda: len(made.replies) == 2)
    yield made
    made.close()


def test_who_does_not_know_the_password_hears_nothing(switch: SimulatedSwitch, socket: SimulatedEventSocket) -> None:
    stranger = Client(socket, "wrong")
    until(lambda: stranger.over)
    assert [reply.reply_text for reply in stranger.replies] == ["-ERR invalid"]
    assert switch.listeners == []
    assert socket.connections == 0


def test_events_of_every_leg_and_of_modules(switch: SimulatedSwitch, client: Client) -> None:
    caller, agent = talking(switch)
    agent.press("5")
    ended(caller)
    until(lambda: "member-queue-end" in client.names())
    assert client.names()[:7] == [
        "member-queue-start",
        "members-count",
        "agent-offering",
        "bridge-agent-start",
        "members-count",
        "CHANNEL_BRIDGE",
        "DTMF",
    ]
    key = client.events[6]
    assert (key["DTMF-Digit"], key["Unique-ID"]) == ("5", agent.uuid)
    assert not [name for name in key if name.startswith("variable_")]
    assert next(iter(key)) == "Event-Name"
    assert next(iter(client.events[0])) == "Event-Subclass", "so it is with events of modules"
    assert "CHANNEL_EXECUTE" not in client.names(), "nobody asked for it"


def test_several_clients_each_with_its_own_wishes(
    switch: SimulatedSwitch, socket: SimulatedEventSocket, client: Client
) -> None:
    other = Client(socket)
    other.say("event json CHANNEL_EXECUTE CUSTOM callcenter::info", "filter CC-Action bridge-agent-start")
    until(lambda: len(other.replies) == 3)
    assert socket.connections == 2
    talking(switch)
    until(lambda: other.events)
    passes(switch, 100)
    assert other.names() == ["bridge-agent-start"]
    other.say("nixevent CUSTOM callcenter::info", "noevents", "exit", "api status")
    until(lambda: other.over)
    assert other.answers == [], "after exit nothing is obeyed"
    assert socket.connections == 1
    client.close()
    until(lambda: socket.connections == 0)
    assert switch.listeners == [], "events are made only while somebody listens"


def test_api_and_bgapi(switch: SimulatedSwitch, client: Client) -> None:
    caller, _ = talking(switch)
    assert client.ask(f"uuid_getvar {caller.uuid} cc_agent") == "1001@default"
    assert client.ask(f"uuid_getvar {caller.uuid} nothing") == "_undef_"
    assert client.ask("uuid_getvar nobody cc_agent") == "-ERR No such channel!\n"
    assert client.ask("uuid_buglist nobody") == "-ERR no reply\n"
    assert client.ask("nonsense x") == "-ERR nonsense Command not found!\n"
    client.events.clear()
    client.say(f"bgapi uuid_setvar {caller.uuid} consent_visit x y\nJob-UUID: job-1", "bgapi switchname")
    until(lambda: len(client.events) == 2)
    assert client.replies[-2].reply_text == "+OK Job-UUID: job-1"
    done, other = client.events
    assert (done["Event-Name"], done["Job-UUID"], done["_body"]) == ("BACKGROUND_JOB", "job-1", "+OK\n")
    assert (done["Job-Command"], done["Content-Length"]) == ("uuid_setvar", "4")
    assert caller.variables["consent_visit"] == "x y"
    assert other["_body"]


def test_what_adoption_asks(switch: SimulatedSwitch, client: Client, tmp_path: Path) -> None:
    caller, agent = talking(switch)
    caller.transfers += ["one", "two"]
    told = client.ask(f"uuid_setvar_multi {caller.uuid} consent_visit=v;consent_line=support;consent_decision=given")
    assert told == "+OK\n"
    dump = json.loads(client.ask(f"uuid_dump {caller.uuid} json"))
    assert dump["Event-Name"] == "CHANNEL_DATA"
    assert (dump["variable_consent_visit"], dump["variable_consent_line"]) == ("v", "support")
    assert dump["variable_transfer_history"] == ["one", "two"], "some variables are lists"
    rows = {row["uuid"]: row for row in json.loads(client.ask("show channels as json"))["rows"]}
    assert set(rows) == {caller.uuid, agent.uuid}
    assert rows[caller.uuid]["application"] == "uuid_bridge"
    assert {row["call_uuid"] for row in rows.values()} == {caller.uuid}
    calls = json.loads(client.ask("show calls as json"))
    assert (calls["row_count"], calls["rows"][0]["b_uuid"]) == (1, agent.uuid)
    assert client.ask(f"uuid_exists {agent.uuid}") == "true"
    assert client.ask(f"uuid_broadcast {caller.uuid} /sounds/withdrawn.wav both") == "+OK Message sent\n"
    assert caller.broadcasts == [("withdrawn", "both")]
    assert client.ask(f"uuid_kill {agent.uuid}") == "+OK\n"
    until(lambda: caller.over)
    until(lambda: client.ask("show channels as json") == '{"row_count": 0}\n')
    queues = json.loads(client.ask('json {"command":"callcenter_config","data":{"arguments":"queue list"}}'))
    assert {"name": "support@default", "record_template": None} in queues["response"]


def test_timers(switch: SimulatedSwitch, client: Client) -> None:
    caller, _ = talking(switch)
    assert client.ask(f"sched_api +20 mine uuid_kill {caller.uuid}").startswith("+OK Added: ")
    assert client.ask("sched_del nobodys") == "+OK Deleted: 0\n"
    assert client.ask("sched_del mine") == "+OK Deleted: 1\n"
    passes(switch, 21_000)
    assert not caller.over
    client.ask(f"sched_api +1 mine uuid_kill {caller.uuid}")
    until(lambda: caller.over)


# --- what may go wrong -----------------------------------------------------------------------


def test_a_command_is_refused(switch: SimulatedSwitch, client: Client) -> None:
    caller, _ = talking(switch)
    fault = switch.faults.refuse("^uuid_setvar", "-ERR no\n", times=1)
    assert client.ask(f"uuid_setvar {caller.uuid} a b") == "-ERR no\n"
    assert "a" not in caller.variables
    assert client.ask(f"uuid_setvar {caller.uuid} a b") == "+OK\n"
    assert fault.met == 1


def test_a_job_hangs_and_holds_up_no_other(switch: SimulatedSwitch, client: Client) -> None:
    switch.faults.hang("^uuid_dump")
    client.say("bgapi uuid_dump x json\nJob-UUID: a", "bgapi uuid_exists x\nJob-UUID: b")
    until(lambda: client.events)
    passes(switch, 500)
    assert [event["Job-UUID"] for event in client.events] == ["b"]


def test_an_api_command_that_hangs_holds_up_its_connection(
    switch: SimulatedSwitch, socket: SimulatedEventSocket, client: Client
) -> None:
    switch.faults.hang("^status")
    client.say("api status", "api switchname")
    passes(switch, 500)
    assert client.answers == []
    assert Client(socket).ask("switchname"), "and no other"
    socket.drop()
    until(lambda: client.over)


@pytest.mark.parametrize("way", ["api", "bgapi"])
def test_an_answer_is_slow(switch: SimulatedSwitch, client: Client, way: str) -> None:
    switch.faults.slow("^switchname", 0.2)
    began = time.monotonic()
    client.say(f"{way} switchname")
    until(lambda: client.answers or client.events)
    assert time.monotonic() - began > 0.19


def test_the_stream_loses_events(switch: SimulatedSwitch, client: Client) -> None:
    switch.faults.lose("CHANNEL_BRIDGE", "bridge-agent-start")
    caller, agent = talking(switch)
    until(lambda: len(client.events) == 4)
    passes(switch, 200)
    assert client.names() == ["member-queue-start", "members-count", "agent-offering", "members-count"]
    assert len(switch.faults.lost) == 2
    assert agent.uuid in client.ask("show calls as json"), "only a sweep finds it"
    switch.faults.clear()
    ended(caller)
    until(lambda: "CHANNEL_UNBRIDGE" in client.names())


def test_a_list_lags_behind_the_events(switch: SimulatedSwitch, client: Client) -> None:
    caller, agent = talking(switch)
    switch.faults.hidden.add(agent.uuid)
    assert [row["uuid"] for row in json.loads(client.ask("show channels as json"))["rows"]] == [caller.uuid]
    assert client.ask(f"uuid_exists {agent.uuid}") == "true"
    switch.faults.clear()
    assert len(json.loads(client.ask("show channels as json"))["rows"]) == 2


def test_the_network_fails_and_comes_back(
    switch: SimulatedSwitch, socket: SimulatedEventSocket, client: Client
) -> None:
    socket.cut()
    until(lambda: client.over)
    with pytest.raises(OSError):
        Client(socket)
    socket.listen()
    assert Client(socket).ask("switchname")
    switch.crash()
    with pytest.raises(OSError):
        Client(socket)
    switch.come_back()
    assert Client(socket).ask("show channels as json") == '{"row_count": 0}\n'


def test_who_does_not_read_holds_up_nobody(switch: SimulatedSwitch, socket: SimulatedEventSocket) -> None:
    deaf = gevent.socket.create_connection(socket.address)
    deaf.sendall(f"auth {PASSWORD}\n\n{SUBSCRIBE}\n\n".encode())
    until(lambda: socket.connections == 1)
    _, agent = talking(switch)
    for _ in range(2000):
        agent.press("1")
    assert Client(socket).ask("switchname")
    deaf.close()
