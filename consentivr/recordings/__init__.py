"""Where recordings lie, what they are, and how they are erased."""

from consentivr.recordings.days import make_days
from consentivr.recordings.fingerprint import Fingerprint, Unfinished, fingerprint, sha256_of
from consentivr.recordings.paths import is_channel_uuid, recording_path, recording_stem, visit_of
from consentivr.recordings.places import Elsewhere, Places
from consentivr.recordings.quarantine import QUARANTINE, files_below, quarantine
from consentivr.recordings.repair import is_unfinished, repair
from consentivr.recordings.silence import CannotSilence, silence

__all__ = [
    "QUARANTINE",
    "CannotSilence",
    "Elsewhere",
    "Fingerprint",
    "Places",
    "Unfinished",
    "files_below",
    "fingerprint",
    "is_channel_uuid",
    "is_unfinished",
    "make_days",
    "quarantine",
    "recording_path",
    "recording_stem",
    "repair",
    "sha256_of",
    "silence",
    "visit_of",
]
