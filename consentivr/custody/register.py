"""The agents' register: who of the staff has agreed to be recorded, and to what (GDPR art. 7(1))."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from consentivr.core.turn import Turn
from consentivr.ledger import NO_CALL, REGISTER, Entry, Ledger


@dataclass(frozen=True)
class AgreedTo:
    """What an agent agreed to: a document by its SHA-256, or a wording by its name or digest."""

    document: str | None = None
    wording: str | None = None

    def __post_init__(self) -> None:
        if bool(self.document) == bool(self.wording):
            raise ValueError("an agreement is to a document or to a wording")

    @classmethod
    def the_document(cls, content: bytes) -> AgreedTo:
        """A document, such as the signed form."""
        return cls(document=hashlib.sha256(content).hexdigest())

    def evidence(self) -> dict[str, str]:
        """For the register's row."""
        return {"document": self.document} if self.document else {"wording": self.wording or ""}


def agreement(
    agent: str, to: AgreedTo, queues: Sequence[str] = (), on: str | None = None, by: str = "administrator"
) -> Entry:
    """The register's row: an agent agreed, on all queues or on these; ``on`` is the day. ``by``: who entered it."""
    day = on or f"{datetime.now(timezone.utc):%Y-%m-%d}"
    said = {"agent": agent, "queues": list(queues), "on": day, "by": by, **to.evidence()}
    return Entry(REGISTER, Turn.AGENT_AGREED.value, "", "", "", said)


def withdrawal(agent: str, by: str = "administrator") -> Entry:
    """The register's row: an agent took it back."""
    return Entry(REGISTER, Turn.AGENT_WITHDREW.value, "", "", "", {"agent": agent, "by": by})


def agree(ledger: Ledger, agent: str, to: AgreedTo, queues: Sequence[str] = (), on: str | None = None) -> None:
    """Note that an agent agreed to be recorded. Raises LedgerUnavailable."""
    ledger.append([agreement(agent, to, queues, on)])


def take_back(ledger: Ledger, agent: str) -> bool:
    """Note that an agent took that back; from the next talk on. False when there is nothing to take back."""
    if not any(row.evidence["agent"] == agent and row.turn == Turn.AGENT_AGREED for row in ledger.register()):
        return False
    ledger.append([withdrawal(agent)])
    return True


def note_statistics(ledger: Ledger, query: str, allowed_by: str, by: str) -> None:
    """Note that somebody counts or lists by agent, on which agreement (BetrVG § 87(1) no. 6)."""
    said = {"query": query, "agreement": allowed_by, "by": by}
    ledger.append([Entry(NO_CALL, Turn.AGENTS_COUNTED.value, "", "", "", said)])
