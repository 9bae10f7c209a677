"""One page to listen to: every announcement beside its text."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import jinja2
import soundfile

from consentivr.prompts.audio import AudioProblem, Spoken, inspect


@dataclass(frozen=True)
class Heard:
    """A line of the page. ``audio`` is a WAV file in base64; None where ``problem`` says why."""

    name: str
    text: str
    spoken: Spoken | None
    audio: str | None
    problem: str | None


def page(folder: Path, texts: Mapping[tuple[str, str], str], rate: int) -> str:
    """HTML that needs no other file. ``texts``: (language, file's stem) -> text; ``rate`` in Hz."""
    lines = [(language, _heard(folder, language, rate, stem, text)) for (language, stem), text in sorted(texts.items())]
    languages = {name: [heard for _, heard in found] for name, found in groupby(lines, key=lambda line: line[0])}
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template("preview.html.j2").render(languages=languages, rate=rate)


def _heard(folder: Path, language: str, rate: int, stem: str, text: str) -> Heard:
    try:
        spoken = inspect(folder, language, rate, stem, text)
    except AudioProblem as problem:
        return Heard(stem, text, None, None, str(problem))
    return Heard(stem, text, spoken, base64.b64encode(_for_browsers(spoken.path)).decode("ascii"), None)


def _for_browsers(path: str) -> bytes:
    """As 16-bit PCM, which every one of them plays."""
    samples, rate = soundfile.read(path, dtype="int16")
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype="PCM_16")
    return file.getvalue()
