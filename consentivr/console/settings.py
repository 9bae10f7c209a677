"""What the console is told about the house, by whoever builds it; it reads no configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from consentivr.console.desk import Desk
from consentivr.console.trust import Group, Provider, Proxy
from consentivr.core.consent import Variant
from consentivr.core.retention import RetentionTerms
from consentivr.core.trial import Plan
from consentivr.custody.withdrawing import Stop
from consentivr.disclosure import Controller
from consentivr.ledger import HeadFile, Verifier
from consentivr.recordings import Places


@dataclass(frozen=True)
class Chain:
    """What tells whether the ledger is whole: where it is, its head as it is kept elsewhere, and our public key (PEM),
    where checkpoints are signed.
    """

    location: str
    head_file: HeadFile
    public_key: bytes | None = None

    @property
    def verifier(self) -> Verifier:
        """For our signatures; of nobody's without a key. Raises LedgerError."""
        return Verifier([]) if self.public_key is None else Verifier.of_pem(self.public_key)


@dataclass(frozen=True)
class Wording:
    """A text that agents agree to; ``is_spoken``: it is the one of the agents' line, which the ledger knows."""

    text: str
    language: str
    is_spoken: bool


@dataclass(frozen=True)
class PlannedTrial:
    """A trial of the configuration. ``kept_days``: so long the first rows of its calls are kept; None for ever.
    ``sounds``: a file of each wording.
    """

    plan: Plan
    kept_days: int | None
    sounds: Mapping[Variant, Path]


@dataclass(frozen=True)
class Value:
    """A setting as it stands in the file, or would. ``private``: for administrators only, as files are."""

    name: str
    text: str
    is_set: bool
    private: bool


@dataclass(frozen=True)
class Installation:
    """How it is set up: the configuration as it was read, and when (UTC); as its file is ``now`` (raises ValueError
    when that is none). ``look``: the pre-flight check, for so many seconds at most (raises OSError). ``sounds``: files
    of the announcements in use, by the digest of their wording.
    """

    values: Sequence[Value]
    read_at: datetime
    now: Callable[[], Sequence[Value]]
    look: Callable[[float], Sequence[Mapping[str, Any]]] | None
    sounds: Callable[[], Mapping[str, Path]]


@dataclass(frozen=True)
class Settings:
    """``hosts``: the names under which browsers reach us, as in the header Host; every other one is refused.

    ``session_minutes``: after so long without a request somebody is signed out. ``purposes``: for which recordings may
    be heard, of the works agreement. ``time_zone``: of the times that people read.
    """

    hosts: frozenset[str]
    accounts_file: Path
    places: Places
    country: str | None = None
    session_minutes: int = 30
    purposes: Sequence[str] = ()
    time_zone: str = "UTC"
    queues: Sequence[str] = ()
    """As mod_callcenter names them."""
    lines: Sequence[str] = ()
    kept_because: Mapping[str, str] = field(default_factory=dict)
    """By queue, why what was recorded stays although the yes was taken back, where a ground is stated."""
    stop: Stop = lambda channel: "no 'serve' is known here"
    """Takes the yes of a channel under way back."""
    desk: Desk | None = None
    """``serve``, where it can be asked."""
    chain: Chain | None = None
    wording: Wording | None = None
    """What agents agree to at the console."""
    must_agree: bool = True
    """Whether only talks with agents who did are recorded."""
    installation: Installation | None = None
    trials: Callable[[], tuple[Sequence[PlannedTrial], Sequence[str]]] = lambda: ((), ())
    """Those of the configuration, with the sounds as they are now; and the lines of whose trial one is missing."""
    terms: Mapping[str, RetentionTerms] = field(default_factory=dict)
    """Of each queue, by the same name."""
    groups: Mapping[str, Group] = field(default_factory=dict)
    provider: Provider | None = None
    proxy: Proxy = field(default_factory=Proxy)
    controller: Controller | None = None
    """Who writes the letters; without, ``lacking`` says what has to be set for that."""
    lacking: str = ""
