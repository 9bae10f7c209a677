"""What is told of wordings: where callers hang up in them, and what they do before and after a new one."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from consentivr.core.consent import NoticeVersion
from consentivr.core.figures import GONE, apart, asking, hung_up, together
from consentivr.core.statistics import BIN_S, FEWEST, Block, Tally, quantile, share

# --- (e) where they hang up ------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """A sentence of the question, ``since`` to ``until`` after the call arrived: of those who were ``there`` at its
    beginning so many ``hung`` up in it, ``rate`` of a thousand; and so many of a line that does not ask in the same
    seconds. ``since`` of a sentence is reckoned from the letters before it.
    """

    notice: str
    language: str
    used_from: date
    """When the wording was first asked, in this range."""
    part: str
    """The sentence; or 'greeting' before the question, 'key' after it."""
    since: float
    until: float
    there: int | None
    hung: int | None
    rate: float | None
    off_there: int | None
    off_hung: int | None
    off_rate: float | None


_SENTENCE = re.compile(r"(?<=[.!?])\s+")

KEY_S = 5.0
"""So long after the question hang-ups are looked at."""


def leaving(blocks: Sequence[Block], notices: Mapping[str, NoticeVersion]) -> list[Part]:
    """For each wording, the most asked first."""
    off = together((block for block in blocks if block.group.mode == "off"), "stayed", "left")
    kinds = apart(asking(blocks), lambda block: block.group.notice)
    asked = {notice: together(some, "began", "first", "hung", "gone") for notice, some in kinds.items()}
    found: list[Part] = []
    for digest in sorted(asked, key=lambda digest: (-asked[digest]["asked"], digest)):
        began = quantile(asked[digest].binned("began"), 0.5)
        if began is None or digest not in notices:
            continue
        used_from = min(block.since for block in kinds[digest])
        for part, since, until in _parts(notices[digest], began):
            here = _left(asked[digest], ("first", "hung", "gone"), ("hung", "gone"), since, until)
            elsewhere = _left(off, ("stayed",), ("left",), since, until)
            language = notices[digest].language
            found.append(Part(digest, language, used_from, part, since, until, *here, *elsewhere))
    return found


def sentences(notice: NoticeVersion) -> list[tuple[str, float, float]]:
    """Each with its beginning and its end in seconds: spoken evenly, by letters."""
    said = _SENTENCE.split(notice.text.strip())
    second = notice.duration_ms / 1000 / max(sum(map(len, said)), 1)
    before, found = 0, []
    for sentence in said:
        after = before + len(sentence)
        found.append((sentence, round(before * second, 1), round(after * second, 1)))
        before = after
    return found


def _parts(notice: NoticeVersion, began: float) -> list[tuple[str, float, float]]:
    end = round(began + notice.duration_ms / 1000, 1)
    said = [(text, round(began + since, 1), round(began + until, 1)) for text, since, until in sentences(notice)]
    return [("greeting", 0.0, round(began, 1)), *said, ("key", end, end + KEY_S)]


def _left(
    tally: Tally, there: Sequence[str], hung: Sequence[str], since: float, until: float
) -> tuple[int | None, int | None, float | None]:
    """Who was there at ``since``, who left until ``until``, and that of a thousand."""
    first, last = since / BIN_S, until / BIN_S
    stayed = _within(tally, there, first, math.inf)
    if stayed < FEWEST:
        return None, None, None
    gone = _within(tally, hung, first, last)
    return stayed, gone, gone / stayed * 1000


def _within(tally: Tally, what: Sequence[str], first: float, last: float) -> int:
    return sum(number for name in what for place, number in tally.binned(name).items() if first <= place < last)


# --- (f) before and after a wording ----------------------------------------------------------


@dataclass(frozen=True)
class Wording:
    """What callers of a line do with a wording: shares of the ``asked``, but ``taken_back`` of those who said yes."""

    line: str
    language: str
    notice: str
    since: date
    until: date
    asked: int | None
    yes: float | None
    no: float | None
    none: float | None
    cut_short: float | None
    taken_back: float | None


SHARES = ("yes", "no", "none", "cut_short", "taken_back")
"""Of a wording."""


def wordings(blocks: Sequence[Block]) -> list[Wording]:
    """By line and language, in the order of their use."""
    found = []
    kinds = apart([block for block in asking(blocks) if block.group.notice], lambda b: (b.group[1:3], b.group.notice))
    for ((line, language), notice), some in kinds.items():
        tally = together(some, *GONE)
        asked, yes, no = (tally[what] for what in ("asked", "yes", "no"))
        cut = tally["cut_short"] + hung_up(tally)[1]
        found.append(
            Wording(
                line,
                language,
                notice,
                min(block.since for block in some),
                max(block.until for block in some),
                asked if asked >= FEWEST else None,
                share(yes, asked),
                share(no, asked),
                share(asked - yes - no, asked),
                share(min(cut, asked), asked),
                share(tally["taken_back"], yes),
            )
        )
    return sorted(found, key=lambda wording: (wording.line, wording.language, wording.since, wording.notice))
