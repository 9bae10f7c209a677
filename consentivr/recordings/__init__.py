"""Where recordings lie."""

from consentivr.recordings.paths import is_channel_uuid, recording_path

__all__ = ["is_channel_uuid", "recording_path"]
