"""What becomes of the evidence after a call: sealed, held, erased when it is due, and looked after."""

from consentivr.custody.checking import check_all
from consentivr.custody.daily import DailyRetention
from consentivr.custody.day_folders import DayFolders
from consentivr.custody.holds import Holds, hold
from consentivr.custody.pins import Pins
from consentivr.custody.quarantine import Quarantined, Refused, adopt, erase_quarantined, quarantined
from consentivr.custody.register import AgreedTo, agree, agreement, note_statistics, take_back, withdrawal
from consentivr.custody.report import Report
from consentivr.custody.retention import Retention
from consentivr.custody.rights import ErasedCall, ErasedPerson, calls_of_person, erase_calls, would_erase
from consentivr.custody.sealing import Sealer, seal
from consentivr.custody.withdrawing import (
    WAYS,
    Stop,
    ToTakeBack,
    Withdrawal,
    stop_live,
    to_take_back,
    withdraw,
    would_withdraw,
)

__all__ = [
    "WAYS",
    "AgreedTo",
    "Quarantined",
    "Refused",
    "adopt",
    "check_all",
    "erase_quarantined",
    "quarantined",
    "DailyRetention",
    "DayFolders",
    "ErasedCall",
    "ErasedPerson",
    "Holds",
    "Pins",
    "Report",
    "Retention",
    "Sealer",
    "Stop",
    "ToTakeBack",
    "Withdrawal",
    "agree",
    "agreement",
    "calls_of_person",
    "erase_calls",
    "hold",
    "note_statistics",
    "seal",
    "stop_live",
    "take_back",
    "to_take_back",
    "withdraw",
    "withdrawal",
    "would_erase",
    "would_withdraw",
]
