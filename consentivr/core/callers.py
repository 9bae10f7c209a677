"""Whose telephone number is kept (GDPR art. 5(1)(c))."""

from __future__ import annotations

from enum import Enum

from consentivr.core.consent import ConsentDecision, Reason
from consentivr.core.turns import AgreedLate, Decided, Row


class WhoseNumber(str, Enum):
    """As the configuration names it."""

    GIVEN = "given"
    """Of who agreed, which must be proven (art. 7(1)), and of who is recorded by law, and may ask for it (art. 15)."""
    ALL = "all"
    NEVER = "never"


def keeps_number(whose: WhoseNumber, row: Row) -> bool:
    """Whether the caller's number is kept from this row on."""
    if whose is not WhoseNumber.GIVEN:
        return whose is WhoseNumber.ALL
    if isinstance(row, Decided):
        return row.consent.decision is ConsentDecision.GIVEN or row.consent.reason is Reason.LEGAL_BASIS
    return isinstance(row, AgreedLate)
