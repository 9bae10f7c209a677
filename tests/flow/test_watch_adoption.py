"""Thousands of held conversations are taken up after a start, and the watch goes on with each (promise P11)."""

from __future__ import annotations

from pathlib import Path

import gevent

from consentivr.bench.adoption import configuration, write_rows
from consentivr.core.policy import AgentWish
from consentivr.lab.event_socket import SimulatedEventSocket
from consentivr.lab.simulated.many import ManyHeld
from consentivr.ledger import Search
from consentivr.service.service import Application
from tests.ledgers import opened
from tests.waiting import until

HELD = 10_000


class Restarted:
    """An application that starts while so many talk."""

    def __init__(self, folder: Path, callers: int, *, rows: bool = True) -> None:
        self.many = ManyHeld(callers, folder=f"{folder}/recordings")
        self.socket = SimulatedEventSocket(self.many, "secret")
        made = configuration(folder, self.socket.address[1])
        self.ledger = Path(made.ledger.location)
        if rows:
            write_rows(str(self.ledger), self.many, self.many.api("switchname"), self.many.core_uuid)
        self.application = Application(made, listen=("127.0.0.1", 0))
        self.application.start()

    def end(self) -> None:
        self.application.stop()
        self.socket.cut()

    def turns(self, turn: str) -> list[str]:
        """The channels with such a row."""
        until(lambda: not self.application.ledger.pending, seconds=60)
        with opened(self.ledger) as ledger:
            return [row.channel_uuid for row in ledger.read(Search(turn=turn))]


def test_p11_ten_thousand_are_taken_up_and_none_is_unrecorded(tmp_path: Path) -> None:
    restarted = Restarted(tmp_path, HELD)
    many, application = restarted.many, restarted.application
    try:
        until(lambda: application.recorded == HELD, seconds=300, why=lambda: application.recorded)
        assert application.status().conversations == HELD
        assert all(many.records(number) for number in range(HELD))
        assert not any(many.masked(number) for number in range(HELD))
        given = [command for command in restarted.socket.commands if command.startswith("uuid_record")]
        assert given == [], "nothing was told to record, to stop, or to be silent"
        assert application.status().incidents == 0
        assert sorted(restarted.turns("adopted")) == [many.caller(number) for number in range(HELD)]
        assert len(restarted.turns("recording_started")) == HELD, "those of before"
        for number in (0, HELD // 2, HELD - 1):
            assert application.ask_of_call(many.caller(number), AgentWish.PAUSE, "http") == "done"
            assert many.masked(number)
            assert application.ask_of_call(many.caller(number), AgentWish.WITHDRAW, "http") == "done"
            assert not many.records(number)
        assert len(restarted.turns("withdrawn")) == 3
    finally:
        restarted.end()


def test_a_command_that_matters_does_not_wait_for_all_of_them(tmp_path: Path) -> None:
    """Who is taken up already can take the yes back while others still are being taken up."""
    restarted = Restarted(tmp_path, 3000)
    many, application = restarted.many, restarted.application
    try:
        until(lambda: application.recorded > 0, seconds=60)
        followed = application._watches[0]._following
        assert followed is not None
        channel = next(iter(followed.visits))
        assert application.ask_of_call(channel, AgentWish.WITHDRAW, "http") == "done"
        assert application.status().conversations < 3000, "it came in between"
        until(lambda: application.status().conversations == 3000, seconds=120)
        assert sum(many.records(number) for number in range(3000)) == 2999
    finally:
        restarted.end()


def test_p3_without_rows_nobody_goes_on_being_recorded(tmp_path: Path) -> None:
    """A yes that is in no ledger cannot be shown: whoever the channel says it of is no longer recorded."""
    restarted = Restarted(tmp_path, 20, rows=False)
    many, application = restarted.many, restarted.application
    try:
        until(lambda: application.status().conversations == 20, seconds=20)
        until(lambda: not any(many.records(number) for number in range(20)), seconds=20)
        gevent.sleep(0.1)
        assert application.recorded == 0
    finally:
        restarted.end()
