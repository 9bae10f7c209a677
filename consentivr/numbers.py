"""Telephone numbers: which ones are withheld, and which spellings are one person's.

A ledger keeps a number as the switch wrote it, because its rows are bound to that spelling; what belongs together is
found when it is asked for. Two people taken for one would hand the one's calls to the other, so a spelling that can be
read in two ways stands for itself.
"""

from __future__ import annotations

import re
from functools import lru_cache

import phonenumbers as library
from phonenumbers import PhoneMetadata, PhoneNumber

COUNTRIES: frozenset[str] = frozenset(library.SUPPORTED_REGIONS)
"""ISO 3166 codes of countries whose numbering plan is known."""

_WRITTEN = re.compile(r"\+?[\d\s().\-/]*\d[\d\s().\-/]*")
"""Digits, and what RFC 3966 (5.1.1) calls visual separators."""

_NOBODY = frozenset(
    ("", "anonymous", "restricted", "unavailable", "unknown", "private", "withheld", "_undef_", "0000000000")
)
"""What switches and networks write where a number is withheld or missing (RFC 3323, 4.1.1.3); the last two are
FreeSWITCH's own.
"""


def is_withheld(number: str) -> bool:
    """Whether this names nobody."""
    return number.strip().casefold() in _NOBODY or number.casefold().endswith("anonymous.invalid")


def as_received(number: str) -> str | None:
    """A number as it is kept: without visual separators; None when it names nobody."""
    if is_withheld(number):
        return None
    return re.sub(r"[\s().\-/]", "", number) if _WRITTEN.fullmatch(number) else number


@lru_cache(maxsize=4096)
def person_of(number: str, country: str | None) -> str | None:
    """The one name of whoever has this number: E.164 where that can be told without a guess, else the number as it is
    written; None when it names nobody.

    ``country`` (ISO 3166) is where calls come in: it says what 0 and 00 stand for. Without it nothing does.
    """
    kept = as_received(number)
    if kept is None or not re.fullmatch(r"\+?[0-9]+", kept):
        return kept
    if kept.startswith("+"):
        return _e164(_parsed(kept, None)) or kept
    if country is None:
        return kept
    national = _parsed(kept, country)
    if national is None:
        return kept
    prefix = library.ndd_prefix_for_region(country, True)
    source = national.country_code_source
    with_idd = source == library.CountryCodeSource.FROM_NUMBER_WITH_IDD
    if with_idd or (prefix and kept.startswith(prefix) and len(prefix) < len(kept)):
        return _e164(national) if library.is_possible_number(national) else kept
    readings = {_e164(one) for one in (national, _parsed(f"+{kept}", None)) if one and library.is_valid_number(one)}
    return readings.pop() if len(readings) == 1 else kept


def spellings(number: str, country: str | None) -> frozenset[str]:
    """Every way in which a switch may have written this person's number; none for a number that names nobody."""
    person = person_of(number, country)
    if person is None:
        return frozenset()
    found = {person, number, as_received(number) or number, person.removeprefix("+")}
    parsed = _parsed(person, None) if person.startswith("+") else None
    if country is not None and parsed is not None:
        plan = PhoneMetadata.metadata_for_region(country)
        outwards = (plan.preferred_international_prefix or plan.international_prefix or "") if plan else ""
        inland = library.national_significant_number(parsed)
        found |= {f"{outwards}{person[1:]}", inland, f"{library.ndd_prefix_for_region(country, True) or ''}{inland}"}
    return frozenset(one for one in found if person_of(one, country) == person)


def names(text: str, number: str) -> bool:
    """Whether a text has this number in it, or its last six digits: what is written down for others must not."""
    digits = re.sub(r"\D", "", number)
    end = digits[-6:]
    said = (re.sub(r"\D", "", one) for one in _WRITTEN.findall(text))
    return any(end in one if len(end) == 6 else one == end for one in said) if digits else number.strip() in text


def in_print(number: str, country: str | None) -> str:
    """A number as people read it: +49 30 23125000."""
    person = person_of(number, country) or number
    parsed = _parsed(person, None) if person.startswith("+") else None
    return library.format_number(parsed, library.PhoneNumberFormat.INTERNATIONAL) if parsed else person


def _parsed(number: str, country: str | None) -> PhoneNumber | None:
    try:
        return library.parse(number, country, keep_raw_input=True)
    except library.NumberParseException:
        return None


def _e164(number: PhoneNumber | None) -> str | None:
    return None if number is None else library.format_number(number, library.PhoneNumberFormat.E164)
