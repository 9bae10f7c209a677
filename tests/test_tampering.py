"""A campaign: everything that somebody who may write to the database does, and what finds it.

``docs/evidence.md`` has the table; the last test holds both together.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consentivr import custody, disclosure
from consentivr.core import chain
from consentivr.core.chain import Tampering
from consentivr.core.consent import NoticeVersion
from consentivr.core.turn import Turn
from consentivr.ledger import CallRef, Entry, Ledger, LedgerError, Search, Signer, Verifier, make_key
from consentivr.ledger.comparing import put_right
from consentivr.ledger.entry import chained, hashed
from consentivr.ledger.export import IN_ARCHIVE
from consentivr.ledger.manifest import hashes_of
from consentivr.ledger.schema import ERASED
from consentivr.ledger.verification import Kept, verify_export, verify_ledger
from consentivr.recordings import Places
from tests.ledgers import NUMBER, UUIDS, as_administrator, sql
from tests.postgres import Server

QUEUE = "support@default"
VISITS = [f"7f0e2a11-5c1d-4d6e-9b59-{number:012x}" for number in range(20)]
ASKED = NoticeVersion("de", "Dürfen wir aufzeichnen?", "ab" * 32, 4000)
UNUSED = NoticeVersion("en", "May we record?", "cd" * 32, 3500)
OTHER = "+493023125777"

FOREIGN_PATH = "/pbx/2026/03023125777.wav"

ALONE, KEY, KEPT, NEVER = "the ledger alone", "the public key", "a checkpoint kept elsewhere", "nothing"
COPY_SAID = "channel_uuid, turn, line, queue, mode, evidence, key, at"
COPY = f"{COPY_SAID}, digest, previous, hash"
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

    def ledger_end(self) -> int:
        return int(self.column("SELECT max(position) FROM entry")[0])

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


@dataclass(frozen=True)
class Prepared:
    """Made once, and copied for each test."""

    location: str | Path
    signer: Signer
    copy: Callable[[Path], str | Path]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def prepared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    folder = tmp_path_factory.mktemp("prepared")
    location: str | Path = folder / "ledger.sqlite3"
    signer = make_key(folder / "key")
    if request.param == "sqlite":
        made = Prepared(location, signer, lambda to: Path(shutil.copy(location, to / "ledger.sqlite3")))
    else:
        server: Server = request.getfixturevalue("postgres")
        url = server.new()
        made = Prepared(url, signer, lambda to: server.new(like=url))
    ledger = Ledger(made.location, signer=signer)
    ledger.add_notice(ASKED)
    ledger.add_notice(UNUSED)
    for number, caller in enumerate((NUMBER, OTHER, None, NUMBER, OTHER)):
        arrived, *others = call(number, number, caller, tally="agent:1001@default")
        ledger.append([arrived])
        ledger.append(others)
    ledger.append(call(0, 10, NUMBER, "refused"))
    ledger.erase_people([UUIDS[3]], {"why": "request", "caller": True, "audio": False})
    ledger.erase_rows([VISITS[4]], {"why": "retention: 100 days"})
    stranger = CallRef(UUIDS[6], VISITS[6], "support", QUEUE, "caller_opt_in")
    ledger.append([stranger.row(Turn.FORBIDDEN_RECORDING, {"path": FOREIGN_PATH, "leg": "agent", "why": "outsider"})])
    ledger.sign()
    ledger.append(call(5, 5, OTHER))
    whole = World(made.location, ledger, signer, Kept(signed=ledger.checkpoints()))
    assert [whole.found(level) for level in LEVELS] == [[], [], []], "whole before"
    ledger.close()
    return made


@pytest.fixture
def world(prepared: Prepared, tmp_path: Path) -> Iterator[World]:
    location = prepared.copy(tmp_path)
    ledger = Ledger(location, signer=prepared.signer)
    yield World(location, ledger, prepared.signer, Kept(signed=ledger.checkpoints()))
    ledger.close()


@dataclass(frozen=True)
class Done:
    """Something done to a ledger, what finds it, and as what."""

    do: Callable[[World], None]
    found_by: str
    kinds: Sequence[Tampering] = ()


def statement(*statements: str) -> Callable[[World], None]:
    return lambda world: world.run(*statements)


def recomputed(world: World) -> None:
    """A refusal becomes a yes, and every hash after it follows, and the list of calls."""
    position = world.where("decision", 1)
    said = json.dumps({"decision": "given"})
    world.rechain(position, evidence=said)
    put_right(world.ledger)


def signed_by_nobody(world: World) -> None:
    recomputed(world)
    hashes = {position: world.column(f"SELECT hash FROM entry WHERE position = {position}")[0]
              for position in world.column("SELECT position FROM checkpoint")}  # fmt: skip
    for position, hash_ in hashes.items():
        world.run(f"UPDATE checkpoint SET hash = '{hash_}', signature = '{'00' * 64}' WHERE position = {position}")


def signed_by_another(world: World) -> None:
    recomputed(world)
    world.run("DELETE FROM checkpoint")
    world.ledger._appending._signer = Signer(Ed25519PrivateKey.generate())
    world.ledger.sign()


def an_older_copy(world: World) -> None:
    """As it was at an earlier checkpoint, in itself whole."""
    (last,) = world.column("SELECT max(position) FROM checkpoint")
    world.ledger.sign()
    world.kept = Kept(signed=world.ledger.checkpoints())
    world.run(f"DELETE FROM checkpoint WHERE position > {last}")
    cut_the_tail(world)


def cut_the_tail(world: World) -> None:
    """What was written since the newest checkpoint."""
    (last,) = world.column("SELECT max(position) FROM checkpoint")
    world.run(
        f"DELETE FROM entry WHERE position > {last}",
        f"DELETE FROM caller WHERE channel_uuid = '{UUIDS[5]}'",
    )
    put_right(world.ledger)


def emptied(position: str) -> str:
    return f"UPDATE entry SET {', '.join(f'{name} = NULL' for name in ERASED)} WHERE position IN ({position})"


def with_a_false_receipt(world: World) -> None:
    refused = world.where("decision", 1)
    world.run(emptied(str(refused)))
    receipt = {"why": "retention: 100 days", "calls": 1, "rows": [[refused, refused]]}
    world.ledger.append([CallRef("-", None, "", QUEUE, "").row(Turn.ROWS_ERASED, receipt)])
    put_right(world.ledger)


def with_a_false_erasure(world: World) -> None:
    world.run(f"DELETE FROM caller WHERE channel_uuid = '{UUIDS[1]}'")
    about = CallRef(UUIDS[1], VISITS[1], "support", QUEUE, "caller_opt_in")
    world.ledger.append([about.row(Turn.ERASURE, {"why": "request", "caller": True, "audio": False})])


def a_second_connection(world: World) -> None:
    """What 0.1.0 believed: the last decision of a call."""
    world.ledger.append(call(0, 10, NUMBER, "given")[1:2])


def a_visit_that_never_was(world: World) -> None:
    world.ledger.append(call(7, 7, OTHER, "given"))


DONE: Mapping[str, Done] = {
    **{
        f"the column `{column}` of a row is changed": Done(
            statement(f"UPDATE entry SET {column} = '{value}' WHERE position = 10"), ALONE, [Tampering.CHANGED]
        )
        for column, value in {
            "at": "2001-01-01T00:00:00.000000+00:00",
            "channel_uuid": UUIDS[9],
            "turn": "withdrawn",
            "line": "x",
            "queue": "x",
            "mode": "permanent",
            "evidence": '{"decision": "given"}',
            "commitment": "ab" * 32,
            "visit": VISITS[9],
            "key": "ab" * 16,
            "digest": "ab" * 32,
            "previous": "ab" * 32,
            "hash": "ab" * 32,
        }.items()
    },
    "the visit of a row is taken away": Done(
        statement("UPDATE entry SET visit = NULL WHERE position = 10"), ALONE, [Tampering.CHANGED]
    ),
    "the commitment of a row is taken away": Done(
        statement("UPDATE entry SET commitment = NULL WHERE position = 10"), ALONE, [Tampering.CHANGED]
    ),
    "a row is changed, and its digest and hash follow": Done(
        lambda world: world.rechain(world.ledger_end(), evidence="{}"), NEVER
    ),
    "a row is emptied, as an erasure does it": Done(statement(emptied("10")), ALONE, [Tampering.ROW_ERASED]),
    "a row is emptied but for its key": Done(
        statement(emptied("10").replace("key = NULL, ", "")), ALONE, [Tampering.CHANGED]
    ),
    "a row is removed": Done(statement("DELETE FROM entry WHERE position = 10"), ALONE, [Tampering.REMOVED]),
    "several rows are removed": Done(
        statement("DELETE FROM entry WHERE position BETWEEN 5 AND 9"), ALONE, [Tampering.REMOVED]
    ),
    "the first rows are removed": Done(statement("DELETE FROM entry WHERE position < 5"), ALONE, [Tampering.REMOVED]),
    "a removed row's place is given to the next ones": Done(
        statement(
            "DELETE FROM entry WHERE position = 10",
            "UPDATE entry SET position = position - 1000 WHERE position > 9",
            "UPDATE entry SET position = position + 999 WHERE position < 0",
        ),
        ALONE,
        [Tampering.CHANGED],
    ),
    "two rows are exchanged": Done(
        statement(
            "UPDATE entry SET seq = 1009 WHERE seq = 9",
            "UPDATE entry SET seq = 9 WHERE seq = 10",
            "UPDATE entry SET seq = 10 WHERE seq = 1009",
        ),
        ALONE,
        [Tampering.REORDERED],
    ),
    "a row is renumbered": Done(
        statement("UPDATE entry SET position = 1000000 WHERE position = 10"), ALONE, [Tampering.CHANGED]
    ),
    "a copy of a row is added at the end": Done(
        lambda world: world.run(
            f"INSERT INTO entry (position, {COPY}) SELECT {world.ledger_end() + 1}, {COPY} FROM entry "
            "WHERE position = 10"
        ),
        ALONE,
        [Tampering.CHANGED],
    ),
    "a row is added between two others": Done(
        lambda world: world.run(
            f"INSERT INTO entry (seq, position, {COPY}) SELECT -1, {world.ledger_end() + 1}, {COPY} FROM entry "
            "WHERE position = 10"
        ),
        ALONE,
        [Tampering.CHANGED],
    ),
    "a receipt is emptied, as retention of 0.1.0 did": Done(
        lambda world: world.run(emptied(str(world.where("rows_erased")))), ALONE, [Tampering.ROW_ERASED]
    ),
    "a receipt is made to name more rows": Done(
        statement("""UPDATE entry SET evidence = '{"rows": [[1, 99]]}' WHERE turn = 'rows_erased'"""),
        ALONE,
        [Tampering.CHANGED],
    ),
    "the receipt of a person's erasure is removed": Done(
        statement("DELETE FROM entry WHERE turn = 'erasure'"), ALONE, [Tampering.REMOVED, Tampering.PERSONAL_REMOVED]
    ),
    "an erased row is written anew": Done(
        lambda world: world.run(
            "UPDATE entry SET (" + COPY_SAID + f") = (SELECT {COPY_SAID} FROM entry WHERE position = 10) "
            "WHERE channel_uuid IS NULL"
        ),
        ALONE,
        [Tampering.CHANGED],
    ),
    # numbers
    "a number is changed": Done(
        statement(f"UPDATE caller SET caller_id_number = '{OTHER}'"), ALONE, [Tampering.PERSONAL_CHANGED]
    ),
    "the key of a number's commitment is changed": Done(
        statement(f"UPDATE caller SET key = '{'ab' * 32}'"), ALONE, [Tampering.PERSONAL_CHANGED]
    ),
    "the numbers of two calls are exchanged": Done(
        statement(
            f"UPDATE caller SET channel_uuid = 'x' WHERE channel_uuid = '{UUIDS[0]}'",
            f"UPDATE caller SET channel_uuid = '{UUIDS[0]}' WHERE channel_uuid = '{UUIDS[1]}'",
            f"UPDATE caller SET channel_uuid = '{UUIDS[1]}' WHERE channel_uuid = 'x'",
        ),
        ALONE,
        [Tampering.PERSONAL_CHANGED],
    ),
    "a number is removed": Done(
        statement(f"DELETE FROM caller WHERE channel_uuid = '{UUIDS[1]}'"), ALONE, [Tampering.PERSONAL_REMOVED]
    ),
    "a number is added to a call that had none": Done(
        statement(f"INSERT INTO caller VALUES ('{UUIDS[2]}', '{OTHER}', '{'ab' * 32}')"),
        ALONE,
        [Tampering.PERSONAL_INSERTED],
    ),
    "a number is added to a call that never was": Done(
        statement(f"INSERT INTO caller VALUES ('{UUIDS[9]}', '{OTHER}', '{'ab' * 32}')"),
        ALONE,
        [Tampering.PERSONAL_INSERTED],
    ),
    "a number is given back to a person who was erased": Done(
        statement(f"INSERT INTO caller VALUES ('{UUIDS[3]}', '{NUMBER}', '{'ab' * 32}')"),
        ALONE,
        [Tampering.PERSONAL_CHANGED],
    ),
    "the path of another recorder's file is changed": Done(
        statement("UPDATE foreign_file SET path = '/pbx/2026/other.wav'"), ALONE, [Tampering.PERSONAL_CHANGED]
    ),
    "the key of such a path's commitment is changed": Done(
        statement(f"UPDATE foreign_file SET key = '{'ab' * 32}'"), ALONE, [Tampering.PERSONAL_CHANGED]
    ),
    "such a path is removed": Done(statement("DELETE FROM foreign_file"), ALONE, [Tampering.PERSONAL_REMOVED]),
    "such a path is added that no row names": Done(
        lambda world: world.run(
            f"INSERT INTO foreign_file (name, channel_uuid, path, key) VALUES "
            f"('foreign:{chain.commitment('ab' * 32, FOREIGN_PATH)}', '{UUIDS[2]}', '{FOREIGN_PATH}', '{'ab' * 32}')"
        ),
        ALONE,
        [Tampering.PERSONAL_INSERTED],
    ),
    # tallies
    "a tally is raised": Done(statement("UPDATE tally SET count = count + 1"), ALONE, [Tampering.TALLY]),
    "a tally is lowered": Done(statement("UPDATE tally SET count = 1"), ALONE, [Tampering.TALLY]),
    "a tally is removed": Done(statement("DELETE FROM tally"), ALONE, [Tampering.TALLY]),
    "a tally is added": Done(statement("INSERT INTO tally VALUES ('agent:x', 9)"), ALONE, [Tampering.TALLY]),
    # decisions
    "a second connection decides again for a visit": Done(a_second_connection, ALONE, [Tampering.SECOND_DECISION]),
    # the list of calls
    "a call is left out of the console's list": Done(
        statement(f"DELETE FROM listed WHERE call = '{VISITS[1]}'"), ALONE, [Tampering.LIST_REMOVED]
    ),
    **{
        f"a call has another `{column}` in that list": Done(
            statement(f"UPDATE listed SET {column} = {value} WHERE call = '{VISITS[1]}'"),
            ALONE,
            [Tampering.LIST_CHANGED],
        )
        for column, value in {
            "at": "'2001-01-01T00:00:00.000000+00:00'",
            "position": "1000",
            "queue": "'x'",
            "line": "'x'",
            "language": "NULL",
            "decision": "'refused'",
            "reason": "'silence'",
            "notice": "'x'",
            "held": "NOT held",
            "masked": "NOT masked",
            "unsealed": "NOT unsealed",
        }.items()
    },
    "a call that never was is added to that list": Done(
        statement(
            "INSERT INTO listed SELECT at, 1000, 'x', queue, line, language, decision, reason, notice, held, masked, "
            f"unsealed FROM listed WHERE call = '{VISITS[1]}'"
        ),
        ALONE,
        [Tampering.LIST_INSERTED],
    ),
    "a call is left out of its agent's list": Done(
        statement(f"DELETE FROM taken WHERE position = (SELECT position FROM listed WHERE call = '{VISITS[1]}')"),
        ALONE,
        [Tampering.LIST_CHANGED],
    ),
    "a call is given to another agent's list": Done(
        statement(f"INSERT INTO taken SELECT 'x', at, position FROM listed WHERE call = '{VISITS[1]}'"),
        ALONE,
        [Tampering.LIST_CHANGED],
    ),
    "what is no call is added to an agent's list": Done(
        statement("INSERT INTO taken SELECT agent, at, 1000 FROM taken WHERE position < 9"),
        ALONE,
        [Tampering.LIST_INSERTED],
    ),
    # checkpoints
    "a refusal becomes a yes, and every hash after it is computed anew": Done(recomputed, ALONE, [Tampering.REWRITTEN]),
    "the same, and the checkpoints follow, with signatures of zeros": Done(
        signed_by_nobody, KEY, [Tampering.SIGNATURE]
    ),
    "the same, and the checkpoints are signed with another key": Done(signed_by_another, KEY, [Tampering.SIGNATURE]),
    "the checkpoints are removed": Done(statement("DELETE FROM checkpoint"), KEY, [Tampering.UNSIGNED]),
    "the signature of a checkpoint is changed": Done(
        statement(f"UPDATE checkpoint SET signature = '{'00' * 64}'"), KEY, [Tampering.SIGNATURE]
    ),
    "the key of a checkpoint is an invented one": Done(
        statement("UPDATE checkpoint SET key_id = 'ours'"), KEY, [Tampering.SIGNATURE]
    ),
    "the time of a checkpoint is changed": Done(
        statement("UPDATE checkpoint SET at = '2001'"), KEY, [Tampering.SIGNATURE]
    ),
    "a checkpoint is put at another row": Done(
        statement("UPDATE checkpoint SET position = 10"), ALONE, [Tampering.REWRITTEN]
    ),
    "an older copy of the ledger is put back": Done(an_older_copy, KEPT, [Tampering.TRUNCATED]),
    "everything is deleted": Done(
        statement(
            *(
                f"DELETE FROM {table}"
                for table in ("entry", "caller", "foreign_file", "notice", "checkpoint", "tally", "listed", "taken")
            )
        ),
        KEY,
        [Tampering.UNSIGNED],
    ),
    # what nothing finds
    "the rows after the last checkpoint are cut off": Done(cut_the_tail, NEVER),
    "a row is emptied, and a false receipt added by the chain's own rule": Done(with_a_false_receipt, NEVER),
    "a number is removed, and a false receipt added by the chain's own rule": Done(with_a_false_erasure, NEVER),
    "a call that never was is added by the chain's own rule": Done(a_visit_that_never_was, NEVER),
    "the name of a row's handing-in is changed": Done(
        statement("UPDATE entry SET submission = 'x' WHERE position = 10"), NEVER
    ),
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


# --- an export, in the hands of others --------------------------------------------------------


Data = dict[str, Any]


def at(data: Data, turn: str) -> Data:
    """The first row of a turn that still says something."""
    return next(row for row in data["rows"] if row.get("turn") == turn)


def follows(data: Data) -> None:
    """The manifest says what the rows now are: as far as one comes without the key."""
    rows = {row["position"]: row["hash"] for row in data["rows"]}
    hashes = rows | {row["position"]: row["hash"] for row in data["receipts"]}
    calls: dict[str, list[int]] = {}
    for row in data["rows"]:
        if row["key"]:
            calls.setdefault(row.get("visit") or row["channel_uuid"], []).append(row["position"])
    data["manifest"] |= {
        "rows": chain.to_ranges(rows),
        "hashes": hashes_of(hashes),
        "calls": {call: {"rows": len(here), "here": chain.to_ranges(here)} for call, here in calls.items()},
        "notices": sorted(data["notices"]),
    }


def row_dropped(data: Data, *, followed: bool = False) -> None:
    data["rows"].remove(at(data, "withdrawn"))
    if followed:
        follows(data)


def row_blanked(data: Data) -> None:
    row = at(data, "withdrawn")
    blank = {name: row[name] for name in ("position", "previous", "digest", "hash", "person_erased")}
    data["rows"][data["rows"].index(row)] = {**blank, "key": None, "caller": None, "row_erased": True}
    follows(data)


def row_says_otherwise(data: Data) -> None:
    at(data, "withdrawn").update(key=None, caller=None, row_erased=True, evidence={"reason": "nothing"})


def person_erased(data: Data) -> None:
    for row in data["rows"]:
        row |= {"caller": None, "person_erased": True}


def receipt_invented(data: Data) -> None:
    """A receipt that is whole in itself, at a place of its own."""
    person_erased(data)
    last = data["rows"][-1]
    entry = CallRef(last["channel_uuid"], last["visit"], "", "", "").row(Turn.ERASURE, {"caller": True})
    made = chained(entry, last["position"] + 1, last["hash"], "ab" * 16, None)
    said = {name: value for name, value in made.items() if name != "submission"}
    more = {"evidence": entry.evidence, "person_erased": True, "row_erased": False, "caller": None}
    data["rows"].append({**said, **more})
    follows(data)


def wording(**changed: Any) -> Callable[[Data], None]:
    return lambda data: data["notices"][ASKED.digest].update(changed)


def wording_exchanged(data: Data) -> None:
    """The decision names the other one, as the manifest does."""
    del data["notices"][ASKED.digest]
    data["notices"][UNUSED.digest] = vars(UNUSED)
    for row in data["rows"]:
        if row.get("turn") == "decision":
            row["evidence"]["notice"] = UNUSED.digest
    follows(data)


def call_left_out(data: Data) -> None:
    data["rows"] = [row for row in data["rows"] if row["visit"] != VISITS[10]]
    follows(data)


def audio_changed(data: Data) -> None:
    """With a hash that fits, in the row that sealed it."""
    at(data, "recording_sealed")["evidence"]["sha256"] = hashlib.sha256(b"RIFF other").hexdigest()
    data["audio"] = {f"{VISITS[0]}.wav": b"RIFF other"}


EXPORTED: Mapping[str, tuple[Callable[[Data], object], str, Tampering]] = {
    "a withdrawal is left out": (row_dropped, ALONE, Tampering.REMOVED),
    "the same, and the manifest follows": (lambda d: row_dropped(d, followed=True), KEY, Tampering.SIGNATURE),
    "the same, and the manifest is taken away": (
        lambda d: (row_dropped(d), d.pop("manifest")),
        KEY,
        Tampering.UNSIGNED,
    ),
    "the same, and the manifest is signed by nobody": (
        lambda d: (row_dropped(d, followed=True), d["manifest"].update(signature=None)),
        KEY,
        Tampering.UNSIGNED,
    ),
    "a whole visit is left out, and the manifest follows": (call_left_out, KEY, Tampering.SIGNATURE),
    "a withdrawal is blanked as if it were erased": (row_blanked, ALONE, Tampering.ROW_ERASED),
    "a withdrawal is blanked, and says something else": (row_says_otherwise, ALONE, Tampering.CHANGED),
    "a row is changed": (lambda d: at(d, "decision")["evidence"].update(decision="given!"), ALONE, Tampering.CHANGED),
    "a row has one more member": (lambda d: at(d, "decision").update(more="x"), ALONE, Tampering.CHANGED),
    "rows are put in another order": (lambda d: d["rows"].reverse(), ALONE, Tampering.REORDERED),
    "a row is there twice": (lambda d: d["rows"].append(d["rows"][-1]), ALONE, Tampering.REORDERED),
    "the number is exchanged": (
        lambda d: at(d, "decision")["caller"].update(caller_id_number=OTHER),
        ALONE,
        Tampering.PERSONAL_CHANGED,
    ),
    "the number is taken away": (
        lambda d: at(d, "decision").update(caller=None),
        ALONE,
        Tampering.PERSONAL_REMOVED,
    ),
    "the number is said to have been erased": (person_erased, ALONE, Tampering.PERSONAL_REMOVED),
    "the same, with a receipt that is whole in itself": (receipt_invented, KEY, Tampering.UNSIGNED),
    "a number is added to a row without one": (
        lambda d: at(d, "arrived").update(caller={"key": "ab" * 32, "caller_id_number": OTHER}),
        ALONE,
        Tampering.PERSONAL_INSERTED,
    ),
    "the path of another recorder's file is changed": (
        lambda d: next(iter(d["files"].values())).update(path="/pbx/2026/other.wav"),
        ALONE,
        Tampering.PERSONAL_CHANGED,
    ),
    "such a path is taken away": (lambda d: d["files"].clear(), ALONE, Tampering.PERSONAL_REMOVED),
    "such a path is added that no row names": (
        lambda d: d["files"].update(
            {f"foreign:{chain.commitment('ab' * 32, '/x/1.wav')}": {"path": "/x/1.wav", "key": "ab" * 32}}
        ),
        ALONE,
        Tampering.PERSONAL_INSERTED,
    ),
    "the text of a wording is changed": (wording(text="Ja?"), ALONE, Tampering.NOTICE_CHANGED),
    "the language of a wording is changed": (wording(language="fr"), ALONE, Tampering.NOTICE_CHANGED),
    "the length of a wording is changed": (wording(duration_ms=1), ALONE, Tampering.NOTICE_CHANGED),
    "a wording is left out": (lambda d: d["notices"].clear(), ALONE, Tampering.NOTICE_REMOVED),
    "a wording is exchanged in everything that names it": (wording_exchanged, ALONE, Tampering.CHANGED),
    "a wording is added": (
        lambda d: d["notices"].update({UNUSED.digest: vars(UNUSED)}),
        ALONE,
        Tampering.NOTICE_INSERTED,
    ),
    "the proof is taken away": (
        lambda d: d.update(proof={"checkpoints": [], "digests": {}}),
        KEY,
        Tampering.UNSIGNED,
    ),
    "the signature of its checkpoint is changed": (
        lambda d: d["proof"]["checkpoints"][0].update(signature="00" * 64),
        KEY,
        Tampering.SIGNATURE,
    ),
    "the signature of its manifest is changed": (
        lambda d: d["manifest"].update(signature="00" * 64),
        KEY,
        Tampering.SIGNATURE,
    ),
    "its manifest names an invented key": (lambda d: d["manifest"].update(key_id="ours"), KEY, Tampering.SIGNATURE),
    "its manifest says another day": (lambda d: d["manifest"].update(made_at="2001"), KEY, Tampering.SIGNATURE),
    "it is said to hold more of a call": (
        lambda d: d["manifest"]["calls"][VISITS[0]].update(rows=99),
        KEY,
        Tampering.SIGNATURE,
    ),
    "a recording is exchanged": (
        lambda d: d.update(audio={f"{VISITS[0]}.wav": b"RIFF other"}),
        ALONE,
        Tampering.AUDIO,
    ),
    "a recording is exchanged, and its seal follows": (audio_changed, ALONE, Tampering.CHANGED),
    "a recording is left out": (lambda d: d.update(audio={}), ALONE, Tampering.NOT_THE_MANIFEST),
    "a recording is left out, and the manifest follows": (
        lambda d: (d.update(audio={}), d["manifest"].update(audio={})),
        KEY,
        Tampering.SIGNATURE,
    ),
    "a recording is added": (
        lambda d: d["audio"].update({"other.wav": b"RIFF"}),
        ALONE,
        Tampering.NOT_THE_MANIFEST,
    ),
}


def archive(out: Path, data: Data) -> Path:
    audio = data.pop("audio")
    with zipfile.ZipFile(out, "w") as made:
        made.writestr(IN_ARCHIVE, json.dumps(data))
        for name, content in audio.items():
            made.writestr(f"recordings/{name}", content)
    return out


@pytest.fixture
def export(world: World, tmp_path: Path) -> tuple[Data, Path]:
    """Two visits of one caller, with the recording of one, as handed over."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    file = folder / f"{VISITS[0]}.wav"
    soundfile.write(str(file), np.zeros((80, 2)), 8000, subtype="PCM_16")
    about = CallRef(UUIDS[0], VISITS[0], "support", QUEUE, "caller_opt_in")
    recorded = (Turn.RECORDING_STARTED, Turn.RECORDING_STOPPED)
    other = {"path": FOREIGN_PATH, "leg": "agent", "why": "outsider"}
    world.ledger.append([about.row(Turn.FORBIDDEN_RECORDING, other)])
    world.ledger.append([about.row(turn, {"path": str(file)}) for turn in recorded])
    world.ledger.append([about.row(Turn.RECORDING_SEALED, custody.seal(Places(folder), str(file)))])
    world.ledger.sign()
    out = tmp_path / "export.zip"
    with out.open("wb") as made:
        disclosure.hand_over(world.ledger, Search(caller=NUMBER), "json", made, Places(folder), audio=True)
    for verifier in (Verifier([]), world.signer.verifier):
        said = verify_export(out, verifier)
        assert (said.findings, said.recordings) == ([], 1)
        assert said.calls == {VISITS[0]: (10, 10), VISITS[10]: (6, 6)}
    with zipfile.ZipFile(out) as opened:
        data: Data = json.loads(opened.read(IN_ARCHIVE))
        data["audio"] = {file.name: opened.read(f"recordings/{file.name}")}
    return data, tmp_path / "tampered.zip"


@pytest.mark.parametrize("what", EXPORTED)
def test_what_is_done_to_an_export_is_found_by_what_the_table_says(
    world: World, export: tuple[Data, Path], what: str
) -> None:
    change, found_by, kind = EXPORTED[what]
    data, out = export
    change(data)
    archive(out, data)
    alone, keyed = (verify_export(out, verifier).findings for verifier in (Verifier([]), world.signer.verifier))
    assert kind in {finding.kind for finding in (alone if found_by == ALONE else keyed)}, (alone, keyed)
    assert keyed
    assert bool(alone) is (found_by == ALONE), alone


def test_an_export_in_which_readers_could_differ_is_none(world: World, export: tuple[Data, Path]) -> None:
    data, out = export
    archive(out, dict(data))
    with zipfile.ZipFile(out, "a") as made, pytest.warns(UserWarning, match="Duplicate"):
        made.writestr(f"recordings/{VISITS[0]}.wav", b"RIFF other")
    with pytest.raises(LedgerError, match="several files of one name"):
        verify_export(out, Verifier([]))
    text = json.dumps({name: value for name, value in data.items() if name != "audio"})
    for false, why in (
        (text.replace('"reason":', '"reason": "x", "reason":', 1), "twice"),
        (text.replace('"proof":', '"note": "checked by a court", "proof":', 1), "members"),
        (text.replace('"hashes":', '"hash":', 1), "no export"),
        (text.replace('"rows": [[', '"rows": [[[', 1).replace("]]", "]]]", 1), "no export"),
    ):
        out.write_text(false)
        with pytest.raises(LedgerError, match=why):
            verify_export(out, world.signer.verifier)


def test_an_export_of_some_rows_says_so(world: World, tmp_path: Path) -> None:
    out = tmp_path / "part.json"
    world.ledger.sign()
    with out.open("wb") as made:
        disclosure.hand_over(
            world.ledger, Search(turn="decision", caller=NUMBER), "json", made, Places(tmp_path), audio=False
        )
    said = verify_export(out, world.signer.verifier)
    assert (said.findings, said.calls) == ([], {VISITS[0]: (1, 6), VISITS[10]: (1, 6)})


def test_a_forgotten_person_is_exported_with_the_receipt(world: World, tmp_path: Path) -> None:
    world.ledger.sign()
    for search, rows in ((Search(turn="decision", channel=UUIDS[3]), 1), (Search(), world.ledger_end())):
        out = tmp_path / f"{rows}.json"
        with out.open("wb") as made:
            disclosure.hand_over(world.ledger, search, "json", made, Places(tmp_path), audio=False)
        said = verify_export(out, world.signer.verifier)
        assert (said.findings, said.rows, said.signed_rows) == ([], rows, rows)
        data = json.loads(out.read_text())
        assert bool(data["receipts"]) is (rows == 1)
        data["receipts"] = []
        data["rows"] = [row for row in data["rows"] if row.get("turn") not in ("erasure", "rows_erased")]
        follows(data)
        data["manifest"]["receipts"] = []
        out.write_text(json.dumps(data))
        kinds = {finding.kind for finding in verify_export(out, Verifier([])).findings}
        assert Tampering.PERSONAL_REMOVED in kinds
        assert (Tampering.ROW_ERASED in kinds) is (rows > 1)


# --- the campaign, and its table --------------------------------------------------------------


@pytest.mark.parametrize("what", DONE)
def test_what_is_done_to_a_ledger_is_found_by_what_the_table_says(world: World, what: str) -> None:
    done = DONE[what]
    done.do(world)
    for level in LEVELS:
        kinds = {finding.kind for finding in world.found(level)}
        if done.found_by == NEVER or LEVELS.index(level) < LEVELS.index(done.found_by):
            assert not kinds, level
        else:
            assert kinds, level
            assert level != done.found_by or kinds >= set(done.kinds)


def test_the_table_has_what_the_campaign_does() -> None:
    page = (Path(__file__).parents[1] / "docs" / "evidence.md").read_text(encoding="utf-8")
    found = re.findall(r"^\| (.+) \| \**(.+?)\** \| (.+) \|$", page, re.MULTILINE)
    done = [(what, case.found_by, case.kinds) for what, case in DONE.items()]
    done += [(what, found_by, [kind]) for what, (_, found_by, kind) in EXPORTED.items()]
    assert [row for row in found if not row[1].startswith("found by")] == [
        (what, found_by, ", ".join(kind.value for kind in kinds) or "-") for what, found_by, kinds in done
    ]
    assert len(done) > 2 * 32, "what was done to 0.1.0, and as many again"
