"""A caller's language, from the greeting to what is said long after the question."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from consentivr.config import Configuration
from consentivr.ledger import Ledger, Search
from tests.flow.talks import Talks, press
from tests.waiting import until

ENGLISH_BY_KEY = {1: ("2", 300), 2: ("1", 1200)}
"""The first ``play_and_get_digits`` greets, the second asks."""


def test_what_is_said_in_the_talk_is_in_the_callers_language_and_to_the_agent_in_the_lines(
    configure: Callable[..., Configuration], tmp_path: Path, sounds: Path
) -> None:
    folder = tmp_path / "sounds"
    for language in ("de", "en"):
        shutil.copytree(sounds / "de", folder / language)
        for rate in ("8000", "16000"):
            files = folder / language / rate
            shutil.copy(files / "welcome.wav", files / "language-2.wav")
            shutil.copy(files / "withdrawn.wav", files / "support-withdrawn.wav")
    own = {"key": "2", "announcements": {"withdrawn": "Withdrawn."}}
    texts = {"en": {"question": "Text", "language": "Text", "agent_recorded": "Text"}}
    with Talks(
        configure(sounds_folder=folder), tmp_path, lines={"support": {"languages": {"en": own}}}, announcements=texts
    ) as made:
        channel = made.talking(ENGLISH_BY_KEY)
        until(lambda: channel.recorders)
        assert channel.variables["consent_language"] == "en"
        assert "/de/" in channel.variables["cc_outbound_announce"], "the agent hears the line's own language"
        press(channel, "*9")
        made.sees(channel, "withdrawn")
        until(lambda: channel.broadcasts == [("support-withdrawn", "both")], why="which only English has")
        made.ended(channel)
        (said,) = made.sees(channel, "decision")
        assert (said["language"], said["language_by"]) == ("en", "key")
        with closing(Ledger(made.configuration.ledger.location)) as ledger:
            noted = [row.evidence for row in ledger.read(Search(turn="notice_added"))]
        assert {one["language"] for one in noted if one["notice"] == said["notice"]} == {"en"}, "it is in the chain"
