"""One person, one key: which spellings of a number belong together, and which numbers are nobody's."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentivr.ledger import Search
from consentivr.numbers import as_received, is_withheld, person_of, spellings
from tests.ledgers import UUIDS, entry, opened, whole

BERLIN = ["+493023125000", "00493023125000", "03023125000", "493023125000", "+49 (0)30 231-25000", "030/23125000"]


@pytest.mark.parametrize("number", BERLIN)
def test_spellings_of_one_person(number: str) -> None:
    assert person_of(number, "DE") == BERLIN[0]
    assert {*BERLIN[:4], number} <= spellings(number, "DE")


@pytest.mark.parametrize("number", BERLIN[1:4])
def test_no_country_no_guess(number: str) -> None:
    assert person_of(number, None) == number
    assert spellings(number, None) == {number}


@pytest.mark.parametrize(
    ("number", "country", "person"),
    [
        ("1001", "DE", "1001"),
        ("110", "DE", "110"),
        ("4915112345678", "DE", "4915112345678"),  # a mobile telephone without +, or a number in Leer without 0
        ("015112345678", "DE", "+4915112345678"),
        ("03023125000", "AT", "+433023125000"),
        ("0039063225000", "DE", "+39063225000"),
        ("063225000", "IT", "+39063225000"),
        ("2125551234", "US", "+12125551234"),
        ("12125551234", "US", "+12125551234"),
        ("011493023125000", "US", "+493023125000"),
        ("alice", "DE", "alice"),
        ("alice.030@example", "DE", "alice.030@example"),
        ("+", "DE", "+"),
        ("+4", "DE", "+4"),
    ],
)
def test_what_a_number_means_depends_on_the_country(number: str, country: str, person: str) -> None:
    assert person_of(number, country) == person
    assert number in spellings(number, country)


@pytest.mark.parametrize("number", ["", " ", "anonymous", "Anonymous", "RESTRICTED", "unknown", "0000000000"])
def test_who_withholds_the_number_is_nobody(number: str) -> None:
    assert is_withheld(number)
    assert (as_received(number), person_of(number, "DE"), spellings(number, "DE")) == (None, None, frozenset())


@given(st.text(max_size=30) | st.from_regex(r"\+?[0-9]{1,18}", fullmatch=True), st.sampled_from([None, "DE", "US"]))
def test_spellings_are_a_partition(number: str, country: str | None) -> None:
    """Whatever is found for one spelling is found for each of them: two people never overlap."""
    for other in spellings(number, country):
        assert person_of(other, country) == person_of(number, country)


def test_a_ledger_finds_each_spelling_and_keeps_it(location: str | Path) -> None:
    with opened(location, country="DE") as ledger:
        ledger.append([entry(number, caller=caller, decision="given") for number, caller in enumerate(BERLIN[:4])])
        ledger.append([entry(4, caller="+4930231250001", decision="given")])
        ledger.append([entry(5, caller="anonymous", decision="given")])
        for asked in BERLIN:
            assert sorted(ledger.channels_of(asked)) == UUIDS[:4]
            assert [row.caller_id_number for row in ledger.read(Search(caller=asked))] == BERLIN[:4]
            assert ledger.count([], Search(caller=asked)) == [("given", 4)]
            assert len(ledger.visits(Search(caller=asked))) == len(list(ledger.calls(Search(caller=asked)))) == 4
        assert ledger.channels_of("anonymous") == list(ledger.read(Search(caller="anonymous"))) == []
    with opened(location) as ledger:
        assert ledger.channels_of(BERLIN[2]) == UUIDS[2:3], "without a country nothing is guessed"
    assert whole(location) == 6
