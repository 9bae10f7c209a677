"""Who speaks: Pico where it knows the language and is installed, else espeak-ng, or a program that was named."""

from __future__ import annotations

import importlib.util
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

_ESPEAK = shlex.split("espeak-ng -v {language} -s 170 -g 2 -f {text} -w {output}")

PICO = {"de": "de-DE", "en": "en-GB", "es": "es-ES", "fr": "fr-FR", "it": "it-IT"}
"""The voices of SVOX Pico, which comes inside the package py-nanotts (``consentivr[voices]``)."""

_PICO = [sys.executable, *shlex.split("-m py_nanotts --speed 1.1 --volume 0.4 -v {voice} -o {output} -- {words}")]
"""In a process of its own, and so the same each time: what it spoke before changes what it speaks. Its own volume clips
one sample in a hundred."""


class BuildError(Exception):
    """An announcement could not be made. The message says what to do."""


class Voice:
    """A text-to-speech program."""

    def __init__(self, name: str, command: Sequence[str]) -> None:
        """In ``command`` these are filled in: ``{language}``, ``{text}`` (a UTF-8 file) or ``{words}`` (the text
        itself), ``{output}`` (a WAV file)."""
        self.name = name
        self._command = command

    def __call__(self, language: str, text: str) -> tuple[np.ndarray, int]:
        """Samples between -1 and 1, and their rate in Hz. Raises BuildError."""
        with tempfile.TemporaryDirectory() as folder:
            source, output = Path(folder, "text.txt"), Path(folder, "speech.wav")
            source.write_text(text + "\n", encoding="utf-8")
            values = {
                "language": language,
                "voice": PICO.get(language),
                "text": source,
                "words": text,
                "output": output,
            }
            command = [word.format(**values) for word in self._command]
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
            except FileNotFoundError:
                why = f"there is no program '{command[0]}': install it, or name another with --program"
                raise BuildError(why) from None
            except subprocess.TimeoutExpired:
                raise BuildError(f"'{self.name}' did not finish within 120 s") from None
            if done.returncode != 0 or not output.exists():
                raise BuildError(f"'{self.name}' failed: {done.stderr.strip() or f'exit code {done.returncode}'}")
            samples, rate = soundfile.read(str(output), dtype="float64", always_2d=True)
        return samples.mean(axis=1), int(rate)


def voice_of(language: str, program: str | None = None) -> Voice:
    """Who speaks this language, unless a program was named."""
    if program is not None:
        command = shlex.split(program)
        return Voice(Path(command[0]).name, command)
    if language in PICO and importlib.util.find_spec("py_nanotts"):
        return Voice("Pico", _PICO)
    return Voice("espeak-ng", _ESPEAK)
