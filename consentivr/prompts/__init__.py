"""The announcements as audio: finding them, checking them, making them from text."""

from consentivr.prompts.audio import AudioProblem, Spoken, inspect, written_for
from consentivr.prompts.build import build
from consentivr.prompts.voices import BuildError

__all__ = ["AudioProblem", "BuildError", "Spoken", "build", "inspect", "written_for"]
