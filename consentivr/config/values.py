"""What a value may be: an address, a key, a name of the switch, a day. None could break out of the XML or a command."""

from __future__ import annotations

import ipaddress
import re
import zoneinfo
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictStr

from consentivr.core.policy import RecordingMode
from consentivr.numbers import COUNTRIES


def _endpoint(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isdigit() or not 1 <= int(port) <= 65535:
        raise ValueError("is not HOST:PORT, such as 127.0.0.1:8184")
    if not re.fullmatch(r"[A-Za-z0-9.\-]+|\[[0-9A-Fa-f:.]+\]", host):
        raise ValueError("has a host that is neither a name nor an address")
    return value


def _network(value: str) -> str:
    try:
        ipaddress.ip_network(value)
    except ValueError:
        raise ValueError("is not an address or a network, such as 127.0.0.1 or 10.0.0.0/24") from None
    return value


def _switch_word(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.@+\-]+", value):
        raise ValueError("may hold letters, digits and _ . @ + - only")
    return value


def _switch_text(value: str) -> str:
    if re.search(r"[\x00-\x1f\x7f]", value) or "${" in value or "$${" in value:
        raise ValueError("must not hold a control character or a ${variable}")
    return value


def _switch_path(value: str) -> str:
    if not value.startswith("/") or re.search(r"[\s'\"|!${}\x00-\x1f\x7f]", value) or ".." in value.split("/"):
        raise ValueError(
            "must be an absolute path without blanks, quotes, .. or any of | ! $ { } "
            "(FreeSWITCH ends a path at the first blank)"
        )
    return value.rstrip("/") or "/"


def off_without_quotes(value: object) -> object:
    """YAML reads a bare ``off`` as false."""
    return RecordingMode.OFF if value is False else value


def _key(value: str) -> str:
    if not re.fullmatch(r"[0-9*]", value):
        raise ValueError("is not one key out of 0-9 and *")
    return value


def _number(value: str) -> str:
    if not re.fullmatch(r"\+?[0-9A-Za-z_.\-]+", value):
        raise ValueError("is not a destination number: digits or letters, with an optional + in front")
    return value


def _postgres_url(value: str) -> str:
    if not re.match(r"postgresql://[^\s]+$", value):
        raise ValueError("is not postgresql://USER@HOST/DATABASE")
    if re.search(r"://[^/@]*:[^/@]*@|password=", value):
        raise ValueError("must not hold a password: put it into libpq's password file (PGPASSFILE)")
    return value


def _time_of_day(value: object) -> object:
    if isinstance(value, int) and 0 <= value < 24 * 60:
        raise ValueError(f"was read as a number: quote it, such as '{value // 60:02d}:{value % 60:02d}'")
    if not isinstance(value, str) or not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value):
        raise ValueError("is not HH:MM, such as '03:30'")
    return value


def _day(value: object) -> object:
    """YAML reads 2026-11-28 as a day, and so does the schema."""
    try:
        day = value if isinstance(value, date) else date.fromisoformat(str(value))
    except ValueError:
        raise ValueError("is not a day, such as 2026-11-28") from None
    if day > datetime.now(timezone.utc).date():
        raise ValueError("is a day that has not come yet")
    return day


def _directory_user(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.+\-]+@[A-Za-z0-9_.\-]+", value):
        raise ValueError("is not user@domain, as in FreeSWITCH's directory")
    return value


def _name(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", value):
        raise ValueError("must be a small letter, then small letters, digits or _ (at most 40)")
    return value


def _key_sequence(value: str) -> str:
    if not re.fullmatch(r"\*[0-9#]", value):
        raise ValueError("is not * and one key, such as '*9': single keys are for other menus")
    return value


def _time_zone(value: str) -> str:
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("is no time zone, such as Europe/Berlin") from None
    return value


def _norway_without_quotes(value: object) -> object:
    """YAML reads a bare ``NO`` as false."""
    return "NO" if value is False else value


def _country(value: str) -> str:
    if value not in COUNTRIES:
        raise ValueError("is no country with telephone numbers: two capital letters of ISO 3166, such as DE")
    return value


def _http_url(text: str) -> str:
    if not text.startswith(("http://", "https://")) or any(char.isspace() for char in text):
        raise ValueError("must be http://... or https://...")
    return text


KeySequence = Annotated[StrictStr, AfterValidator(_key_sequence)]
Endpoint = Annotated[StrictStr, AfterValidator(_endpoint)]
PeerNetwork = Annotated[StrictStr, AfterValidator(_network)]
SwitchWord = Annotated[StrictStr, AfterValidator(_switch_word)]
SwitchText = Annotated[StrictStr, AfterValidator(_switch_text)]
SwitchPath = Annotated[StrictStr, AfterValidator(_switch_path)]
Key = Annotated[StrictStr, AfterValidator(_key)]
Number = Annotated[StrictStr, AfterValidator(_number)]
HttpUrlText = Annotated[StrictStr, AfterValidator(_http_url)]
PostgresUrl = Annotated[StrictStr, AfterValidator(_postgres_url)]
TimeOfDay = Annotated[str, BeforeValidator(_time_of_day)]
Name = Annotated[StrictStr, AfterValidator(_name)]
Day = Annotated[date, BeforeValidator(_day)]
DirectoryUser = Annotated[StrictStr, AfterValidator(_directory_user)]
TimeZone = Annotated[StrictStr, AfterValidator(_time_zone)]
Country = Annotated[StrictStr, AfterValidator(_country), BeforeValidator(_norway_without_quotes)]
Language = Annotated[StrictStr, Field(pattern=r"^[a-z]{2,3}$")]
SpokenText = Annotated[StrictStr, Field(min_length=1, max_length=2000)]


class Section(BaseModel):
    """A section of the configuration: unknown keys are mistakes, and nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def endpoint(value: str) -> tuple[str, int]:
    """HOST:PORT as a pair."""
    host, _, port = value.rpartition(":")
    return host.strip("[]"), int(port)


def path_of(value: str) -> Path:
    """A configured path."""
    return Path(value).expanduser()
