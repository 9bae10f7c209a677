"""Thousands of made-up talks: asked as a restarted application would ask."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys

import gevent
import pytest

from consentivr import switch
from consentivr.esl.errors import WaitTimedOut
from consentivr.esl.inbound import InboundConnection, Login
from consentivr.lab.event_socket import SimulatedEventSocket
from consentivr.lab.simulated.many import ManyHeld
from tests.lab.client import Client
from tests.waiting import until

HELD = 10_000


def test_each_talk_answers_as_a_real_one() -> None:
    many = ManyHeld(3, folder="/r", variables={"consent_visit": "@VISIT@", "mine": "x"})
    caller, agent = many.caller(1), many.agent(1)
    channels = json.loads(many.api("show channels as json"))
    assert channels["row_count"] == 6
    assert {row["uuid"] for row in channels["rows"]} >= {caller, agent}
    calls = json.loads(many.api("show calls as json"))["rows"]
    assert [(row["uuid"], row["b_uuid"]) for row in calls][1] == (caller, agent)
    dump = json.loads(many.api(f"uuid_dump {caller} json"))
    assert (dump["Unique-ID"], dump["variable_consent_visit"]) == (caller, many.visit(1))
    assert dump["variable_consent_record_file"] == many.file(1)
    assert json.loads(many.api(f"uuid_dump {agent} json"))["variable_cc_member_session_uuid"] == caller
    assert many.api(f"uuid_getvar {caller} mine") == "x"
    assert many.api(f"uuid_getvar {agent} mine") == "_undef_"
    assert switch.media_bugs(many.api(f"uuid_buglist {caller}")) == ((switch.RECORDS, many.file(1)),)
    assert switch.media_bugs(many.api(f"uuid_buglist {agent}")) == ()
    assert many.api("uuid_buglist nobody") == ""
    assert many.api(f"uuid_dump {many.caller(3)} json") == "-ERR No such channel!\n"
    assert many.api(f"uuid_exists {agent}") == "true"
    assert many.api("conference json_list") == "[]"
    assert json.loads(ManyHeld(0).api("show channels as json")) == {"row_count": 0}


def test_each_can_be_masked_stopped_started_and_written_on() -> None:
    many = ManyHeld(2)
    told: list[str] = []
    many.listeners.append(lambda event: told.append(event["Event-Name"]))
    caller, path = many.caller(0), many.file(0)
    assert many.api(f"uuid_record {caller} mask {path}") == "+OK Success\n"
    assert many.masked(0)
    assert not many.masked(1)
    assert many.api(f"uuid_record {caller} unmask {path}") == "+OK Success\n"
    assert many.api(f"uuid_record {caller} mask {path}x") == "-ERR Cannot mask recording session!\n"
    assert many.api(f"uuid_record {caller} stop all") == "+OK Success\n"
    assert many.api(f"uuid_record {caller} stop all") == "-ERR Cannot stop record session!\n"
    assert many.records(0) is False
    assert many.api(f"uuid_buglist {caller}") == "<media-bugs>\n</media-bugs>\n"
    assert many.api(f"uuid_record {caller} start {path}") == "+OK Success\n"
    assert told == ["RECORD_STOP", "RECORD_START"]
    assert many.api(f"uuid_setvar {caller} a b c") == "+OK\n"
    assert many.api(f"uuid_setvar_multi {caller} d=1;e=2") == "+OK\n"
    dump = json.loads(many.api(f"uuid_dump {caller} json"))
    assert (dump["variable_a"], dump["variable_d"], dump["variable_e"]) == ("b c", "1", "2")


def test_those_who_said_no() -> None:
    many = ManyHeld(1, recorded=False)
    assert many.api(f"uuid_getvar {many.caller(0)} consent_no_record") == "true"
    assert switch.media_bugs(many.api(f"uuid_buglist {many.caller(0)}")) == ()


def test_ten_thousand_are_asked_over_one_connection() -> None:
    many = ManyHeld(HELD)
    socket = SimulatedEventSocket(many, "secret")
    client = Client(socket, "secret")
    client.say("event json BACKGROUND_JOB")
    client.say("api show channels as json")
    until(lambda: client.answers, seconds=20)
    assert json.loads(client.answers[0])["row_count"] == 2 * HELD
    client.say(*(f"bgapi uuid_dump {many.caller(number)} json\nJob-UUID: {number}" for number in range(HELD)))
    until(lambda: len(client.events) == HELD, seconds=60)
    visits = {json.loads(event["_body"])["variable_consent_visit"] for event in client.events}
    assert visits == {many.visit(number) for number in range(HELD)}
    socket.cut()


@pytest.mark.parametrize("recorded", [True, False])
def test_in_a_process_of_its_own(recorded: bool) -> None:
    plan = json.dumps({"callers": 10, "password": "secret", "recorded": recorded})
    command = [sys.executable, "-m", "consentivr.lab.simulated.many", plan]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = json.loads(process.stdout.readline())["port"]
        connection = InboundConnection(("127.0.0.1", port), Login("secret"))
        connection.connect("event json BACKGROUND_JOB")
        said: list[str] = []
        connection.bgapi("show calls as json", said.append)
        with contextlib.suppress(WaitTimedOut):
            connection.receive(2)
        assert json.loads(said[0])["row_count"] == 10
        connection.stop()
        gevent.get_hub().threadpool.apply(process.communicate, ("", 10))
    assert process.returncode == 0
