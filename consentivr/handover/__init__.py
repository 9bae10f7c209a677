"""One call, for people outside: a vCon for other systems, a sheet of paper for a lawyer."""

from consentivr.handover.sheet import LANGUAGES, Integrity, evidence_sheet
from consentivr.handover.vcon import vcon

__all__ = ["LANGUAGES", "Integrity", "evidence_sheet", "vcon"]
