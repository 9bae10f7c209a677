"""Text to WAV with a text-to-speech program, levelled, at the rates of telephone calls."""

from __future__ import annotations

import shlex
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile

from consentivr.files import replacing
from consentivr.prompts.audio import loudest_dbfs, sound_path, text_mark, written_for

DEFAULT_PROGRAM = "espeak-ng -v {language} -s 145 -g 2 -f {text} -w {output}"
"""``{language}``, ``{text}`` (a UTF-8 file) and ``{output}`` (a WAV file) are filled in."""

TARGET_DBFS = -15.0
"""Level of the loudest 50 ms of every announcement, so that none startles after another."""

_PEAK = 0.89
_LEAD_SECONDS = 0.1


class BuildError(Exception):
    """An announcement could not be made. The message says what to do."""


def build(
    folder: Path,
    texts: Mapping[tuple[str, str], str],
    rates: Sequence[int],
    *,
    heard: Mapping[tuple[str, str], str] | None = None,
    program: str = DEFAULT_PROGRAM,
    force: bool = False,
    progress: Callable[[Path, str], None] = lambda path, what: None,
) -> int:
    """Make the files of ``texts`` ((language, file's stem) -> text) that are missing or out of date.

    ``heard``: the beginnings of some of them, after which a caller knows what is asked; how long each lasts, spoken by
    the same voice, is noted in the file.

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
        speech, rate_of_speech = _speak(program, language, text)
        mark = text_mark(text, beginning, _heard_ms(program, language, beginning, len(speech) / rate_of_speech))
        for rate, path in wanted:
            _save(path, _level(_resample(speech, rate_of_speech, rate), rate), rate, mark)
            progress(path, "made")
            written += 1
    return written


def _heard_ms(program: str, language: str, beginning: str | None, whole_s: float) -> int:
    """How long the beginning of a text lasts in its file. Spoken alone it ends as a sentence does: no shorter."""
    if not beginning:
        return 0
    speech, rate = _speak(program, language, beginning)
    return round(1000 * (_LEAD_SECONDS + min(len(speech) / rate, whole_s)))


def _speak(program: str, language: str, text: str) -> tuple[np.ndarray, int]:
    with tempfile.TemporaryDirectory() as folder:
        source, output = Path(folder, "text.txt"), Path(folder, "speech.wav")
        source.write_text(text + "\n", encoding="utf-8")
        words = [word.format(language=language, text=source, output=output) for word in shlex.split(program)]
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
        except FileNotFoundError:
            raise BuildError(f"there is no program '{words[0]}': install it, or name another with --program") from None
        except subprocess.TimeoutExpired:
            raise BuildError(f"'{words[0]}' did not finish within 120 s") from None
        if done.returncode != 0 or not output.exists():
            raise BuildError(f"'{words[0]}' failed: {done.stderr.strip() or f'exit code {done.returncode}'}")
        samples, rate = soundfile.read(str(output), dtype="float32", always_2d=True)
    if len(samples) == 0:
        raise BuildError(f"'{words[0]}' made an empty file")
    return samples.mean(axis=1), int(rate)


def _resample(samples: np.ndarray, rate_in: int, rate_out: int) -> np.ndarray:
    """Band-limited, by way of the spectrum: the whole announcement is at hand, so nothing rings at a seam."""
    if rate_in == rate_out:
        return samples
    length = round(len(samples) * rate_out / rate_in)
    spectrum = np.fft.rfft(samples)
    kept = np.zeros(length // 2 + 1, dtype=spectrum.dtype)
    shared = min(len(kept), len(spectrum))
    kept[:shared] = spectrum[:shared]
    return np.fft.irfft(kept, length) * (length / len(samples))


def _level(samples: np.ndarray, rate: int) -> np.ndarray:
    gain = 10 ** ((TARGET_DBFS - loudest_dbfs(samples, rate)) / 20)
    levelled = samples * gain
    peak = float(np.abs(levelled).max())
    if peak > _PEAK:
        levelled *= _PEAK / peak
    pause = np.zeros(int(rate * _LEAD_SECONDS))
    return np.concatenate([pause, levelled, pause])


def _save(path: Path, samples: np.ndarray, rate: int, mark: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        replacing(path) as temporary,
        soundfile.SoundFile(str(temporary), "w", samplerate=rate, channels=1, format="WAV", subtype="PCM_16") as file,
    ):
        file.comment = mark
        file.write(samples)
