"""Handing over what is known of a call, a caller or a span of time: to the person (GDPR art. 15, 20), to a court on
paper, to other systems.
"""

from consentivr.disclosure.confirmation import Confirmation
from consentivr.disclosure.export import HandedOver, NothingThere, hand_over
from consentivr.disclosure.letter import Letter
from consentivr.disclosure.paper import Controller
from consentivr.disclosure.sheet import evidence_sheet
from consentivr.disclosure.telling import told
from consentivr.disclosure.words import LANGUAGES, WORDS

__all__ = [
    "LANGUAGES",
    "WORDS",
    "Confirmation",
    "Controller",
    "HandedOver",
    "Letter",
    "NothingThere",
    "evidence_sheet",
    "hand_over",
    "told",
]
