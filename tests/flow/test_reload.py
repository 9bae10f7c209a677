"""A new configuration, and new announcements, while calls are under way (SIGHUP)."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from prometheus_client import REGISTRY

from consentivr.config import Configuration
from consentivr.lab.caller import Caller
from consentivr.service.build import CannotServe
from consentivr.service.service import Application
from tests.flow.talks import YES, Talks, changed, press, reload, written
from tests.waiting import until

Make = Callable[..., Talks]


def measured(name: str) -> float | None:
    return REGISTRY.get_sample_value(name)


def test_new_callers_meet_the_new_configuration_and_others_what_they_were_told(talks: Make) -> None:
    """Also who was still being asked when it came: the old keys take the yes back."""
    made = talks()
    before = made.talking(YES)
    asked = made.switch.call("5000", Caller(keys={1: ("1", 5000)}, talks_ms=10_000_000))
    until(lambda: "play_and_get_digits" in asked.applications)
    reload(made, written(made, question={"withdrawal_keys": "*8"}))
    until(lambda: asked.bugs_in_talk)
    after = made.talking(YES)
    for channel in (before, asked):
        press(channel, "*8")
        press(channel, "*9")
        (withdrawn,) = made.sees(channel, "withdrawn")
        assert withdrawn["keys"] == "*9"
    press(after, "*9")
    press(after, "*8")
    (withdrawn,) = made.sees(after, "withdrawn")
    assert withdrawn["keys"] == "*8"
    for channel in (before, asked, after):
        made.ended(channel)


def test_a_line_that_is_gone_keeps_its_talks(talks: Make) -> None:
    made = talks()
    channel = made.recorded(number="5002")
    path = written(made)
    data = yaml.safe_load(path.read_text())
    del data["lines"]["sales"]
    path.write_text(yaml.safe_dump(data))
    reload(made, path)
    press(channel, "*9")
    made.sees(channel, "withdrawn")
    made.ended(channel)


@pytest.mark.parametrize("fault", ["not YAML", "a mistake", "an announcement is missing", "no file"])
def test_on_any_error_everything_stays_and_says_so(
    configure: Callable[..., Configuration], tmp_path: Path, sounds: Path, fault: str
) -> None:
    with Talks(configure(), tmp_path) as made:
        path = written(made, question={"withdrawal_keys": "*8"})
        if fault == "not YAML":
            path.write_text("lines: [")
        elif fault == "a mistake":
            path.write_text(path.read_text().replace("number: '5000'", "number: '50 00'"))
        elif fault == "an announcement is missing":
            shutil.copytree(sounds, tmp_path / "sounds")
            (tmp_path / "sounds" / "de" / "8000" / "question.wav").unlink()
            written(made, sounds={"folder": str(tmp_path / "sounds")})
        else:
            path.unlink()
        said = "configuration not taken: the one before goes on"
        (line,) = [line for line in reload(made, path) if line["event"] == said]
        assert made.application.status().not_good == {"configuration": line["why"]}
        assert {"not YAML": "not YAML", "a mistake": "lines.support.number", "an announcement is missing": "is missing",
                "no file": "there is no such file"}[fault] in line["why"]  # fmt: skip
        assert measured("consentivr_reload_successful") == 0
        channel = made.talking(YES)
        press(channel, "*9")
        made.sees(channel, "withdrawn")
        made.ended(channel)
        reload(made, written(made))
        assert made.application.status().not_good == {}
        assert measured("consentivr_reload_successful") == 1


def test_p8_a_recording_of_ones_own_whose_text_was_changed_is_not_asked_with(
    configure: Callable[..., Configuration], tmp_path: Path
) -> None:
    """Nothing in the file says what it speaks; the ledger does, since it was first asked with."""
    with Talks(configure(), tmp_path) as made:
        other = {"de": {"question": "Ein anderer Text"}}
        refused = reload(made, written(made, announcements=other))
        why = made.application.status().not_good["configuration"]
        assert why in str(refused)
        assert "question.wav: its text was changed to 'Ein anderer Text', and its sound still is that of 'Text'" in why
        changed_configuration = changed(made.configuration, announcements=other)
    with pytest.raises(CannotServe, match="its text was changed"):
        Application(changed_configuration, listen=("127.0.0.1", 0)).start()


def test_what_cannot_change_while_we_serve_is_named_and_stays(talks: Make) -> None:
    made = talks()
    path = written(
        made,
        service={"listen": "127.0.0.1:1"},
        ledger={"path": "/nowhere/ledger", "commit_timeout_ms": 100},
        switches=[{"address": "127.0.0.1:1", "password_file": "/nowhere"}],
        recordings={"folder": "/nowhere"},
        question={"withdrawal_keys": "*8"},
    )
    (line,) = [line for line in reload(made, path) if line["event"] == "settings wait for the next start"]
    wanted = ["service.listen", "ledger.path", "ledger.commit_timeout_ms", "switches", "recordings.folder"]
    assert line["settings"] == wanted
    assert measured("consentivr_restart_wanted") == 5
    channel = made.recorded()
    press(channel, "*8")
    made.sees(channel, "withdrawn")
    made.ended(channel)
    reload(made, written(made))
    assert measured("consentivr_restart_wanted") == 0


def test_p8_nobody_is_asked_with_another_file_than_the_ledger_names(
    configure: Callable[..., Configuration], tmp_path: Path, sounds: Path
) -> None:
    shutil.copytree(sounds, tmp_path / "sounds")
    with Talks(configure(sounds_folder=tmp_path / "sounds"), tmp_path) as made:
        first = made.talking(YES)
        question = tmp_path / "sounds" / "de" / "8000" / "question.wav"
        new = question.with_suffix(".new")
        new.write_bytes(question.read_bytes()[:-2000])
        new.replace(question)
        unasked = made.talking(YES)
        assert [(row["decision"], row["reason"]) for row in made.said(unasked, "decision")] == [
            ("not_obtained", "could_not_ask")
        ]
        made.application._surroundings.look()
        assert str(question) in made.application.status().not_good["sounds"]
        assert measured("consentivr_sounds_unchanged") == 0
        said = reload(made, written(made))
        assert [line["path"] for line in said if line["event"] == "callers hear a new wording"] == [str(question)]
        assert made.application.status().not_good == {}
        again = made.talking(YES)
        asked = [made.said(channel, "decision")[0]["notice"] for channel in (first, again)]
        assert asked[0] != asked[1], "a version of its own"
        assert made.said(unasked, "decision")[0]["notice"] == asked[0]
        for channel in (first, unasked, again):
            made.ended(channel)
        assert unasked.recorded == {}
