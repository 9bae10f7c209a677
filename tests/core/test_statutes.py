"""What a recording that nobody can decline may rest on."""

from __future__ import annotations

import pytest

from consentivr.core.statutes import STATUTES, refusal, statute_of


@pytest.mark.parametrize(
    "text", ["WpHG § 83", "§83 WpHG", "wphg 83", "§ 83 Abs. 3 WpHG", "Art. 16 Abs. 7 MiFID II", "FinVermV §18a"]
)
def test_a_statute_of_the_list_is_enough_in_whatever_spelling(text: str) -> None:
    assert statute_of(text) is not None
    assert refusal(text, confirmed=False) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("berechtigtes Interesse", "an interest"),
        ("Berechtigte Intressen", "an interest"),
        ("b e r e c h t i g t e s  I n t e r e s s e", "an interest"),
        ("legitimate interests § 1", "an interest"),
        ("Überwiegendes Interesse nach § 26 BDSG", "an interest"),
        ("intérêt légitime", "an interest"),
        ("Einwilligung", "who cannot decline"),
        ("EINWILLIGUNG der Anrufer, § 7 UWG", "who cannot decline"),
        ("Ein\u00adwilligung nach § 4a BDSG", "who cannot decline"),
        ("\uff43onsent § 1", "who cannot decline"),
        ("consentement", "who cannot decline"),
        ("Zustimmung", "who cannot decline"),
        ("Art. 6 Abs. 1 lit. a DSGVO", "GDPR art. 6(1)(a)"),
        ("Art. 6 Abs. 1 S. 1 lit. f DS-GVO", "GDPR art. 6(1)(f)"),
        ("Artikel 6 Absatz 1 Unterabs. 1 Buchst. f DSGVO", "GDPR art. 6(1)(f)"),
        ("GDPR 6(1)(a)", "GDPR art. 6(1)(a)"),
        ("6 I a DSGVO", "GDPR art. 6(1)(a)"),
        ("art. 6(1)(b) of Regulation (EU) 2016/679", "GDPR art. 6(1)(b)"),
        ("§ 257 HGB, Art. 6 Abs. 1 lit. f DSGVO", "GDPR art. 6(1)(f)"),
        ("Art. 6 Abs. 1 lit. a", "no statute"),
        ("Art. 6(1)(c) GDPR", "no statute"),
        ("x", "no statute"),
        ("§ 5", "no statute"),
        ("MiFID II", "no statute"),
        ("law", "no statute"),
        ("Qualität", "no statute"),
        ("", "no statute"),
    ],
)
def test_what_is_no_statute_is_refused_whoever_confirms_it(text: str, why: str) -> None:
    said = refusal(text, confirmed=True)
    assert said is not None
    assert why in said
    assert "WpHG § 83" in said, "what would be one is named"


@pytest.mark.parametrize(
    "text",
    ["§ 257 HGB", "Art. 6(1)(c) GDPR with § 257 HGB", "WAG 2018 § 33", "17 CFR 1.35(a)", "IDD", "Notruf", "RDG § 57"],
)
def test_any_other_wants_somebody_who_confirms_it(text: str) -> None:
    said = refusal(text, confirmed=False)
    assert said is not None
    assert "confirmed_by" in said
    assert refusal(text, confirmed=True) is None


def test_each_of_the_list_says_what_must_be_told_and_where_it_stands() -> None:
    for one in STATUTES:
        assert all((one.cites, one.what, one.callers, one.staff, one.source))
        for spelling in (one.name, *one.also):
            assert statute_of(spelling) is one
