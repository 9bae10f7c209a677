"""A conversation moves on, to colleagues, conferences, other queues, and the promise with it (issue 11)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import gevent
import pytest

from consentivr.core.foreign import is_name
from consentivr.lab.switch import Channel, Leg
from tests.flow.talks import NO, SALES, YES, Talks, audible, everybody, masked_s, press, stays
from tests.waiting import until

Make = Callable[..., Talks]


def intact(made: Talks, channel: Channel, files: int) -> None:
    """So many files, each sealed once, and still what it was then."""
    sealed = made.said(channel, "recording_sealed")
    assert len(sealed) == len({said["path"] for said in sealed}) == len(made.files()) == files
    for said in sealed:
        assert hashlib.sha256(Path(said["path"]).read_bytes()).hexdigest() == said["sha256"]


def silent(channel: Channel) -> bool:
    """Nothing of its recorders hears anything."""
    return all(recorder.masked for recorder in channel.recorders.values())


# --- colleagues ------------------------------------------------------------------------------


def test_an_agreed_colleague_takes_over(talks: Make) -> None:
    made = talks()
    channel = made.talking(YES)
    gevent.sleep(0.1)
    colleague = made.switch.consult(channel.agent)
    made.sees(channel, "recording_masked")
    gevent.sleep(0.1)
    channel.agent.hang_up()
    until(lambda: channel.partner is colleague)
    made.sees(channel, "recording_unmasked")
    until(lambda: channel.recorders)
    gevent.sleep(0.1)
    said = made.ended(channel)
    assert "forbidden_recording" not in said
    assert everybody(made.files()) == {"caller", "agent", "colleague"}
    agents = [row["agent"] for row in made.said(channel, "agent_answered")]
    assert agents == ["1001@default", "2001@default"]


def test_p10_a_colleague_whom_nobody_knows_is_not_heard(talks: Make) -> None:
    made = talks()
    channel = made.talking(YES)
    gevent.sleep(0.1)
    channel.transfer("2002")
    until(lambda: channel.partner is not channel.agent and channel.partner is not None)
    until(lambda: silent(channel), 1)
    stays(lambda: silent(channel))
    made.ended(channel)
    assert everybody(made.files()) == {"caller", "agent"}


@pytest.mark.parametrize("how", ["busy", "answers and hangs up"])
def test_a_colleague_declines_and_the_agent_comes_back(talks: Make, how: str) -> None:
    made = talks()
    channel = made.talking(YES)
    agent = channel.agent
    gevent.sleep(0.1)
    if how == "busy":
        made.switch.consult_in_vain(agent)
    else:
        colleague = made.switch.consult(agent)
        made.sees(channel, "recording_masked")
        colleague.hang_up()
    until(lambda: channel.partner is agent)
    gevent.sleep(0.2)
    assert channel.recorders, "recorded again"
    assert not silent(channel)
    press(channel, "*3", agent=True)
    made.sees(channel, "recording_paused")
    made.ended(channel)


def test_a_second_line_of_the_agents_phone(talks: Make) -> None:
    """The caller is held while the agent's phone calls the colleague by itself, and then handed over (REFER)."""
    made = talks()
    channel = made.talking(YES)
    agent = channel.agent
    gevent.sleep(0.1)
    second, colleague = made.switch.second_line(agent)
    made.sees(channel, "recording_masked")
    gevent.sleep(0.2)
    made.switch.replace(agent, second)
    until(lambda: channel.partner is colleague)
    second.hang_up()
    until(lambda: channel.recorders and not next(iter(channel.recorders.values())).masked)
    gevent.sleep(0.1)
    made.ended(channel)
    assert everybody(made.files()) == {"caller", "agent", "colleague"}
    (held,) = made.said(channel, "recording_masked")
    assert held["why"] == "on_hold"


def test_a_telephone_that_forwards_is_nobody_known(talks: Make) -> None:
    """Who answers there is not who was dialled: the caller, when connected with it, is not recorded."""
    made = talks()
    channel = made.talking(YES)
    gevent.sleep(0.1)
    other = made.switch.consult_redirected(channel.agent)
    until(lambda: channel.partner is None)
    made.switch.bridge(other, channel)
    until(lambda: silent(channel), 1)
    stays(lambda: silent(channel))
    made.ended(channel)
    assert "colleague" not in everybody(made.files())


def test_an_agents_telephone_that_forwards_is_nobody_known(talks: Make) -> None:
    made = talks()
    channel = made.talking(YES, agent_variables={"sip_redirected_to": "<sip:2098@127.0.0.1>"})
    until(lambda: silent(channel), 1)
    stays(lambda: silent(channel))
    made.ended(channel)
    assert everybody(made.files()) <= {"caller"}
    assert "agent_answered" not in made.turns(channel)


# --- P5: who said no comes to somebody who is recorded ---------------------------------------

WAYS = ["hand-over", "second line", "pickup", "pickup while waiting", "uuid_bridge", "park and fetch", "three_way"]


def _comes_to_a_recorded_leg(made: Talks, how: str, path: Path) -> tuple[Leg, Leg]:
    """The caller, and the leg that is recorded to ``path``."""
    switch = made.switch
    channel = made.waiting(NO) if how == "pickup while waiting" else made.talking(NO)
    if how == "hand-over":
        leg = switch.consult(channel.agent)
    elif how == "second line":
        second, leg = switch.second_line(channel.agent)
    else:
        leg = switch.leg("colleague", "2002")
    assert leg.record(str(path))
    gevent.sleep(0.05)
    assert leg.recorders, "that is not our caller's yet"
    if how == "hand-over":
        channel.agent.hang_up()
    elif how == "second line":
        switch.replace(channel.agent, second)
    elif how == "three_way":
        switch.listen_in(channel, three_way=True, by=leg)
    elif how == "park and fetch":
        switch.park(channel)
        switch.bridge(leg, channel)
    elif how == "uuid_bridge":
        assert switch.api(f"uuid_bridge {leg.uuid} {channel.uuid}").startswith("+OK")
    else:
        leg.execute("intercept", channel.uuid)
        switch.bridge(leg, channel)
    return channel, leg


@pytest.mark.parametrize("how", WAYS)
def test_p5_who_said_no_comes_to_somebody_who_is_recorded(talks: Make, how: str) -> None:
    made = talks()
    path = made.foreign()
    channel, leg = _comes_to_a_recorded_leg(made, how, path)
    until(lambda: not leg.recorders, 1)
    until(lambda: not path.exists(), 2)
    (erased,) = made.sees(channel, "recording_erased")
    (forbidden,) = made.said(channel, "forbidden_recording")
    assert (forbidden["path"], forbidden["why"]) == (erased["path"], "caller_refused")
    assert is_name(erased["path"]), "the path went with the file"
    made.ended(channel)
    assert made.incidents == (2 if how == "three_way" else 1), "who listens is one of its own"


# --- conferences, callers with one another ---------------------------------------------------


@pytest.mark.parametrize("first", ["records", "caller"])
@pytest.mark.parametrize("by_itself", [False, True])
def test_p5_a_conference_that_records_who_said_no(talks: Make, first: str, by_itself: bool) -> None:
    made = talks()
    path = made.foreign("room")
    channel = made.talking(NO)
    room = made.switch.conference("room")
    outsider = made.switch.leg("outsider", "3001")
    room.add(outsider)
    if first == "records":
        room.record(str(path), by_itself=by_itself)
        gevent.sleep(0.05)
        assert room.recorders
    room.add(channel, channel.agent)
    if first == "caller":
        room.record(str(path), by_itself=by_itself)
    until(lambda: not room.recorders, 1)
    until(lambda: not path.exists(), 2)
    (forbidden,) = made.sees(channel, "forbidden_recording")
    assert forbidden["leg"] == "conference"
    made.sees(channel, "recording_erased")
    made.ended(channel)


def test_a_conference_with_an_outsider_hears_silence(talks: Make) -> None:
    made = talks()
    channel = made.talking(YES)
    gevent.sleep(0.1)
    room = made.switch.conference("room")
    room.add(channel, channel.agent, made.switch.leg("outsider", "3001"))
    until(lambda: silent(channel), 1)
    stays(lambda: silent(channel))
    made.ended(channel)
    assert "outsider" not in everybody(made.files())


@pytest.mark.parametrize("other", [NO, YES], ids=["no", "yes"])
def test_two_callers_are_put_through_to_one_another(talks: Make, other: dict) -> None:
    made = talks()
    one = made.talking(YES)
    two = made.talking(other, role="other caller")
    gevent.sleep(0.1)
    assert one.recorders
    assert made.switch.api(f"uuid_bridge {one.uuid} {two.uuid}").startswith("+OK")
    if other is NO:
        until(lambda: not one.recorders, 1)
        stays(lambda: not one.recorders and not two.recorders)
    else:
        until(lambda: len(one.recorders) + len(two.recorders) >= 1)
        gevent.sleep(0.2)
    made.ended(one)
    made.ended(two)
    # Stopped within 200 ms: four seconds of the simulated time.
    together = [path for path in made.files() if {"caller", "other caller"} <= audible(path, 4 if other is NO else 1)]
    assert bool(together) == (other is YES)
    if other is NO:
        assert "forbidden_recording" not in made.turns(one), "our own recorder is no incident"


# --- recorders and queues that move ----------------------------------------------------------


@pytest.mark.parametrize("how", ["-bleg", "moved"])
def test_a_recorder_that_moves_is_followed_and_stopped(talks: Make, how: str) -> None:
    """Without the caller nothing of ours records; what was moved has one start and one end."""
    made = talks()
    channel = made.talking(YES)
    agent = channel.agent
    gevent.sleep(0.1)
    (path,) = channel.recorders
    if how == "-bleg":
        channel.variables["recording_follow_transfer"] = "true"
        made.switch.api(f"uuid_transfer {channel.uuid} -bleg 2002 XML public")
    else:
        other = made.switch.leg("colleague", "2009")
        channel.move_recorders(other)
        until(lambda: not other.recorders, 1)
    until(lambda: not agent.recorders, 1)
    made.ended(channel)
    said = made.turns(channel)
    assert said.count("recording_started") == said.count("recording_stopped")
    assert [row["path"] for row in made.said(channel, "recording_started")].count(path) == 1


@pytest.mark.parametrize("paused", [False, True], ids=["clear", "paused"])
def test_the_talk_goes_on_in_another_queue_with_the_same_purpose(talks: Make, paused: bool) -> None:
    made = talks()
    channel = made.talking(YES)
    before = channel.agent
    gevent.sleep(0.1)
    if paused:
        press(channel, "*3", agent=True)
        made.sees(channel, "recording_paused")
    channel.transfer("queue-sales")
    until(lambda: channel.agent is not before and channel.partner is channel.agent)
    if paused:
        stays(lambda: silent(channel), 0.3)
        press(channel, "*4", agent=True)
    until(lambda: channel.recorders and not silent(channel))
    gevent.sleep(0.1)
    made.ended(channel)
    assert ("recording_resumed" in made.turns(channel)) == paused
    rows = made.rows(channel)
    assert {row.visit for row in rows} == {rows[0].visit}
    assert rows[-1].queue == "sales@default"
    intact(made, channel, 2)


QUEUES = {
    "mode off": {"recording": {"mode": "off"}},
    "other purpose": {"recording": {"mode": "permanent_opt_out", "purpose": "training"}},
    "manual": {"recording": {"mode": "manual"}},
    "unknown": {},
}


@pytest.mark.parametrize("which", QUEUES)
def test_the_queue_where_the_talk_is_decides(talks: Make, which: str) -> None:
    made = talks(queues={"sales": QUEUES[which]})
    channel = made.talking(YES, agents={"sales@default": "1002@default", "other@default": "1002@default"})
    before = channel.agent
    gevent.sleep(0.1)
    if which == "unknown":
        made.switch.queues["other@default"] = None
    channel.transfer("queue-other" if which == "unknown" else "queue-sales")
    until(lambda: channel.agent is not before and channel.partner is channel.agent)
    gevent.sleep(0.05)
    stays(lambda: not channel.recorders)
    path = made.foreign()
    if which in ("mode off", "other purpose"):
        channel.record_without_asking(str(path), agent=True)
        until(lambda: not channel.agent_recorders, 1)
        (erased,) = made.sees(channel, "recording_erased")
        assert not path.exists()
        (forbidden,) = made.said(channel, "forbidden_recording")
        assert (forbidden["path"], forbidden["why"]) == (erased["path"], which.replace(" ", "_"))
    made.ended(channel)
    intact(made, channel, 1)


@pytest.mark.parametrize(("first", "second"), [(YES, NO), (NO, YES), (YES, YES)], ids=["yes-no", "no-yes", "yes-yes"])
def test_another_line_is_another_visit(talks: Make, first: dict, second: dict) -> None:
    made = talks()
    channel = made.talking({1: first[1], 3: second[1]})  # what is said of the answer can be ended by a key, too
    before = channel.agent
    gevent.sleep(0.1)
    channel.transfer(SALES)
    until(lambda: channel.agent is not before and channel.partner is channel.agent)
    until(lambda: made.follows(channel) and len(made.said(channel, "decision")) == 2)
    gevent.sleep(0.2)
    assert bool(channel.recorders) == (second is YES)
    said = made.ended(channel, visits=2)
    assert "forbidden_recording" not in said
    words = [first, second]
    intact(made, channel, words.count(YES))


def test_a_voice_message_is_kept(talks: Make) -> None:
    made = talks()
    channel = made.talking(NO)
    mailbox = made.folder / "mailbox.wav"
    channel.variables["mailbox"] = str(mailbox)
    channel.transfer("voicemail")
    until(lambda: channel.messages)
    gevent.sleep(0.2)
    said = made.ended(channel)
    assert not {"forbidden_recording", "recording_started", "recording_erased"} & set(said)
    assert audible(mailbox) == {"caller"}
    assert masked_s(mailbox) == 0
