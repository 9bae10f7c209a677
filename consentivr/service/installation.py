"""How it is set up, for the console's page: the configuration in force, the look of ``check``, the announcements."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from functools import cache, partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from consentivr.config import ConfigError, Configuration, load
from consentivr.config.model import SAMPLE_RATES
from consentivr.config.values import written
from consentivr.console.settings import Installation, Value
from consentivr.prompts import AudioProblem, inspect
from consentivr.service.build import sounds_folder

_CREDENTIALS = re.compile(r"(://)[^/@\s]+@")
_PRIVATE = ("watch.command", "agents.users.")
"""Besides files: what a program is given, and names of agents."""


def installation(configuration: Configuration, file: Path | None) -> Installation:
    """Of a configuration that was just read from ``file``; None: from none, which cannot be read again."""

    def now() -> list[Value]:
        try:
            return list(values(load(file))) if file is not None else list(values(configuration))
        except ConfigError as error:
            raise ValueError(str(error)) from None

    return Installation(
        values=list(values(configuration)),
        read_at=datetime.now(timezone.utc),
        now=now,
        look=partial(look, file) if file is not None else None,
        sounds=cache(partial(sounds, configuration)),
    )


def values(configuration: Configuration) -> Iterator[Value]:
    """Every setting by its name, as it would stand in the file. Secrets are in files of their own: none is read."""
    for name, value, is_set in _leaves("", configuration, True):
        text = written(value)
        said = "" if text is None else text if isinstance(text, str) else json.dumps(text, ensure_ascii=False)
        yield Value(name, _CREDENTIALS.sub(r"\1...@", said), is_set, _is_file(value) or name.startswith(_PRIVATE))


def _leaves(name: str, value: object, is_set: bool) -> Iterator[tuple[str, object, bool]]:
    dot = f"{name}." if name else ""
    if isinstance(value, BaseModel):
        for key in type(value).model_fields:
            yield from _leaves(f"{dot}{key}", getattr(value, key), is_set and key in value.model_fields_set)
    elif isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(f"{dot}{written(key)}", inner, is_set)
    elif isinstance(value, tuple) and any(isinstance(one, BaseModel) for one in value):
        for number, one in enumerate(value, 1):
            yield from _leaves(f"{name}[{number}]", one, is_set)
    else:
        yield name, value, is_set


def _is_file(value: object) -> bool:
    return isinstance(value, Path) or (isinstance(value, tuple) and any(isinstance(one, Path) for one in value))


def look(file: Path, seconds: float) -> list[dict[str, Any]]:
    """What ``consentivr check`` finds here and before the law, in a process of its own: it waits for nobody's call.

    Raises TimeoutError after so many seconds, OSError when it says nothing.
    """
    command = [sys.executable, "-m", "consentivr", "check", "--json", "--no-port", "-c", str(file)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=seconds, check=False)
        found: list[dict[str, Any]] = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"it took longer than {seconds:.0f} s") from None
    except ValueError:
        raise OSError(done.stderr.decode("utf-8", "replace").strip()[-500:] or "it said nothing") from None
    return found


def sounds(configuration: Configuration) -> dict[str, Path]:
    """The files of the announcements in use, by the digest of their wording; without those that cannot be heard."""
    folder = sounds_folder(configuration)
    found = {}
    for (language, stem), text in configuration.sound_files().items():
        for rate in SAMPLE_RATES:
            try:
                spoken = inspect(folder, language, rate, stem, text)
            except AudioProblem:
                continue
            found[spoken.notice.digest] = Path(spoken.path)
    return found
