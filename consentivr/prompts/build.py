"""Text to WAV: spoken, made ready for telephones, noted what it was made from.

A-law, as the telephone network carries it (ITU-T G.711): half the size, and no telephone hears a difference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile

from consentivr.files import replacing
from consentivr.prompts.audio import SILENCE_DBFS, loudest_dbfs, sound_path, text_mark, written_for
from consentivr.prompts.telephone import for_telephones, trimmed
from consentivr.prompts.voices import BuildError, Voice, voice_of

_LEAD_SECONDS = 0.1


def build(
    folder: Path,
    texts: Mapping[tuple[str, str], str],
    rates: Sequence[int],
    *,
    heard: Mapping[tuple[str, str], str] | None = None,
    program: str | None = None,
    force: bool = False,
    progress: Callable[[Path, str], None] = lambda path, what: None,
) -> int:
    """Make the files of ``texts`` ((language, file's stem) -> text) that are missing or out of date.

    ``heard``: the beginnings of some of them, after which a caller knows what is asked; how long each lasts, spoken by
    the same voice, is noted in the file. ``program`` speaks instead of the voice of a language (``voices``).

    A file that was not made by this function, a studio recording, is left alone unless ``force``.
    Returns how many files were written. Raises BuildError.
    """
    written = 0
    for (language, stem), text in sorted(texts.items()):
        beginning = (heard or {}).get((language, stem))
        wanted = []
        for rate in rates:
            path = sound_path(folder, language, rate, stem)
            made_from_text = written_for(path, text, beginning) if path.exists() else False
            if force or made_from_text is False:
                wanted.append((rate, path))
            else:
                progress(path, "up to date" if made_from_text else "not ours, left alone")
        if not wanted:
            continue
        voice = voice_of(language, program)
        speech, rate_of_speech = _spoken(voice, language, text)
        mark = text_mark(text, beginning, _heard_ms(voice, language, beginning, len(speech) / rate_of_speech))
        pause = np.zeros(int(rate_of_speech * _LEAD_SECONDS))
        speech = np.concatenate([pause, speech, pause])
        for rate, path in wanted:
            _save(path, for_telephones(speech, rate_of_speech, rate), rate, mark)
            progress(path, f"made, {voice.name}")
            written += 1
    return written


def _heard_ms(voice: Voice, language: str, beginning: str | None, whole_s: float) -> int:
    """How long the beginning of a text lasts in its file. Spoken alone it ends as a sentence does: no shorter."""
    if not beginning:
        return 0
    speech, rate = _spoken(voice, language, beginning)
    return round(1000 * (_LEAD_SECONDS + min(len(speech) / rate, whole_s)))


def _spoken(voice: Voice, language: str, text: str) -> tuple[np.ndarray, int]:
    speech, rate = voice(language, text)
    if len(speech) == 0 or loudest_dbfs(speech, rate) < SILENCE_DBFS:
        raise BuildError(f"'{voice.name}' said nothing in the language {language}: name another with --program")
    return trimmed(speech, rate), rate


def _save(path: Path, samples: np.ndarray, rate: int, mark: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        replacing(path) as temporary,
        soundfile.SoundFile(str(temporary), "w", samplerate=rate, channels=1, format="WAV", subtype="ALAW") as file,
    ):
        file.comment = mark
        file.write(samples)
