"""The chain: whole when nothing was done, and every kind of tampering named at its first row."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentivr.core.chain import (
    GENESIS,
    Checkpoint,
    Finding,
    Link,
    Ranges,
    Tampering,
    _hmac,
    canonical,
    commitment,
    digest_of,
    link,
    path_to,
    to_ranges,
    verify,
    verify_excerpt,
)

KEY = "ab" * 32
ROW_KEY = "cd" * 16


def chain(length: int = 6) -> list[Link]:
    rows, previous = [], GENESIS
    for position in range(1, length + 1):
        content = {"position": position, "turn": "decision", "commitment": commitment(KEY, "+493023125000")}
        digest = digest_of(ROW_KEY, content)
        own = link(previous, position, digest)
        rows.append(Link(position, previous, own, digest, ROW_KEY, content, (KEY, "+493023125000")))
        previous = own
    return rows


def changed(row: Link, **content: object) -> Link:
    return replace(row, content={**(row.content or {}), **content})


def rehashed(row: Link) -> Link:
    digest = digest_of(ROW_KEY, row.content or {})
    return replace(row, digest=digest, hash=link(row.previous, row.position, digest))


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
    rows[1] = replace(rows[1], personal=None, person_erased=True)
    assert said(rows) == []
    rows[1] = replace(rows[1], person_erased=False)
    assert said(rows) == [(2, Tampering.PERSONAL_REMOVED)]
    rows[1] = replace(rows[1], personal=(KEY, "+493023125001"))
    assert said(rows) == [(2, Tampering.PERSONAL_CHANGED)]


def test_an_erased_row_is_honest_with_a_receipt_only() -> None:
    rows = chain()
    erased = replace(rows[1], key=None, content=None, personal=None, row_erased=True)
    assert said([rows[0], erased, *rows[2:]]) == []
    assert said([rows[0], replace(erased, row_erased=False), *rows[2:]]) == [(2, Tampering.ROW_ERASED)]
    assert said([rows[0], replace(erased, digest="00" * 32), *rows[2:]]) == [(2, Tampering.CHANGED)]
    half = replace(rows[1], key=None)
    assert said([rows[0], half, *rows[2:]]) == [(2, Tampering.CHANGED)], "half a row is no erasure"


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
    digest = digest_of(ROW_KEY, content)
    assert verify([Link(1, GENESIS, link(GENESIS, 1, digest), digest, ROW_KEY, content)]) == []


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.text(), _JSON), st.binary(max_size=100), st.text(st.characters(codec="utf-8")))
def test_the_quick_ways_give_what_the_library_gives(content: dict[str, object], key: bytes, personal: str) -> None:
    said = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")
    assert canonical(content) == said
    assert digest_of(key.hex(), content) == hmac.new(key, said, "sha256").hexdigest()
    assert commitment(key.hex(), personal) == hmac.new(key, personal.encode(), "sha256").hexdigest()


def test_one_canonical_form() -> None:
    assert canonical({"b": 1, "a": "ä\u2028"}) == b'{"a":"\\u00e4\\u2028","b":1}'
    with pytest.raises(ValueError):
        canonical({"a": float("nan")})


@given(st.integers(0, 5), st.sampled_from(["position", "turn", "commitment"]), st.text() | st.integers())
def test_any_change_of_any_row_is_found(index: int, name: str, value: object) -> None:
    rows = chain()
    if (rows[index].content or {})[name] != value:
        rows[index] = changed(rows[index], **{name: value})
        assert Finding(index + 1, Tampering.CHANGED) in verify(rows)


def test_a_chain_from_a_row_to_a_checkpoint() -> None:
    rows = chain()
    digests = {row.position: row.digest for row in rows[2:]}
    kept = Checkpoint(6, rows[5].hash)
    assert path_to(rows[1].hash, 2, digests, kept)
    assert path_to(rows[5].hash, 6, {}, kept), "a row that was signed itself"
    assert not path_to(rows[1].hash, 2, {**digests, 4: "00" * 32}, kept)
    assert not path_to(rows[0].hash, 1, digests, kept), "a digest is missing"


def test_two_rows_moved_far_apart() -> None:
    rows = chain(8)
    rows = [rows[0], *rows[4:6], rows[2], *rows[6:], rows[1], rows[3]]
    kinds = said(rows)
    assert {position for position, kind in kinds if kind is Tampering.REORDERED} == {2, 3, 4}


def test_rows_out_of_two_places_and_one_of_them_changed() -> None:
    rows = chain(8)
    assert said([rows[0], rows[2], rows[3], *rows[5:], rows[4], rows[1]]) == [
        (5, Tampering.REORDERED),
        (2, Tampering.REORDERED),
    ]
    late = changed(rows[4], turn="refused")
    assert (5, Tampering.CHANGED) in said([*rows[:4], *rows[5:], late])


def test_a_removed_row_that_was_signed() -> None:
    rows = chain()
    kept = Checkpoint(3, rows[2].hash)
    assert said([*rows[:2], *rows[3:]], kept) == [(3, Tampering.REMOVED)]


def test_a_row_whose_content_names_another_place() -> None:
    rows = chain()
    rows[5] = rehashed(changed(rows[5], position=7))
    assert said(rows) == [(6, Tampering.CHANGED)]


@given(st.sets(st.integers(1, 60)))
def test_ranges(positions: set[int]) -> None:
    ranges = Ranges(to_ranges(positions))
    assert {position for position in range(62) if position in ranges} == positions
    assert len(to_ranges(positions)) <= len(positions)


@pytest.mark.parametrize("length", [0, 1, 32, 63, 64, 65, 200])
def test_our_hmac_is_the_librarys(length: int) -> None:
    key = bytes(range(256))[:length]
    assert _hmac(key.hex(), b"a row") == hmac.new(key, b"a row", hashlib.sha256).hexdigest()
