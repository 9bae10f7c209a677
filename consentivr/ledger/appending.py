"""Continuing the chain: rows, wordings and signed checkpoints, in one transaction each."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import sqlalchemy as sa

from consentivr.core import chain
from consentivr.core.consent import NoticeVersion
from consentivr.core.turn import Turn
from consentivr.core.turns import NoticeAdded
from consentivr.ledger import foreign
from consentivr.ledger.databases import Database, DatabaseError
from consentivr.ledger.entry import CHAINED, NO_CALL, CallRef, Entry, as_text, chained, now, storable, tally_name
from consentivr.ledger.errors import LedgerError, LedgerUnavailable
from consentivr.ledger.listing import Listing
from consentivr.ledger.opening import Opened
from consentivr.ledger.schema import callers, checkpoints, entries, evidence_text, notices, tallies
from consentivr.ledger.signing import SignedCheckpoint, Signer

BRING_A_NUMBER = (Turn.DECISION.value, Turn.AGREED_LATE.value)
"""The turns that bring a caller's personal data into the ledger."""

CHECKPOINT_ROWS = 1000
"""A batch that passes a multiple of so many rows ends in a signed checkpoint."""

CHECKPOINTS_APART = timedelta(minutes=10)
"""Of fewer rows, the ledger keeps not more checkpoints than this, and the newest."""

# Statements of every append, made once.
_LAST_ENTRY = "SELECT position, hash FROM entry ORDER BY position DESC LIMIT 1"
_THEIR_KEYS = "SELECT channel_uuid, caller_id_number, key FROM caller WHERE {}"

_PERSON = {name: sa.bindparam(name, type_=sa.Text) for name in ("channel_uuid", "caller_id_number", "key")}
_NOT_ERASED = ~sa.exists().where(
    entries.c.channel_uuid == _PERSON["channel_uuid"], entries.c.turn == sa.literal_column(f"'{Turn.ERASURE.value}'")
)
"""A further visit does not bring back who was erased: its number under a new key would deny the older rows."""


@dataclass(frozen=True)
class Appended:
    """What came of an append: the checkpoint that was signed with it, and the count of each row with a tally."""

    checkpoint: SignedCheckpoint | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    """By the entry's ``submission``."""


class Appending:
    """Adds to an open ledger; a ``signer`` signs now and then what was added."""

    def __init__(self, opened: Opened, signer: Signer | None) -> None:
        self._opened = opened
        self._database = opened.database
        self._signer = signer
        self._in_doubt = False
        self._end = self._known = (0, chain.GENESIS)
        # As text: SQLAlchemy's own handling of many parameters costs as much as the database.
        self._add_entries = str(entries.insert().inline().compile(opened.engine, column_keys=CHAINED))
        new = self._database.insert(callers).from_select(list(_PERSON), sa.select(*_PERSON.values()).where(_NOT_ERASED))
        self._add_callers = str(new.on_conflict_do_nothing().compile(opened.engine))
        self._listing = Listing(opened)
        self._their_keys = _THEIR_KEYS.format(self._database.among("channel_uuid"))

    def append(self, batch: Sequence[Entry]) -> Appended:
        """Write all rows in one transaction; they are durable when this returns.

        After an append whose answer was lost the same rows may be handed in again: none is written twice. Raises
        LedgerUnavailable; nothing of the batch was written then.
        """
        try:
            with self._opened.writing() as connection:
                counts: dict[str, int] = {}
                if self._in_doubt:
                    batch = self._not_yet_written(connection, batch, counts)
                batch = [self._counted(connection, entry, counts) for entry in batch]
                signed = self.extend(connection, batch, self._keys_of_callers(connection, batch))
        except LedgerUnavailable:
            self._in_doubt = True
            raise
        self._in_doubt, self._known = False, self._end
        return Appended(signed, counts)

    def _counted(self, connection: sa.Connection, entry: Entry, counts: dict[str, int]) -> Entry:
        """An entry with a tally gets its number, under the chain's lock."""
        if entry.tally is None:
            return entry
        once = self._database.insert(tallies).values(name=storable(entry.tally), count=1)
        again = once.on_conflict_do_update(index_elements=["name"], set_={"count": tallies.c.count + 1})
        count = connection.execute(again.returning(tallies.c.count)).scalar_one()
        counts[entry.submission] = count
        return replace(entry, evidence={**entry.evidence, "count": count, "tally": tally_name(entry.tally)})

    def _not_yet_written(
        self, connection: sa.Connection, batch: Sequence[Entry], counts: dict[str, int]
    ) -> list[Entry]:
        query = sa.select(entries.c.submission, entries.c.evidence)
        names = [entry.submission for entry in batch]
        there = set()
        for row in connection.execute(query.where(entries.c.submission.in_(names))):
            there.add(row.submission)
            counts[row.submission] = json.loads(row.evidence).get("count")
        if there:
            self._database.settle_doubt(connection)
        return [entry for entry in batch if entry.submission not in there]

    def extend(
        self, connection: sa.Connection, batch: Sequence[Entry], personal: Mapping[str, tuple[str, str]]
    ) -> SignedCheckpoint | None:
        """Write rows after the last one there is; ``personal`` has the commitment's key and the number by call."""
        batch = foreign.committed(connection, batch)
        first, previous = end_of_chain(self._database, connection)
        self._check_continues(connection, first, previous)
        position = first
        random = secrets.token_hex(16 * len(batch))
        commitments = {channel: chain.commitment(*theirs) for channel, theirs in personal.items()}
        rows = []
        for entry in batch:
            key = random[32 * (position - first) : 32 * (position - first + 1)]
            position += 1
            rows.append(chained(entry, position, previous, key, commitments.get(entry.channel_uuid)))
            previous = rows[-1]["hash"]
        if rows:
            self._database.run(connection, self._add_entries, rows)
            self._listing.follow(connection, batch, first + 1)
        self._end = (position, previous)
        if self._signer and position // CHECKPOINT_ROWS > first // CHECKPOINT_ROWS:
            return self._sign(connection, position, previous)
        return None

    def _check_continues(self, connection: sa.Connection, position: int, last: str) -> None:
        """Raises LedgerUnavailable when the ledger no longer holds what was written: a backup or a late standby."""
        known, its_hash = self._known
        if position > known > 0:  # somebody else wrote as well
            last = hash_at(connection, known) or ""
        if position < known or (known and last != its_hash):
            raise LedgerUnavailable(
                f"{self._opened.name} no longer holds row {known}, which was written: it was replaced by an older or "
                "another ledger; stop consentivr, put back the one that was there, and start it again"
            )

    def _keys_of_callers(self, connection: sa.Connection, batch: Sequence[Entry]) -> dict[str, tuple[str, str]]:
        """For each call of the batch whose caller is known: the commitment's key and the number.

        A decision brings both into the table; later rows find them, unless they were erased.
        """
        new = {entry.channel_uuid: entry for entry in batch if entry.caller_id_number and entry.turn in BRING_A_NUMBER}
        if new:
            people = [
                {
                    "channel_uuid": channel,
                    "caller_id_number": storable(entry.caller_id_number or ""),
                    "key": secrets.token_hex(32),
                }
                for channel, entry in new.items()
            ]
            self._database.run(connection, self._add_callers, people)
        wanted = self._database.names(sorted({entry.channel_uuid for entry in batch}))
        found = self._database.run(connection, self._their_keys, {"names": wanted})
        return {channel: (key, number) for channel, number, key in found}

    def sign(self) -> SignedCheckpoint | None:
        """Sign what the chain is now; None without a key, and when nothing is there or new."""
        if self._signer is None:
            return None
        with self._opened.writing() as connection:
            position, last = end_of_chain(self._database, connection)
            newest = connection.execute(sa.select(sa.func.max(checkpoints.c.position))).scalar_one()
            if position <= (newest or 0):
                return None
            self._thin_out(connection)
            return self._sign(connection, position, last)

    def _thin_out(self, connection: sa.Connection) -> None:
        """The next checkpoint proves what our newest one does: of those that only time brought, few are kept."""
        assert self._signer is not None
        ours = checkpoints.c.key_id == self._signer.key_id
        query = sa.select(checkpoints.c.position, checkpoints.c.at).where(ours)
        last = connection.execute(query.order_by(checkpoints.c.position.desc()).limit(2)).all()
        if len(last) < 2:
            return
        newest, before = last
        apart = datetime.fromisoformat(newest.at) - datetime.fromisoformat(before.at)
        if newest.position // CHECKPOINT_ROWS == before.position // CHECKPOINT_ROWS and apart < CHECKPOINTS_APART:
            connection.execute(checkpoints.delete().where(ours, checkpoints.c.position == newest.position))

    def _sign(self, connection: sa.Connection, position: int, last: str) -> SignedCheckpoint:
        assert self._signer is not None
        signed = self._signer.sign(position, last, as_text(now()))
        connection.execute(self._database.insert(checkpoints).on_conflict_do_nothing(), dict(signed.__dict__))
        return signed

    def add_notice(self, notice: NoticeVersion) -> bool:
        """Keep the wording that decisions refer to by its digest, with a row in the chain that says so.

        Whether it is new. Raises LedgerError when the same sound was noted with other words.
        """
        row = {
            "digest": notice.digest,
            "language": notice.language,
            "text": notice.text,
            "audio_sha256": notice.audio_sha256,
            "duration_ms": notice.duration_ms,
        }
        same_sound = sa.select(notices.c.text).where(
            notices.c.language == notice.language,
            notices.c.audio_sha256 == notice.audio_sha256,
            notices.c.text != notice.text,
        )
        in_the_chain = sa.select(entries.c.position).where(
            entries.c.turn == Turn.NOTICE_ADDED.value, evidence_text("notice") == notice.digest
        )
        with self._opened.writing() as connection:
            if (before := connection.execute(same_sound).scalar()) is not None:
                raise LedgerError(
                    f"its text was changed to '{notice.text}', and its sound still is that of '{before}': record it "
                    "anew, have it spoken ('consentivr prompts build --force'), or put the text back"
                )
            connection.execute(self._database.insert(notices).on_conflict_do_nothing(), row)
            is_new = connection.execute(in_the_chain).first() is None
            if is_new:
                said = NoticeAdded.of(notice)
                self.extend(connection, [CallRef(NO_CALL, None, "", "", "").row(said.turn, said.evidence())], {})
        return is_new

    def check_writable(self) -> None:
        """Raises LedgerError unless a row could be written now. Leaves nothing behind."""
        try:
            with self._opened.writes.connect() as connection:
                connection.execute(
                    notices.insert(),
                    {"digest": "-", "language": "", "text": "", "audio_sha256": "", "duration_ms": 0},
                )
                connection.rollback()
        except DatabaseError as error:
            raise self._opened.failure("cannot be written", error) from error


def hash_at(connection: sa.Connection, position: int) -> str | None:
    """The hash of a row; None where there is none."""
    query = sa.select(entries.c.hash).where(entries.c.position == position)
    return connection.execute(query).scalar_one_or_none()


def end_of_chain(database: Database, connection: sa.Connection) -> tuple[int, str]:
    """Position and hash of the last row."""
    last = database.run(connection, _LAST_ENTRY)
    return (last[0][0], last[0][1]) if last else (0, chain.GENESIS)
