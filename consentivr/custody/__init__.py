"""What becomes of the evidence after a call: sealed, held, erased when it is due, and looked after."""

from consentivr.custody.daily import DailyRetention
from consentivr.custody.pins import Pins
from consentivr.custody.register import AgreedTo, agree, agreement, note_statistics, take_back, withdrawal
from consentivr.custody.report import Report
from consentivr.custody.retention import Retention
from consentivr.custody.rights import OnHold, calls_of_person, erase_calls, hold
from consentivr.custody.sealing import Sealer, seal

__all__ = [
    "AgreedTo",
    "DailyRetention",
    "OnHold",
    "Pins",
    "Report",
    "Retention",
    "Sealer",
    "agree",
    "agreement",
    "calls_of_person",
    "erase_calls",
    "hold",
    "note_statistics",
    "seal",
    "take_back",
    "withdrawal",
]
