"""What the files of ours hold."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from consentivr.config import Configuration, load
from consentivr.core.policy import RecordingMode
from consentivr.files import read_secret
from consentivr.rendering import one_extension
from consentivr.resources import shipped
from consentivr.service.build import FREESWITCH, rendered
from consentivr.setup.facts import Facts
from consentivr.setup.plan import ACCOUNT, Layout, Named, Texts
from consentivr.watch.rights import COMMANDS, EVENTS

_HERE = Path(__file__).resolve().parent
UNITS = (
    "consentivr.service",
    "consentivr-standby.service",
    "consentivr-retention.service",
    "consentivr-retention.timer",
)
CONSOLE = "consentivr-console.service"
"""Written where the configuration says where the pages are."""

PROGRAM = "/usr/bin/consentivr"
"""In the units that we ship."""


def _sample() -> Configuration:
    """The configuration that we ship."""
    return load(shipped("config") / "consentivr.yaml")


def first_configuration(
    facts: Facts, *, number: str, queue: str, language: str, context: str, agents: Mapping[str, str]
) -> Configuration:
    """One to begin with. ``agents`` are names in mod_callcenter by users of the directory. Raises ValueError."""
    example = _sample()
    key, queue_of_example = next(iter(example.queues.items()))
    # FusionPBX's own template of a queue loses the variable by which the queue would record.
    mode = RecordingMode.CALLER_OPT_IN if facts.switch.programmed else RecordingMode.PERMANENT_OPT_OUT
    recording = queue_of_example.recording.changed(mode=mode)
    switch = example.switches[0].changed(address=facts.switch.address, user=ACCOUNT)
    return example.changed(
        service=example.service.changed(peer_user=None if facts.switch.user == FREESWITCH else facts.switch.user),
        # systemd's timer does it, also after a night in which the machine was off.
        retention=example.retention.changed(daily_at=None) if facts.has_systemd else example.retention,
        agents=example.agents.changed(users=agents),
        switches=[switch],
        freeswitch=example.freeswitch.changed(context=context),
        language=language,
        lines={key: {"number": number, "queue": key}},
        queues={key: queue_of_example.changed(name=queue, recording=recording)},
        announcements={},
    )


def named_in(configuration: Configuration, address: str) -> Named:
    """What a plan for the switch at this address depends on."""
    service, switches = configuration.service, configuration.switches
    switch = next((switch for switch in switches if str(switch.address) == address), switches[0])
    return Named(
        configuration.recordings.folder,
        switch.password_file,
        service.secret_file,
        tuple(queue.name for queue in configuration.queues.values()),
        configuration.freeswitch.context,
        switch.user,
    )


def make_texts(facts: Facts, configuration: Configuration, yaml_text: str, layout: Layout) -> Texts:
    """All of them. Secrets that are there stay. Raises OSError."""
    named = named_in(configuration, facts.switch.address)
    password = _kept(named.password_file)
    secret = None if named.dialplan_secret is None else _kept(named.dialplan_secret)
    account = account_xml(password)
    files = rendered(configuration, secret)
    by_hand = _by_hand(configuration, files, layout) if facts.switch.programmed else {}
    units = _units(facts, configuration, layout)
    return Texts(yaml_text, password, account, secret or "", files, units, by_hand)


def account_xml(password: str) -> str:
    """A user of the directory with the rights that the watch needs (``watch.rights``), and no others."""
    user, _, domain = ACCOUNT.partition("@")
    return _fill("account.xml.j2", user=user, domain=domain, password=password, events=EVENTS, commands=COMMANDS)


def _by_hand(configuration: Configuration, files: Mapping[str, str], layout: Layout) -> dict[str, str]:
    """What to click, and a file for each entry of the dialplan."""
    folder, context = layout.yaml.parent, configuration.freeswitch.context
    dialplan = files[f"dialplan/{context}/00_consentivr.xml"]
    extensions = {line: f"fusionpbx-{line}.xml" for line in configuration.lines}
    guide = _fill(
        "fusionpbx.md.j2",
        queues=[queue.name for queue in configuration.queues.values()],
        files={line: folder / name for line, name in extensions.items()},
        context=context,
        number=next(iter(configuration.lines.values())).number,
        key=configuration.question.consent_key,
    )
    entries = {name: one_extension(dialplan, line) for line, name in extensions.items()}
    return {"fusionpbx.md": guide, **entries}


def _kept(path: Path) -> str:
    """The secret that is there, or a new one: the switch's own password is none."""
    try:
        return read_secret(path, shortest=32)
    except OSError:
        return secrets.token_hex(32)


def _units(facts: Facts, configuration: Configuration, layout: Layout) -> dict[str, str]:
    """What we ship, with this installation's program; and what the configuration needs besides."""
    folder = shipped("systemd")
    units = {}
    beside = _beside(configuration, layout)
    has_console = configuration.console.listen is not None or configuration.console.socket is not None
    for name in (*UNITS, CONSOLE) if has_console else UNITS:
        text = (folder / name).read_text(encoding="utf-8").replace(PROGRAM, str(facts.program))
        if str(layout.yaml) != "/etc/consentivr/consentivr.yaml":
            text = text.replace("[Service]\n", f"[Service]\nEnvironment=CONSENTIVR_CONFIG={layout.yaml}\n")
        units[name] = text
        if name.endswith(".service") and beside:
            units[f"{name}.d/setup.conf"] = beside
    return units


def _beside(configuration: Configuration, layout: Layout) -> str:
    """What the hardened unit must let through for this configuration."""
    folders = [configuration.recordings.folder, *configuration.recordings.former_folders]
    folders += configuration.watch.erase_below
    ours = (layout.state, layout.log)
    outside = sorted({str(folder) for folder in folders if not any(folder.is_relative_to(own) for own in ours)})
    lines = [f"ReadWritePaths=-{folder}" for folder in outside]
    if _talks_abroad(configuration):
        lines += ["# What it talks to is not on this machine.", "IPAddressDeny="]
    return "\n".join(["# By 'consentivr setup', for this configuration.", "[Service]", *lines, ""]) if lines else ""


def _talks_abroad(configuration: Configuration) -> bool:
    ledger, addresses = (
        configuration.ledger,
        [configuration.service.listen, *(s.address for s in configuration.switches)],
    )
    if configuration.http.listen:
        addresses.append(configuration.http.listen)
    return (
        any(what is not None for what in (ledger.url, ledger.post_checkpoints_to, ledger.time_stamp_url))
        or configuration.watch.command is not None
        or not all(_is_here(address.host) for address in addresses)
    )


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _fill(name: str, **values: Any) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(str(_HERE)),
        autoescape=name.endswith(".xml.j2"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    return environment.get_template(name).render(**values)
