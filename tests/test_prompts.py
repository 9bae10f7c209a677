"""Announcements: made from text, levelled, checked; a studio recording is left alone."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from consentivr.config import announcing, load
from consentivr.config.model import SAMPLE_RATES
from consentivr.core.policy import Announcement
from consentivr.prompts import AudioProblem, BuildError, build, inspect
from consentivr.prompts.audio import sound_path, written_for
from consentivr.prompts.preview import page
from consentivr.prompts.telephone import LEVEL_DBFS, for_telephones, level_dbfs
from consentivr.prompts.voices import PICO, voice_of
from consentivr.resources import shipped

SPEAKER = """
import sys, wave, math, struct
text, output, gain = open(sys.argv[1]).read(), sys.argv[2], float(sys.argv[3])
with wave.open(output, "wb") as file:
    file.setnchannels(1); file.setsampwidth(2); file.setframerate(22050)
    frames = int(22050 * 0.05 * len(text))
    file.writeframes(b"".join(struct.pack("<h", int(gain * 32000 * math.sin(i / 22050 * 2 * math.pi * 440)))
                              for i in range(frames)))
"""


@pytest.fixture
def program(tmp_path: Path) -> str:
    script = tmp_path / "speak.py"
    script.write_text(SPEAKER)
    return f"{sys.executable} {script} {{text}} {{output}} "


TEXTS = {("de", "question"): "Dürfen wir?", ("de", "welcome"): "Hallo."}


def test_made_levelled_at_both_rates(tmp_path: Path, program: str) -> None:
    assert build(tmp_path, TEXTS, SAMPLE_RATES, program=program + "0.05") == 4
    for (language, stem), text in TEXTS.items():
        for rate in SAMPLE_RATES:
            spoken = inspect(tmp_path, language, rate, stem, text)
            samples, found_rate = soundfile.read(spoken.path)
            assert found_rate == rate
            assert abs(level_dbfs(samples, rate) - LEVEL_DBFS) < 0.5, "a whisper is made as loud as the rest"
            peak = np.abs(np.fft.rfft(samples)).argmax() * rate / len(samples)
            assert math.isclose(peak, 440, abs_tol=5), "the pitch survives the change of rate"
            assert abs(spoken.duration_ms - (len(text) + 1) * 50 - 200) < 5


def test_p2_how_long_the_beginning_lasts_is_measured_with_the_same_voice(tmp_path: Path, program: str) -> None:
    file = ("de", "question")
    build(tmp_path, TEXTS, SAMPLE_RATES, heard={file: "Dürfen"}, program=program + "0.5")
    for rate in SAMPLE_RATES:
        spoken = inspect(tmp_path, "de", rate, "question", TEXTS[file])
        assert spoken.heard_ms == 100 + 7 * 50, "what leads in, and what is spoken"
        assert inspect(tmp_path, "de", rate, "welcome", "Hallo.").heard_ms is None
        path = sound_path(tmp_path, "de", rate, "question")
        assert written_for(path, TEXTS[file], "Dürfen")
        assert written_for(path, TEXTS[file], "Dürfen wir") is False, "another mark: to be measured anew"
    assert build(tmp_path, TEXTS, SAMPLE_RATES, heard={file: "Dürfen"}, program=program + "0.5") == 0
    assert build(tmp_path, TEXTS, SAMPLE_RATES, heard={file: "Dürfen wir?"}, program=program + "0.5") == 2
    assert inspect(tmp_path, "de", 8000, "question", TEXTS[file]).heard_ms < spoken.duration_ms


def test_only_what_changed_is_made_again(tmp_path: Path, program: str) -> None:
    build(tmp_path, TEXTS, SAMPLE_RATES, program=program + "0.5")
    assert build(tmp_path, TEXTS, SAMPLE_RATES, program=program + "0.5") == 0
    changed = {**TEXTS, ("de", "welcome"): "Guten Tag."}
    assert written_for(sound_path(tmp_path, "de", 8000, "welcome"), "Guten Tag.") is False
    assert build(tmp_path, changed, SAMPLE_RATES, program=program + "0.5") == 2
    assert written_for(sound_path(tmp_path, "de", 8000, "welcome"), "Guten Tag.") is True


def test_a_studio_recording_is_left_alone(tmp_path: Path, program: str) -> None:
    path = sound_path(tmp_path, "de", 8000, "welcome")
    path.parent.mkdir(parents=True)
    soundfile.write(str(path), 0.3 * np.sin(np.arange(8000)), 8000, subtype="PCM_16")
    before = path.read_bytes()
    told: list[str] = []
    build(tmp_path, TEXTS, [8000], program=program + "0.5", progress=lambda _path, what: told.append(what))
    assert path.read_bytes() == before
    assert "not ours, left alone" in told
    build(tmp_path, TEXTS, [8000], program=program + "0.5", force=True)
    assert path.read_bytes() != before


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("no-such-program-here {text}", "install it"),
        ("false {text}", "exit code 1"),
        ("true {text}", "failed"),
        (f"{sys.executable} -c \"import sys; sys.exit('bad voice')\"", "bad voice"),
    ],
)
def test_a_speaker_that_fails(tmp_path: Path, command: str, said: str) -> None:
    with pytest.raises(BuildError, match=said):
        build(tmp_path, TEXTS, [8000], program=command)


def test_text_is_never_a_command(tmp_path: Path, program: str) -> None:
    evil = {("de", "question"): '$(touch /tmp/pwned); `id`; "{output}"'}
    build(tmp_path, evil, [8000], program=program + "0.5")
    assert not Path("/tmp/pwned").exists()


def wav(path: Path, samples: np.ndarray, rate: int = 8000, **how: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(str(path), samples, rate, **{"subtype": "PCM_16", "format": "WAV", **how})


HUM = 0.3 * np.sin(np.arange(8000) / 5)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "is missing: put a recording there, or run 'consentivr prompts build'"),
        (lambda path: (path.parent.mkdir(parents=True), path.write_bytes(b"RIFF")), "cannot be read"),
        (lambda path: wav(path, HUM, 44100), "has 44100 Hz: 8000 Hz is wanted"),
        (lambda path: wav(path, np.stack([HUM, HUM], axis=1)), "has 2 channels: one is wanted"),
        (lambda path: wav(path, HUM * 0), "is silent"),
        (lambda path: wav(path, HUM * 0.001), "is silent"),
        (lambda path: wav(path, HUM[:0]), "is silent"),
        (lambda path: wav(path, HUM, format="FLAC"), "is FLAC/PCM_16: WAV"),
        (lambda path: wav(path, HUM, subtype="FLOAT"), "is WAV/FLOAT: WAV"),
    ],
)
def test_what_callers_would_not_hear(tmp_path: Path, make: object, said: str) -> None:
    make(sound_path(tmp_path, "de", 8000, "question"))  # type: ignore[operator]
    with pytest.raises(AudioProblem, match=said):
        inspect(tmp_path, "de", 8000, "question", "Text")


def test_a_file_we_did_not_make_has_no_text(tmp_path: Path) -> None:
    wav(tmp_path / "a.wav", HUM)
    assert written_for(tmp_path / "a.wav", "x") is None
    assert written_for(tmp_path / "missing.wav", "x") is None


@pytest.mark.parametrize("rate", SAMPLE_RATES)
def test_a_telephones_band(rate: int) -> None:
    """What a telephone would take away is not there; above 1 kHz it is lifted."""
    seconds = np.arange(22050 * 2) / 22050
    tones = (100, 500, 2500, 3900 * rate // 8000)
    mixed = sum(np.sin(2 * np.pi * tone * seconds) for tone in tones) / 8
    made = for_telephones(np.asarray(mixed), 22050, rate)
    spectrum = np.abs(np.fft.rfft(made))
    low, middle, high, above = (spectrum[round(tone * len(made) / rate)] for tone in tones)
    assert low < 0.01 * middle
    assert above < 0.01 * middle
    assert high / middle == pytest.approx(1, rel=0.01), "there is enough of it"


def test_a_dull_voice_is_lifted() -> None:
    seconds = np.arange(32000) / 16000
    dull = np.sin(2 * np.pi * 500 * seconds) + 0.1 * np.sin(2 * np.pi * 2500 * seconds)
    made = np.abs(np.fft.rfft(for_telephones(dull / 4, 16000, 8000))) ** 2
    half = len(made) // 4  # 1000 Hz
    assert made[half:].sum() / made.sum() == pytest.approx(0.2, abs=0.01)


def test_a_level_that_is_the_same_whatever_the_pauses() -> None:
    hum = 0.01 * np.sin(np.arange(16000) / 3)
    for samples in (hum, np.concatenate([hum, np.zeros(80000), hum])):
        made = for_telephones(samples, 16000, 8000)
        assert abs(level_dbfs(made, 8000) - LEVEL_DBFS) < 0.5
        assert np.abs(made).max() < 0.9


def test_nothing_is_clipped_however_spiky() -> None:
    clicks = np.zeros(16000)
    clicks[::800] = 1
    assert np.abs(for_telephones(clicks, 16000, 8000)).max() < 0.9


def test_what_says_nothing(tmp_path: Path, program: str) -> None:
    with pytest.raises(BuildError, match="said nothing in the language de"):
        build(tmp_path, TEXTS, [8000], program=program + "0.0")


def test_who_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert voice_of("da").name == "espeak-ng"
    assert voice_of("de", "piper --model x").name == "piper"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert voice_of("de").name == "espeak-ng"


@pytest.mark.parametrize("language", PICO)
def test_picos_voice_is_the_same_each_time(tmp_path: Path, language: str) -> None:
    """A file that is made anew is the same file: its version in the ledger stays."""
    files = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        told: list[str] = []
        texts = {(language, "accepted"): "- 5?", (language, "question"): "1, 9."}
        build(folder, texts, [8000], progress=lambda _path, what, told=told: told.append(what))  # type: ignore[misc]
        assert set(told) == {"made, Pico"}
        files.append(sound_path(folder, language, 8000, "question").read_bytes())
    assert files[0] == files[1]


def test_a_page_to_listen_to(tmp_path: Path, program: str) -> None:
    texts = {**TEXTS, ("en", "question"): "May <b>we</b>?"}
    build(tmp_path, texts, [8000], heard={("de", "question"): "Dürfen"}, program=program + "0.5")
    sound_path(tmp_path, "de", 8000, "welcome").unlink()
    html = page(tmp_path, texts, 8000)
    assert html.count("data:audio/wav;base64,UklGR") == 2, "the sounds are in it"
    assert "a yes counts after 0.5 s" in html
    assert "welcome.wav is missing" in html
    assert "May &lt;b&gt;we&lt;/b&gt;?" in html


SHIPPED = sorted(load(shipped("sounds") / "all.yaml").sound_files().items())


def test_every_language_of_ours_is_shipped() -> None:
    assert {language for (language, _), _ in SHIPPED} == set(announcing.languages())
    for language in announcing.languages():
        stems = {stem for (found, stem), _ in SHIPPED if found == language}
        not_ours = {Announcement.DETAILS.value, Announcement.LANGUAGE.value}
        assert stems == {one.value for one in Announcement} - not_ours | {"language-2"}


@pytest.mark.parametrize(("language", "stem", "text"), [(*file, text) for file, text in SHIPPED])
def test_what_we_ship(language: str, stem: str, text: str) -> None:
    for rate in SAMPLE_RATES:
        spoken = inspect(shipped("sounds"), language, rate, stem, text)
        assert written_for(Path(spoken.path), text), f"{spoken.path}: make sounds"
        samples, _ = soundfile.read(spoken.path)
        assert abs(level_dbfs(samples, rate) - LEVEL_DBFS) < 0.5
        assert np.abs(samples).max() < 0.9, "never clipped"
