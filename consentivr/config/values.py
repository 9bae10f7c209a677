"""What a value may be, and what is made of its text: each is read once. None breaks out of the XML or a command."""

from __future__ import annotations

import ipaddress
import re
import zoneinfo
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timezone
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    StrictBool,
    StrictInt,
    StrictStr,
)
from pydantic_core import CoreSchema, core_schema

from consentivr.numbers import COUNTRIES

if TYPE_CHECKING:
    from typing_extensions import Self


class Section(BaseModel):
    """A section of the configuration: unknown keys are mistakes, and nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def changed(self, **values: object) -> Self:
        """The same but for these, which are read as from a file. Raises ValueError."""
        return type(self).model_validate(written(self) | {name: written(value) for name, value in values.items()})


class Address(NamedTuple):
    """Where something listens. An IPv6 address stands without its brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def written(value: object) -> Any:
    """A value as it stands in a file: what a field makes of that is the value again."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, time):
        return f"{value:%H:%M}"
    if isinstance(value, ipaddress.IPv4Network | ipaddress.IPv6Network):
        return str(value.network_address if value.num_addresses == 1 else value)
    if isinstance(value, tuple | list) and not isinstance(value, Address):
        return [written(each) for each in value]
    if isinstance(value, Mapping):
        return {written(key): written(each) for key, each in value.items()}
    if isinstance(value, Section):
        return {name: written(getattr(value, name)) for name in type(value).model_fields}
    return value if value is None or isinstance(value, bool | int) else str(value)


@dataclass(frozen=True)
class _Read:
    """Marks a field whose text becomes something else. ``read`` raises ValueError."""

    read: Callable[[str], object]

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(
            self.read,
            core_schema.str_schema(strict=True),
            serialization=core_schema.plain_serializer_function_ser_schema(written),
        )


# --- truths and numbers ----------------------------------------------------------------------

_TRUTHS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def _truth(value: object) -> object:
    return _TRUTHS.get(value.lower(), value) if isinstance(value, str) else value


def _whole(value: object) -> object:
    return int(value) if isinstance(value, str) and re.fullmatch(r"[-+]?[0-9]{1,18}", value) else value


Truth = Annotated[StrictBool, BeforeValidator(_truth)]
Whole = Annotated[StrictInt, BeforeValidator(_whole)]


# --- what becomes something else -------------------------------------------------------------


def _endpoint(text: str) -> Address:
    host, _, port = text.rpartition(":")
    if not host or not re.fullmatch(r"[0-9]{1,5}", port) or not 1 <= int(port) <= 65535:
        raise ValueError("is not HOST:PORT, such as 127.0.0.1:8184")
    if not re.fullmatch(r"[A-Za-z0-9.\-]+|\[[0-9A-Fa-f:.]+\]", host):
        raise ValueError("has a host that is neither a name nor an address")
    return Address(host.strip("[]"), int(port))


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        raise ValueError("is not an address or a network, such as 127.0.0.1 or 10.0.0.0/24") from None


def _file(text: str) -> Path:
    if not text:
        raise ValueError("names no file")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ValueError("begins with ~ and a user whose home is not known") from None


def _switch_path(text: str) -> Path:
    if not text.startswith("/") or re.search(r"[\s'\"|!${}\x00-\x1f\x7f]", text) or ".." in text.split("/"):
        raise ValueError(
            "must be an absolute path without blanks, quotes, .. or any of | ! $ { } "
            "(FreeSWITCH ends a path at the first blank)"
        )
    return Path(text)


def _time_of_day(text: str) -> time:
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text, re.ASCII):
        raise ValueError("is not HH:MM, such as 03:30")
    return time.fromisoformat(text)


def _day(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=timezone.utc).date()
    except ValueError:
        raise ValueError("is not a day, such as 2026-11-28") from None


def _past_day(text: str) -> date:
    day = _day(text)
    if day > datetime.now(timezone.utc).date():
        raise ValueError("is a day that has not come yet")
    return day


def _time_zone(text: str) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(text)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("is no time zone, such as Europe/Berlin") from None


Endpoint = Annotated[Address, _Read(_endpoint)]
PeerNetwork = Annotated[Network, _Read(_network)]
File = Annotated[Path, _Read(_file)]
SwitchPath = Annotated[Path, _Read(_switch_path)]
TimeOfDay = Annotated[time, _Read(_time_of_day)]
Day = Annotated[date, _Read(_day)]
PastDay = Annotated[date, _Read(_past_day)]
TimeZone = Annotated[zoneinfo.ZoneInfo, _Read(_time_zone)]


# --- what stays a text -----------------------------------------------------------------------


def _fitting(pattern: str, problem: str) -> AfterValidator:
    """The whole text fits ``pattern``; if not: ``problem``."""
    known = re.compile(pattern)

    def check(text: str) -> str:
        if not known.fullmatch(text):
            raise ValueError(problem)
        return text

    return AfterValidator(check)


def _switch_text(text: str) -> str:
    if re.search(r"[\x00-\x1f\x7f]", text) or "${" in text or "$${" in text:
        raise ValueError("must not hold a control character or a ${variable}")
    return text


def _postgres_url(text: str) -> str:
    if not re.match(r"postgresql://[^\s]+$", text):
        raise ValueError("is not postgresql://USER@HOST/DATABASE")
    if re.search(r"://[^/@]*:[^/@]*@|password=", text):
        raise ValueError("must not hold a password: put it into libpq's password file (PGPASSFILE)")
    return text


def _country(text: str) -> str:
    if text not in COUNTRIES:
        raise ValueError("is no country with telephone numbers: two capital letters of ISO 3166, such as DE")
    return text


SwitchWord = Annotated[StrictStr, _fitting(r"[A-Za-z0-9_.@+\-]+", "may hold letters, digits and _ . @ + - only")]
SwitchText = Annotated[StrictStr, AfterValidator(_switch_text)]
Key = Annotated[StrictStr, _fitting(r"[0-9*]", "is not one key out of 0-9 and *")]
KeySequence = Annotated[
    StrictStr, _fitting(r"\*[0-9#]", "is not * and one key, such as '*9': single keys are for other menus")
]
Number = Annotated[
    StrictStr,
    _fitting(r"\+?[0-9A-Za-z_.\-]+", "is not a destination number: digits or letters, with an optional + in front"),
]
Prefix = Annotated[
    StrictStr, _fitting(r"\+[1-9][0-9]{0,14}", "is not the beginning of an international number, such as +44")
]
HttpUrl = Annotated[StrictStr, _fitting(r"https?://\S*", "must be http://... or https://...")]
HttpsUrl = Annotated[
    StrictStr,
    _fitting(r"https://[a-z0-9.\-]+(:[0-9]{1,5})?", "must be https://HOST or https://HOST:PORT, in small letters"),
]
HttpsPlace = Annotated[
    StrictStr, _fitting(r"https://[a-z0-9.\-]+(:[0-9]{1,5})?(/[^\s?#]*)?", "must be https://HOST or https://HOST/PATH")
]
HeaderName = Annotated[
    StrictStr, _fitting(r"[A-Za-z][A-Za-z0-9\-]*", "is no header's name, such as Remote-User; _ is not taken")
]
Text = Annotated[StrictStr, _fitting(r"[^\x00-\x1f\x7f]{1,200}", "must have 1 to 200 characters in one line")]
PostgresUrl = Annotated[StrictStr, AfterValidator(_postgres_url)]
Name = Annotated[
    StrictStr,
    _fitting(r"[a-z][a-z0-9_]{0,39}", "must be a small letter, then small letters, digits or _ (at most 40)"),
]
DirectoryUser = Annotated[
    StrictStr, _fitting(r"[A-Za-z0-9_.+\-]+@[A-Za-z0-9_.\-]+", "is not user@domain, as in FreeSWITCH's directory")
]
Country = Annotated[StrictStr, AfterValidator(_country)]
Language = Annotated[StrictStr, Field(pattern=r"^[a-z]{2,3}$")]
SpokenText = Annotated[StrictStr, Field(min_length=1, max_length=2000)]
