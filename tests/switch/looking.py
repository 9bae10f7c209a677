"""What a test on a real switch looks at: files, rows, who is heard, what taps a leg, who is connected to whom."""

from __future__ import annotations

import json
import time
from pathlib import Path

import gevent

from consentivr.config import Configuration
from consentivr.lab.native import NativeSwitch
from consentivr.lab.outside import Outside
from consentivr.ledger import Entry, Ledger
from tests.switch.parts import Call, audible, eventually

ENDS = {"call_ended", "connection_lost"}
"""Turns of the ledger after which nothing follows for a call."""


class Looking:
    """The half of ``World`` that changes nothing."""

    folder: Path
    configuration: Configuration
    switch: NativeSwitch
    outside: Outside
    earlier: frozenset[Path] = frozenset()
    """Files of calls before ``settle``."""

    @property
    def log(self) -> str:
        """What serve has said."""
        path = self.folder / "serve.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def keys_heard(self, leg: str) -> int:
        """How many keys of this leg the switch in the middle has made out of its packets so far."""
        said = (self.folder / "log" / "freeswitch.log").read_text(errors="replace")
        return sum("RTP RECV DTMF" in line for line in said.splitlines() if line.startswith(leg))

    @property
    def files(self) -> list[Path]:
        """Our recordings; like the others, those made since ``settle``."""
        return self._new("recordings")

    @property
    def elsewhere(self) -> list[Path]:
        """What others have recorded: the lab's recorders that consentivr does not know."""
        return self._new("elsewhere")

    @property
    def mailbox(self) -> list[Path]:
        """Voice messages."""
        return self._new("mailbox")

    def _new(self, name: str) -> list[Path]:
        return sorted(set((self.folder / name).rglob("*.wav")) - self.earlier)

    def rows(self, call: Call | None = None) -> list[Entry]:
        """The ledger's rows in order, of one caller number or all."""
        ledger = Ledger(self.configuration.ledger.location)
        try:
            return [row for row in ledger.read() if call is None or row.caller_id_number == call.number]
        finally:
            ledger.close()

    def by_turn(self, call: Call) -> dict[str, Entry]:
        """A call's rows by turn, the last of each."""
        return {row.turn: row for row in self.rows(call)}

    def whole(self, call: Call) -> dict[str, Entry]:
        """The same, once the ledger says that the call has ended."""
        eventually(lambda: ENDS & set(self.by_turn(call)))
        return self.by_turn(call)

    def phone_of(self, leg: str) -> str:
        """The leg outside at the other end of a leg of the switch in the middle.

        Waits a little: a switch lists a channel some milliseconds after it is there.
        """
        call_id = self.switch.variable(leg, "sip_call_id")

        def found() -> str:
            known = (row["uuid"] for row in self.outside.channels())
            return next((uuid for uuid in known if call_id and self.outside.sip_call_id(uuid) == call_id), "")

        return eventually(found, 3)

    def leg_of(self, phone_leg: str) -> str:
        """The leg of the switch in the middle at the other end of a telephone's leg."""
        call_id = self.outside.sip_call_id(phone_leg)
        for row in self.switch.channels():
            if call_id and self.switch.variable(row["uuid"], "sip_call_id") == call_id:
                return row["uuid"]
        return ""

    def exists(self, leg: str) -> bool:
        """Whether a leg of the switch in the middle is there."""
        return self.switch.api(f"uuid_exists {leg}") == "true"

    def connected(self, leg: str) -> str:
        """The leg to which a leg is bridged; empty without one."""
        for row in self.calls():
            if leg in (row["uuid"], row["b_uuid"]):
                return row["b_uuid"] if row["uuid"] == leg else row["uuid"]
        return ""

    def calls(self) -> list[dict[str, str]]:
        """The bridges that exist now: ``show calls``."""
        rows = json.loads(self.switch.api("show calls as json")).get("rows", [])
        return [row for row in rows if row["b_uuid"]]

    def bugs(self, leg: str) -> str:
        """Whatever taps a leg: ``uuid_buglist``."""
        return self.switch.api(f"uuid_buglist {leg}")

    def dump(self, leg: str) -> dict[str, str]:
        """Everything that the switch in the middle knows of a leg."""
        found: dict[str, str] = json.loads(self.switch.api(f"uuid_dump {leg} json"))
        return found

    def listen(self, phone_leg: str, name: str = "ear") -> Path:
        """From now on record what a telephone hears (left) and hums (right), outside: no recorder of the switch."""
        path = self.folder / f"{name}.wav"
        self.outside.api(f"uuid_setvar {phone_leg} RECORD_STEREO true")
        said = self.outside.api(f"uuid_record {phone_leg} start {path}")
        assert said.startswith("+OK"), said
        return path

    def heard_by(self, phone_leg: str) -> set[str]:
        """Who is heard at a telephone for 0.7 s from now on; of less than 25 frames a recorder writes nothing."""
        path = self.listen(phone_leg, f"ear-{phone_leg}-{time.monotonic_ns()}")
        gevent.sleep(0.7)
        self.outside.api(f"uuid_record {phone_leg} stop {path}")
        return audible(path, channel=0, at_least=0.3)

    def application(self, leg: str) -> str:
        """What a leg of the switch in the middle executes now; empty when it is gone."""
        return next((row["application"] for row in self.switch.channels() if row["uuid"] == leg), "")
