"""The chain: whole when nothing was done, and every kind of tampering named at its first row."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentivr.core.chain import (
    GENESIS,
    Checkpoint,
    Finding,
    Link,
    Tampering,
    canonical,
    commitment,
    link,
    verify,
    verify_excerpt,
)

KEY = "ab" * 32


def chain(length: int = 6) -> list[Link]:
    rows, previous = [], GENESIS
    for position in range(1, length + 1):
        content = {"position": position, "turn": "decision", "commitment": commitment(KEY, "+493023125000")}
        own = link(previous, content)
        rows.append(Link(position, previous, own, content, (KEY, "+493023125000")))
        previous = own
    return rows


def changed(row: Link, **content: object) -> Link:
    return replace(row, content={**row.content, **content})


def rehashed(row: Link) -> Link:
    return replace(row, hash=link(row.previous, row.content))


def said(rows: list[Link], *checkpoints: Checkpoint) -> list[tuple[int, Tampering]]:
    return [(finding.position, finding.kind) for finding in verify(rows, checkpoints)]


def test_a_whole_chain() -> None:
    assert verify(chain()) == []
    assert verify([]) == []
    rows = chain()
    assert verify(rows, [Checkpoint(3, rows[2].hash), Checkpoint(6, rows[5].hash)]) == []


def test_a_changed_row() -> None:
    rows = chain()
    rows[2] = changed(rows[2], turn="refused")
    assert said(rows) == [(3, Tampering.CHANGED)]
    rows[2] = rehashed(rows[2])
    assert said(rows) == [(3, Tampering.CHANGED)], "also with its own hash made anew"


@pytest.mark.parametrize("gone", [0, 2, 4])
def test_a_removed_row(gone: int) -> None:
    rows = chain()
    del rows[gone]
    assert said(rows) == [(gone + 1, Tampering.REMOVED)]


def test_an_inserted_row() -> None:
    rows = chain()
    rows.insert(3, rehashed(changed(rows[2], turn="forged")))
    assert said(rows) == [(3, Tampering.INSERTED)]


def test_reordered_rows() -> None:
    rows = chain()
    rows[1], rows[2] = rows[2], rows[1]
    assert said(rows) == [(2, Tampering.REORDERED)]


def test_a_renumbered_row() -> None:
    rows = chain()
    rows[3] = replace(rows[3], position=40)
    assert (40, Tampering.CHANGED) in said(rows)


def test_what_only_a_checkpoint_kept_elsewhere_tells() -> None:
    rows = chain()
    kept = Checkpoint(6, rows[5].hash)
    assert said(rows[:4]) == []
    assert said(rows[:4], kept) == [(5, Tampering.TRUNCATED)]
    forged = chain(2)
    for row in rows[2:]:
        forged.append(rehashed(replace(changed(row, turn="forged"), previous=forged[-1].hash)))
    assert said(forged) == []
    assert said(forged, kept) == [(6, Tampering.REWRITTEN)]


def test_erasure_is_honest_with_a_receipt_only() -> None:
    rows = chain()
    rows[1] = replace(rows[1], personal=None, erased=True)
    assert said(rows) == []
    rows[1] = replace(rows[1], erased=False)
    assert said(rows) == [(2, Tampering.PERSONAL_REMOVED)]
    rows[1] = replace(rows[1], personal=(KEY, "+493023125001"))
    assert said(rows) == [(2, Tampering.PERSONAL_CHANGED)]


def test_an_excerpt() -> None:
    rows = chain()
    assert verify_excerpt([rows[1], rows[3], rows[4]]) == []
    assert verify_excerpt([]) == []
    assert verify_excerpt([rows[3], rows[1]]) == [Finding(2, Tampering.REORDERED)]
    assert verify_excerpt([changed(rows[1], turn="x")]) == [Finding(2, Tampering.CHANGED)]
    assert verify_excerpt([rehashed(changed(rows[1], turn="x")), rows[2]]) == [Finding(2, Tampering.CHANGED)]
    assert verify_excerpt([replace(rows[1], personal=None)]) == [Finding(2, Tampering.PERSONAL_REMOVED)]


def test_a_row_without_personal_data() -> None:
    content = {"position": 1, "commitment": None}
    assert verify([Link(1, GENESIS, link(GENESIS, content), content)]) == []


def test_one_canonical_form() -> None:
    assert canonical({"b": 1, "a": "ä\u2028"}) == b'{"a":"\\u00e4\\u2028","b":1}'
    with pytest.raises(ValueError):
        canonical({"a": float("nan")})


@given(st.integers(0, 5), st.sampled_from(["position", "turn", "commitment"]), st.text() | st.integers())
def test_any_change_of_any_row_is_found(index: int, name: str, value: object) -> None:
    rows = chain()
    if rows[index].content[name] != value:
        rows[index] = changed(rows[index], **{name: value})
        assert Finding(index + 1, Tampering.CHANGED) in verify(rows)
