"""Reads YAML so that every mistake keeps its place, and every value is taken as it is written."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from consentivr.config.cross_checks import cross_check
from consentivr.config.errors import ConfigError, Mistake
from consentivr.config.model import Configuration

_PathKey = tuple[str, ...]


LONGEST = 1024 * 1024
"""Characters of a configuration: a hundred times the sample."""

MOST_VALUES, MOST_ALIASES, DEEPEST = 50_000, 20, 20
"""What it may hold: values, with those that aliases repeat; aliases; sections within one another."""


class _TooMuch(Exception):
    """It would take long to read, or for ever: from which line on, and of what."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(f"more than {what}")
        self.line = line


class _Bounded(yaml.BaseLoader):
    """Raises _TooMuch before it builds more than a configuration may hold."""

    def __init__(self, text: str) -> None:
        if len(text) > LONGEST:
            raise _TooMuch(1, f"{LONGEST} characters")
        super().__init__(text)
        self._values = self._aliases = self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        self._values += 1
        self._aliases += isinstance(event, yaml.AliasEvent)
        self._depth += 1
        for found, most, what in (
            (self._depth - 1, DEEPEST, "sections within one another"),
            (self._aliases, MOST_ALIASES, "aliases (*name): write out what they stand for"),
            (self._values, MOST_VALUES, "values"),
        ):
            if found > most:
                raise _TooMuch(event.start_mark.line + 1, f"{most} {what}")
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


_PLAIN = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map"))
_NOTHING = frozenset({"", "~", "null", "Null", "NULL"})


class _Document:
    """The YAML as sections, lists and texts, with the line of everything in it.

    A value is the text that stands there, quoted or not; what it means is its field's business. So no, 012 and 12:30
    are never a truth, an octal number or seconds. Nothing, ~ and null are None.
    """

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.lines: dict[_PathKey, int] = {}
        self.mistakes: list[Mistake] = []
        self._values = 0
        self.data: Any = {}
        try:
            node = _Bounded(text).get_single_node()
            if node is not None:
                self.data = self._build(node, (), frozenset())
        except _TooMuch as error:
            self.mistakes.append(Mistake(file, error.line, "", str(error)))
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            problem = getattr(error, "problem", None) or str(error)
            hint = "indent with blanks" if "\\t" in problem else ""
            self.mistakes.append(Mistake(file, mark.line + 1 if mark else 1, "", f"not YAML: {problem}", hint))

    def line(self, path: _PathKey) -> int:
        """The line of a path, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def complain(self, path: _PathKey, problem: str, hint: str = "") -> None:
        self.mistakes.append(Mistake(self.file, self.line(path), ".".join(path), problem, hint))

    def _build(self, node: yaml.Node, path: _PathKey, above: frozenset[int]) -> Any:
        line = node.start_mark.line + 1
        self.lines.setdefault(path, line)
        self._values += 1
        if self._values > MOST_VALUES:
            raise _TooMuch(line, f"{MOST_VALUES} values, with those that its aliases (*name) repeat")
        if id(node) in above:
            self.complain(path, "an alias refers to something that holds it")
            return None
        if node.tag not in _PLAIN:
            self.complain(path, f"has a tag, {node.tag.replace('tag:yaml.org,2002:', '!!')}", "leave it out")
            return None
        above = above | {id(node)}
        if isinstance(node, yaml.MappingNode):
            return self._build_mapping(node, path, above)
        if isinstance(node, yaml.SequenceNode):
            return [self._build(item, (*path, str(index)), above) for index, item in enumerate(node.value)]
        plain = isinstance(node, yaml.ScalarNode) and node.style is None
        return None if plain and node.value in _NOTHING else node.value

    def _build_mapping(self, node: yaml.MappingNode, path: _PathKey, above: frozenset[int]) -> Any:
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else "?"
            place = (*path, key)
            if key in mapping:
                first = self.lines[place]
                self.mistakes.append(
                    Mistake(self.file, key_node.start_mark.line + 1, ".".join(place), f"stands in line {first} already")
                )
                continue
            self.lines[place] = key_node.start_mark.line + 1
            mapping[key] = self._build(value_node, place, above)
        return mapping


def load(path: Path, warn: Callable[[str], None] = lambda text: None) -> Configuration:
    """Read a configuration file. ``warn`` hears of keys of an older version, and what was made of them.

    Raises ConfigError with every mistake in it.
    """
    return loads(_text_of(path), str(path), warn)


def _text_of(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(LONGEST + 1)
    except FileNotFoundError:
        raise ConfigError(
            [Mistake(str(path), 1, "", "there is no such file", "'consentivr config example' prints one to start from")]
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Mistake(str(path), 1, "", f"cannot be read: {error}")]) from None


def lines_of(path: Path) -> Callable[[str], int | None]:
    """The line of a key, named from the top (``service.listen``), or of the nearest section around it; None where
    nothing of it is written.

    Raises ConfigError when the file cannot be read.
    """
    document = _Document(_text_of(path), str(path))

    def line(key: str) -> int | None:
        words = tuple(key.split("."))
        return document.line(words) if words[:1] in document.lines else None

    return line


def loads(text: str, file: str = "<string>", warn: Callable[[str], None] = lambda text: None) -> Configuration:
    """The same from a text."""
    document = _Document(text, file)
    if document.mistakes and not document.data:
        raise ConfigError(document.mistakes)
    if isinstance(document.data, dict):
        for said in _renewed(document.data):
            warn(f"{file}: {said}")
    configuration: Configuration | None = None
    try:
        configuration = Configuration.model_validate(document.data)
    except ValidationError as error:
        known = {mistake.key for mistake in document.mistakes}
        for problem in error.errors():
            location = tuple(str(part) for part in problem["loc"] if part != "[key]")
            wrong_inside = problem["type"] == "too_short" and problem["input"]  # counted without what is wrong
            if ".".join(location) not in known and not wrong_inside:
                document.complain(location, *_explain(location, dict(problem)))
    if configuration is not None:
        for location, text_of_problem, hint in cross_check(configuration):
            document.complain(location, text_of_problem, hint)
    if document.mistakes or configuration is None:
        raise ConfigError(document.mistakes)
    return configuration


def _renewed(data: dict[str, Any]) -> list[str]:
    """Read keys of 0.1.0 as those of today; what was changed."""
    said = []
    guard = data.pop("guard", None)
    if isinstance(guard, dict):
        switch = {name: guard.pop(name) for name in ("address", "password_file") if name in guard}
        if switch:
            data.setdefault("switches", [switch])
        if guard:
            data.setdefault("watch", guard)
        said.append("'guard' is now 'switches' (address, password_file) and 'watch' (erase_below, command)")
    agents = data.get("agents")
    if isinstance(agents, dict) and "pause_max_s" in agents:
        del agents["pause_max_s"]
        said.append("'agents.pause_max_s' is gone: a pause stays until somebody resumes; see 'agents.resume_after_s'")
    return said


def _explain(path: _PathKey, problem: dict[str, Any]) -> tuple[str, str]:
    kind, found = problem["type"], problem.get("input")
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(path[-1], _known_keys(path[:-1]), n=1)
        return "unknown key", f"did you mean '{near[0]}'?" if near else "known: " + ", ".join(_known_keys(path[:-1]))
    if kind == "missing":
        return "is missing", ""
    if kind == "value_error":
        return str(problem["ctx"]["error"]), f"found: {found}" if isinstance(found, str) else ""
    wanted = _WANTED.get(kind) or str(problem["msg"]).replace("Input should be ", "")
    if found is None:
        return f"{wanted} is wanted, found nothing", "a # starts a comment: put the value in quotes if it is meant"
    shown = "a section" if isinstance(found, dict) else "a list" if isinstance(found, list) else f"'{found}'"
    return f"{wanted} is wanted, found {shown}", ""


_WANTED = {
    "string_type": "a text",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "model_type": "a section with keys of its own",
    "model_attributes_type": "a section with keys of its own",
    "dict_type": "a section with keys of its own",
    "tuple_type": "a list",
    "string_too_short": "a text that is not empty",
    "too_short": "at least 1 item",
}


def _known_keys(path: _PathKey) -> list[str]:
    model: Any = Configuration
    for part in path:
        if isinstance(model, type) and issubclass(model, BaseModel):
            field = model.model_fields.get(part)
            model = field.annotation if field else None
        elif get_origin(model) is dict:
            model = get_args(model)[1]
        elif get_origin(model) is tuple:
            model = get_args(model)[0]
        else:
            return []
        arguments = [argument for argument in get_args(model) if argument is not type(None)]
        if get_origin(model) is not dict and len(arguments) == 1:
            model = arguments[0]
    if isinstance(model, type) and issubclass(model, BaseModel):
        return sorted(model.model_fields)
    return []
