"""A campaign: everything that somebody who may write to the database does, and what finds it.

``docs/evidence.md`` has the table; the last test holds both together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from consentivr.core import chain
from consentivr.core.chain import Tampering
from consentivr.core.consent import NoticeVersion
from consentivr.core.evidence import Turn
from consentivr.ledger import CallRef, Entry, Ledger, Signer, Verifier, make_key
from consentivr.ledger.entry import hashed
from consentivr.ledger.verification import Kept, verify_ledger
from tests.ledgers import NUMBER, UUIDS, as_administrator, sql

QUEUE = "support@default"
VISITS = [f"7f0e2a11-5c1d-4d6e-9b59-{number:012x}" for number in range(20)]
ASKED = NoticeVersion("de", "Dürfen wir aufzeichnen?", "ab" * 32, 4000)
UNUSED = NoticeVersion("en", "May we record?", "cd" * 32, 3500)
OTHER = "+493023125777"

ALONE, KEY, KEPT, NEVER = "the ledger alone", "the public key", "a checkpoint kept elsewhere", "nothing"
LEVELS = (ALONE, KEY, KEPT)
"""With each, everything before it is at hand too."""


@dataclass
class World:
    """A ledger with everything in it, and what its administrator can do."""

    location: str | Path
    ledger: Ledger
    signer: Signer
    kept: Kept = field(default_factory=Kept)

    def run(self, *statements: str) -> None:
        as_administrator(self.location, *statements)

    def column(self, statement: str) -> list[Any]:
        with sql(self.location) as connection:
            return [row[0] for row in connection.execute(statement).fetchall()]

    def where(self, turn: str, number: int = 0) -> int:
        """The position of a row."""
        return int(self.column(f"SELECT position FROM entry WHERE turn = '{turn}' ORDER BY position")[number])

    def rechain(self, first: int, **changed: Any) -> None:
        """Change the row at ``first``, and compute everything from there on anew, as the program itself would."""
        previous = self.column(f"SELECT previous FROM entry WHERE position = {first}")[0]
        with self.ledger.engine.connect() as connection:
            rows = connection.exec_driver_sql(
                f"SELECT * FROM entry WHERE position >= {first} ORDER BY position"
            ).mappings().all()  # fmt: skip
        statements = []
        for row in map(dict, rows):
            if row["position"] == first:
                row |= changed
            digest = row["digest"] if row["key"] is None else chain.digest_of(row["key"], hashed(row))
            after = chain.link(previous, row["position"], digest)
            said = {**(changed if row["position"] == first else {}), "digest": digest}
            said |= {"previous": previous, "hash": after}
            statements.append(
                "UPDATE entry SET "
                + ", ".join(f"{name} = '{value}'" for name, value in said.items())
                + f" WHERE position = {row['position']}"
            )
            previous = after
        self.run(*statements)

    def found(self, level: str) -> list[chain.Finding]:
        verifier = Verifier([]) if level == ALONE else self.signer.verifier
        return list(verify_ledger(self.ledger, verifier, self.kept if level == KEPT else Kept()).findings)


def call(number: int, visit: int, caller: str | None, decision: str = "given", **more: Any) -> list[Entry]:
    """A visit as the service writes it."""
    ref = CallRef(UUIDS[number], VISITS[visit], "support", QUEUE, "caller_opt_in")
    path = f"/r/{VISITS[visit]}.wav"
    decided = {"decision": decision, "reason": "consent_key", "notice": ASKED.digest, "notice_ms": 4000}
    said: list[tuple[str, dict[str, Any]]] = [
        ("arrived", {"switch": "fs", "core": "1", "asked": True}),
        ("decision", {**decided, "language": "de"}),
        ("recording_started", {"path": path, "leg": "caller"}),
        ("agent_answered", {"agent_uuid": "-", "agent": "1001@default", "agent_agreed": True}),
        ("withdrawn", {"reason": "withdrawal_keys", "erase": True}),
        ("call_ended", {"hangup_cause": "NORMAL_CLEARING", "agent": "1001@default"}),
    ]
    rows = []
    for turn, evidence in said:
        tally = more.get("tally") if turn == "agent_answered" else None
        rows.append(ref.row(Turn(turn), evidence, caller_id_number=caller, tally=tally))
    return rows


@pytest.fixture
def world(location: str | Path, tmp_path: Path) -> Iterator[World]:
    signer = make_key(tmp_path / "key")
    ledger = Ledger(location, signer=signer)
    ledger.add_notice(ASKED)
    ledger.add_notice(UNUSED)
    for number, caller in enumerate((NUMBER, OTHER, None, NUMBER, OTHER)):
        ledger.append(call(number, number, caller, tally="agent:1001@default"))
    ledger.append(call(0, 10, NUMBER, "refused"))
    ledger.erase_people([UUIDS[3]], {"why": "request", "caller": True, "audio": False})
    ledger.erase_rows([VISITS[4]], {"why": "retention: 100 days"})
    ledger.sign()
    made = World(location, ledger, signer, Kept(signed=ledger.checkpoints()))
    ledger.append(call(5, 5, OTHER))
    assert [made.found(level) for level in LEVELS] == [[], [], []], "whole before"
    yield made
    ledger.close()


@dataclass(frozen=True)
class Done:
    """Something done to a ledger, what finds it, and as what."""

    do: Callable[[World], None]
    found_by: str
    kinds: Sequence[Tampering] = ()


def statement(*statements: str) -> Callable[[World], None]:
    return lambda world: world.run(*statements)


DONE: Mapping[str, Done] = {
    "the text of a wording is changed": Done(
        statement(f"UPDATE notice SET text = 'Ja?' WHERE digest = '{ASKED.digest}'"), ALONE, [Tampering.NOTICE_CHANGED]
    ),
    "the text of a wording that nobody heard yet is changed": Done(
        statement(f"UPDATE notice SET text = 'Yes?' WHERE digest = '{UNUSED.digest}'"),
        ALONE,
        [Tampering.NOTICE_CHANGED],
    ),
    "the language of a wording is changed": Done(
        statement("UPDATE notice SET language = 'fr'"), ALONE, [Tampering.NOTICE_CHANGED]
    ),
    "the length of a wording is changed": Done(
        statement("UPDATE notice SET duration_ms = 9000"), ALONE, [Tampering.NOTICE_CHANGED]
    ),
    "the hash of a wording's sound is changed": Done(
        statement("UPDATE notice SET audio_sha256 = '00'"), ALONE, [Tampering.NOTICE_CHANGED]
    ),
    "a wording is deleted": Done(statement("DELETE FROM notice"), ALONE, [Tampering.NOTICE_REMOVED]),
    "a wording is added": Done(
        statement("INSERT INTO notice VALUES ('00', 'de', 'Ja?', '00', 1)"), ALONE, [Tampering.NOTICE_INSERTED]
    ),
    "two wordings are exchanged": Done(
        statement(
            "UPDATE notice SET digest = 'x'  WHERE language = 'de'",
            f"UPDATE notice SET digest = '{ASKED.digest}' WHERE language = 'en'",
            f"UPDATE notice SET digest = '{UNUSED.digest}' WHERE digest = 'x'",
        ),
        ALONE,
        [Tampering.NOTICE_CHANGED],
    ),
}


@pytest.mark.parametrize("what", DONE)
def test_what_is_done_to_a_ledger_is_found_by_what_the_table_says(world: World, what: str) -> None:
    done = DONE[what]
    done.do(world)
    for level in LEVELS:
        kinds = {finding.kind for finding in world.found(level)}
        if done.found_by == NEVER or LEVELS.index(level) < LEVELS.index(done.found_by):
            assert not kinds, level
        else:
            assert kinds >= set(done.kinds), level
            assert kinds, level
