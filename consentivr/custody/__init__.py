"""What becomes of the evidence after a call: sealed, held, erased when it is due, and looked after."""

from consentivr.custody.daily import DailyRetention
from consentivr.custody.register import agree, take_back
from consentivr.custody.report import Report
from consentivr.custody.retention import Retention
from consentivr.custody.rights import OnHold, calls_of_person, erase_calls, hold
from consentivr.custody.sealing import Sealer, seal
from consentivr.custody.withdrawing import Withdrawal, withdraw

__all__ = [
    "DailyRetention",
    "OnHold",
    "Report",
    "Retention",
    "Sealer",
    "Withdrawal",
    "agree",
    "calls_of_person",
    "erase_calls",
    "hold",
    "seal",
    "take_back",
    "withdraw",
]
