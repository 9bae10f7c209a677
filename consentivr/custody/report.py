"""What a run of retention says of itself."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Report:
    """What a run of retention did, or would do. Files by their paths, calls by their visits, or their channels' UUIDs
    where no visit is known.
    """

    dry_run: bool
    audio_erased: list[str] = field(default_factory=list)
    calls_erased: list[str] = field(default_factory=list)
    agents_forgotten: list[str] = field(default_factory=list)
    rows_erased: int = 0
    accesses_erased: int = 0
    """Of them, rows of the access log that were about no call."""
    held: list[str] = field(default_factory=list)
    repaired: list[str] = field(default_factory=list)
    sealed: list[str] = field(default_factory=list)
    quarantined: list[str] = field(default_factory=list)
    differs: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    left: str | None = None
    """What the operator must do, so that nothing is left of what was erased."""
    beyond: str | None = None
    """Where it may be all the same, out of our reach."""

    @property
    def needs_attention(self) -> bool:
        """Whether someone should look."""
        return bool(self.quarantined or self.differs or self.missing or self.failed or self.left)
