"""Statutes that demand a recording, and what may not stand in for one (GDPR art. 6(1)(c), 6(3)).

Nothing here is legal advice: it is what keeps "legitimate interest" from being called a statute. A law that is not in
the list may well demand a recording; then somebody says so with name and date, and every decision row has both.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Statute:
    """One of the list: what it demands, and what callers and staff must be told."""

    name: str
    also: tuple[str, ...]
    cites: str
    what: str
    callers: str
    staff: str
    source: str
    depends: str | None = None
    """Why it is not enough by itself: somebody must confirm that it holds here."""


STATUTES = (
    Statute(
        "WpHG § 83",
        ("§ 83 WpHG", "§ 83 Abs. 3 WpHG", "WpHG § 83 Abs. 3", "WpHG 83"),
        "Wertpapierhandelsgesetz § 83(3) to (8)",
        "Calls about the reception, transmission and execution of clients' orders, and dealing on own account",
        "Beforehand, new and existing clients, that calls are recorded; who objects is given no such service by "
        "telephone (subsection 5). They may have a copy (subsection 7)",
        "Beforehand (subsection 5); private telephones are not to be used for such calls",
        "https://www.gesetze-im-internet.de/wphg/__83.html",
    ),
    Statute(
        "MiFID II art. 16(7)",
        ("MiFID II art. 16 (7)", "Art. 16(7) MiFID II", "Art. 16 Abs. 7 MiFID II", "MiFID II 16(7)"),
        "Directive 2014/65/EU art. 16(7); Delegated Regulation (EU) 2017/565 art. 76",
        "Calls about the reception, transmission and execution of clients' orders, and dealing on own account; the "
        "directive through the law of the member state",
        "Before the service, in the language of the service: that calls are recorded, and that a copy can be had for "
        "five years, or seven where the authority asks for it (art. 76(8))",
        "The written policy on recording, and which calls it covers (art. 76(1))",
        "https://eur-lex.europa.eu/eli/dir/2014/65/oj, https://eur-lex.europa.eu/eli/reg_del/2017/565/oj",
    ),
    Statute(
        "FinVermV § 18a",
        ("§ 18a FinVermV", "§ 18a Abs. 1 FinVermV", "FinVermV § 18a Abs. 1"),
        "Finanzanlagenvermittlungsverordnung § 18a",
        "Calls in which financial investments are brokered or advised on (GewO § 34f, § 34h)",
        "Beforehand, once is enough; who objects is not advised by telephone",
        "Beforehand; private telephones only where recordings can be secured",
        "https://www.gesetze-im-internet.de/finvermv/__18a.html",
    ),
    Statute(
        "IDD",
        ("Directive (EU) 2016/97", "Richtlinie (EU) 2016/97", "IDD art. 20", "IDD art. 23"),
        "Directive (EU) 2016/97",
        "Records of demands, needs and advice. It does not itself ask for a recording of calls",
        "Under GDPR art. 13",
        "Under GDPR art. 13",
        "https://eur-lex.europa.eu/eli/dir/2016/97/oj",
        "the directive asks for records of advice, not for recorded calls: a law of the member state must",
    ),
    Statute(
        "emergency call lines",
        ("emergency calls", "Notruf", "Notrufleitung", "Notrufleitungen"),
        "the law on rescue services or police of the state, such as RDG Baden-Württemberg § 57, PolG NRW § 24(1)",
        "Calls to emergency numbers, by public control rooms; most laws permit the recording, some demand it",
        "As the state's law says: often not in the call, but in a published notice, because help comes first",
        "Under GDPR art. 13",
        "the state's collection of laws; for the two named: landesrecht-bw.de, recht.nrw.de",
        "it is another law in each state, and many permit rather than demand",
    ),
)
"""What is in the list. Sources were looked up in November 2026."""

_LISTED = "in the list: " + ", ".join(one.name for one in STATUTES)
_NO_STATUTE = (
    (r"consent|consens|einwillig|zustimm|einverst|toestemm", "consent: who cannot decline has not agreed"),
    (r"interes|intress|interet|belang", "an interest: it is weighed against the caller's, and demands nothing"),
)
_LETTER = r"\b6 (?:(?:abs\w*|par\w*|ziff\w*) )?(?:1 |i )?(?:u\w* 1 )?(?:s\w* 1 )?(?:(?:l\w*|b\w*|point) )?([a-f])\b"
_GDPR = r"ds gvo|dsgvo|datenschutz grundverordnung|gdpr|rgpd|\bavg\b|2016 679|general data protection regulation"
_WORDS_OF_CITATIONS = (
    r"\b(?:art\w*|abs\w*|par\w*|sec\w*|s\w*tz|lit\w*|nr|no|of|the|ii+|vm|ivm|in verbindung mit|and|und|law|gesetz)\b"
)


def statute_of(text: str) -> Statute | None:
    """The one of the list that is meant, in whatever spelling."""
    wanted = _squeezed(text)
    return next((one for one in STATUTES if wanted in map(_squeezed, (one.name, *one.also))), None)


def refusal(text: str, confirmed: bool) -> str | None:
    """Why mode ``permanent`` may not rest on this; None when it may.

    ``confirmed``: somebody has confirmed, with name and date, that this law demands the recording.
    """
    for pattern, what in _NO_STATUTE:
        if re.search(pattern, _squeezed(text)):
            return f"names {what}; {_LISTED}"
    plain = _plain(text)
    letter = re.search(_LETTER, plain)
    if letter is not None and letter[1] in "abdf" and re.search(_GDPR, plain):
        return f"names GDPR art. 6(1)({letter[1]}), which is no statute that demands a recording; {_LISTED}"
    known = statute_of(text)
    if known is not None and known.depends is None:
        return None
    rest = re.sub(_GDPR, " ", re.sub(_LETTER, " ", plain))
    if known is None and not (
        re.search(r"\d", rest) and re.search(r"[a-z]{2}", re.sub(_WORDS_OF_CITATIONS, " ", rest))
    ):
        return f"names no statute, which is a law and its section or article; {_LISTED}"
    if not confirmed:
        why = known.depends if known is not None else f"it is not in the list; {_LISTED}"
        return f"needs 'confirmed_by' and 'confirmed_on': {why}"
    return None


@dataclass(frozen=True)
class Confirmation:
    """Who said that a law demands the recording, and when."""

    by: str
    on: date

    def evidence(self) -> dict[str, str]:
        """For every decision row that rests on it."""
        return {"confirmed_by": self.by, "confirmed_on": self.on.isoformat()}


def _plain(text: str) -> str:
    """Small letters without accents, digits, and blanks between them."""
    bare = "".join(
        char for char in unicodedata.normalize("NFKD", text) if unicodedata.category(char) not in ("Mn", "Cf")
    )
    return " ".join(re.sub(r"[^a-z0-9]+", " ", bare.casefold()).split())


def _squeezed(text: str) -> str:
    return _plain(text).replace(" ", "")
