"""What the templates are filled with. Source of the dialplan: FREESWITCH.md, section 1."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from consentivr.core.policy import RecordingMode


@dataclass(frozen=True)
class Queue:
    """A mod_callcenter queue."""

    name: str
    mode: RecordingMode
    strategy: str
    music: str
    max_wait_s: int
    max_wait_no_agent_s: int
    recordings_folder: str
    stereo: bool = True
    legal_basis: str | None = None
    unanswered_extension: str | None = None

    @property
    def record_template(self) -> str | None:
        """mod_callcenter's record-template (FREESWITCH.md, section 4).

        None leaves the parameter out; an empty one would record. ``permanent`` needs no word of ours:
        the statute demands the recording also when we are not there.
        """
        if self.mode is RecordingMode.PERMANENT_OPT_OUT:
            return "${consent_record_file}"
        if self.mode is RecordingMode.PERMANENT:
            # One caller may come twice: the moment of joining keeps the files apart.
            return self.recordings_folder + "/${strftime(%Y/%m/%d)}/${uuid}-${cc_queue_joined_epoch}.wav"
        return None


@dataclass(frozen=True)
class DialplanLine:
    """A number that callers dial."""

    name: str
    number: str
    queue: Queue
    unanswered_sound: str | None
    several_languages: bool = False
    """Then the channel says which sound that is, once we have spoken with the caller."""

    @property
    def number_regex(self) -> str:
        """The number, quoted for a regular expression."""
        return re.escape(self.number)

    @property
    def fallback(self) -> str:
        """Extension that takes a call back."""
        return f"consentivr-fallback-{self.name}"

    @property
    def ended(self) -> str:
        """Extension that ends a call that has left the queue."""
        return f"consentivr-ended-{self.name}"


def render(
    templates: Path,
    *,
    lines: Sequence[DialplanLine],
    queues: Sequence[Queue],
    context: str,
    hosts: Sequence[str],
    watchdog_s: int,
    secret: str | None,
    agents_number: str | None = None,
    neutral: Mapping[str, str],
    untold: Mapping[str, str],
) -> dict[str, str]:
    """The files for an existing FreeSWITCH, by their path below its configuration folder.

    By ``secret`` the dialplan proves itself; ``agents_number`` is the one on which agents agree to be recorded.
    Variables with their values: ``neutral`` for what is recorded by law, ``untold`` for every call.
    """
    values = {
        "lines": lines,
        "queues": queues,
        "context": context,
        "hosts": "|".join(hosts),
        "watchdog_s": watchdog_s,
        "secret": secret,
        "neutral": neutral,
        "untold": untold,
        "agents_number_regex": re.escape(agents_number) if agents_number else None,
    }
    return {
        "vars/consentivr.xml": _fill(templates, "vars/consentivr.xml.j2", values),
        "autoload_configs/consentivr/queues.xml": _fill(templates, "autoload_configs/queues.xml.j2", values),
        f"dialplan/{context}/00_consentivr.xml": _fill(templates, "dialplan/consentivr.xml.j2", values),
    }


def render_lab(templates: Path, values: Mapping[str, Any], name: str = "freeswitch") -> str:
    """``freeswitch.xml`` of a whole switch for tests and demonstrations; ``outside`` is the one beside it."""
    return _fill(templates, f"lab/{name}.xml.j2", values)


def _fill(templates: Path, name: str, values: Mapping[str, Any]) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(str(templates)),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    return environment.get_template(name).render(**values)
