"""Handing over what is known of a call, a caller or a span of time: to the person (GDPR art. 15, 20), to a court on
paper, to other systems.
"""

from consentivr.disclosure.confirmation import Confirmation
from consentivr.disclosure.delay import Delay
from consentivr.disclosure.export import HandedOver, NothingThere, hand_over
from consentivr.disclosure.letter import Letter
from consentivr.disclosure.paper import Controller, Paper
from consentivr.disclosure.receipt import Receipt
from consentivr.disclosure.sheet import evidence_sheet
from consentivr.disclosure.telling import told
from consentivr.disclosure.words import LANGUAGES, WORDS

__all__ = [
    "LANGUAGES",
    "WORDS",
    "Confirmation",
    "Controller",
    "Delay",
    "HandedOver",
    "Letter",
    "NothingThere",
    "Paper",
    "Receipt",
    "evidence_sheet",
    "hand_over",
    "told",
]
