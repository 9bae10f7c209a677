"""A configuration as an administrator edits it: every key, what it means, its value or an example."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import yaml
from pydantic.fields import FieldInfo

from consentivr.config.model import Configuration
from consentivr.config.values import Section, written

COLUMNS = 100
"""Of a comment or a long text, without what it is indented by."""

HEAD = (
    "consentivr: the configuration. Each key is shown with its value, or behind a # with an example; what you leave "
    "out keeps its default. Values are taken as they are written: quotes are needed only where YAML itself wants them, "
    "as for '*9'. 'consentivr check' reads this file and says whether it could serve."
)


class _Writer(yaml.SafeDumper):
    """Quotes what our reader would take for something else, and nothing more: see ``load``."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - PyYAML's own

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Writer.add_implicit_resolver("tag:yaml.org,2002:null", re.compile("^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])


@dataclass(frozen=True)
class _Entry:
    """A key with its value; one that is not ``active`` is an example, and commented out."""

    says: str
    lines: Sequence[str]
    active: bool = True


def commented(configuration: Configuration) -> str:
    """The whole file. Read again it is this configuration. Of several lines or queues the first shows every key."""
    blocks = [_comment(HEAD), *(_shown([entry], whole=True) for entry in _entries(configuration))]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _entries(section: Section) -> list[_Entry]:
    return [_entry(name, field, getattr(section, name)) for name, field in type(section).model_fields.items()]


def _entry(name: str, field: FieldInfo, value: object) -> _Entry:
    says = field.description or _doc(value)
    if value in (None, (), {}) and value == _default(field) and (example := _example(field)) is not None:
        return _Entry(says, _lines(name, example), active=False)
    active = not isinstance(value, Section) or any(entry.active for entry in _entries(value))
    return _Entry(says, _lines(name, value), active)


def _default(field: FieldInfo) -> object:
    return None if field.is_required() else field.get_default(call_default_factory=True)


def _example(field: FieldInfo) -> object:
    """What could stand in a field that has nothing; None where nothing could."""
    if field.examples:
        return field.examples[0]
    for kind in get_args(field.annotation):
        if isinstance(kind, type) and issubclass(kind, Section):
            required = {name: part.examples for name, part in kind.model_fields.items() if part.is_required()}
            return kind.model_validate({name: examples[0] for name, examples in required.items() if examples})
    return None


def _shown(entries: Sequence[_Entry], *, whole: bool = False) -> list[str]:
    """With their comments. Where all are examples they are shown as if they were not, unless this is the ``whole``:
    who shows the section comments it out."""
    as_it_is = whole or any(entry.active for entry in entries)
    lines: list[str] = []
    for entry in entries:
        lines += _comment(entry.says)
        lines += entry.lines if entry.active or not as_it_is else _commented_out(entry.lines)
    return lines


def _lines(name: str, value: object) -> list[str]:
    """A key with its value."""
    if isinstance(value, Section):
        return [f"{name}:", *_indented(_shown(_entries(value)))]
    if isinstance(value, Mapping) and any(isinstance(each, Section) for each in value.values()):
        lines = [f"{name}:"]
        for place, (key, section) in enumerate(value.items()):
            lines += _indented(_lines(_inline(key), section) if place == 0 else _lines(_inline(key), _brief(section)))
        return lines
    if isinstance(value, tuple) and any(isinstance(each, Section) for each in value):
        items = [_indented(_shown(_entries(section)), 4) for section in value]
        return [f"{name}:", *(line for item in items for line in _begun(item))]
    return _plain(name, written(value))


def _plain(name: str, value: Any) -> list[str]:
    inline = f"{name}: {_inline(value)}"
    if isinstance(value, dict) and (len(inline) > COLUMNS or any(isinstance(each, dict) for each in value.values())):
        return [f"{name}:", *_indented([line for key, each in value.items() for line in _plain(_inline(key), each)])]
    if isinstance(value, list) and len(inline) > COLUMNS:
        return [f"{name}:", *(f"  - {_inline(each)}" for each in value)]
    if isinstance(value, str) and len(inline) > COLUMNS and value == " ".join(value.split()):
        return [f"{name}: >-", *_indented(_wrapped(value))]
    return [inline]


def _brief(section: Section) -> dict[str, Any]:
    """What is not as it would be anyway."""
    told = {}
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if value != _default(field):
            told[name] = _brief(value) if isinstance(value, Section) else written(value)
    return told


def _inline(value: Any) -> str:
    """In one line, as YAML."""
    told = yaml.dump(
        _texts(value), Dumper=_Writer, default_flow_style=True, width=float("inf"), allow_unicode=True, sort_keys=False
    )
    return str(told).removesuffix("...\n").rstrip("\n")


def _texts(value: Any) -> Any:
    """Our reader knows texts only."""
    if isinstance(value, Mapping):
        return {key: _texts(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_texts(each) for each in value]
    return str(value).lower() if isinstance(value, bool) else None if value is None else str(value)


def _doc(value: object) -> str:
    return (type(value).__doc__ or "") if isinstance(value, Section) else ""


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, COLUMNS, break_long_words=False, break_on_hyphens=False)


def _comment(text: str) -> list[str]:
    return _commented_out(_wrapped(" ".join(text.split())))


def _commented_out(lines: Sequence[str]) -> list[str]:
    return [f"# {line}" for line in lines]


def _indented(lines: Sequence[str], by: int = 2) -> list[str]:
    return [" " * by + line for line in lines]


def _begun(item: list[str]) -> list[str]:
    """An item of a list: its comments, then a dash at its first key."""
    first = next(number for number, line in enumerate(item) if not line.lstrip().startswith("#"))
    return (
        [line.replace("    #", "  #", 1) for line in item[:first]] + [f"  - {item[first].strip()}"] + item[first + 1 :]
    )
