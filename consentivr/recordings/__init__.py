"""Where recordings lie, and how they are erased."""

from consentivr.recordings.erasure import ErasedAudio, erase_audio
from consentivr.recordings.paths import is_channel_uuid, recording_path

__all__ = ["ErasedAudio", "erase_audio", "is_channel_uuid", "recording_path"]
