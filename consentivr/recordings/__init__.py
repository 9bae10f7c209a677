"""Where recordings lie, what they are, and how they are erased."""

from consentivr.recordings.erasure import ErasedAudio, erase_audio
from consentivr.recordings.fingerprint import Fingerprint, fingerprint
from consentivr.recordings.paths import channel_of, is_channel_uuid, recording_path
from consentivr.recordings.quarantine import files_below, quarantine

__all__ = [
    "ErasedAudio",
    "Fingerprint",
    "channel_of",
    "erase_audio",
    "files_below",
    "fingerprint",
    "is_channel_uuid",
    "quarantine",
    "recording_path",
]
