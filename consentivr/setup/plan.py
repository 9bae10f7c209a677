"""From what is known and wanted to what is to be done. Pure: nothing is asked, read or changed here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from consentivr.service.build import OWN_USER as USER
from consentivr.setup import edits
from consentivr.setup.facts import NEEDED, Facts
from consentivr.setup.steps import (
    AddAgent,
    EditFile,
    Enable,
    JoinGroup,
    LoadModule,
    LoadQueue,
    MakeDays,
    MakeFolder,
    MakeUser,
    NoteAgreement,
    ReadFiles,
    ReloadModule,
    Step,
    WriteFile,
    WriteUnit,
)

ACCOUNT = "consentivr@consentivr.invalid"
"""Our user in the switch's directory, in a domain of its own, which nobody can call (RFC 6761)."""
ACCOUNT_FILE = "directory/consentivr.xml"


@dataclass(frozen=True)
class Layout:
    """Where things of ours lie."""

    yaml: Path = Path("/etc/consentivr/consentivr.yaml")
    state: Path = Path("/var/lib/consentivr")
    log: Path = Path("/var/log/consentivr")
    units: Path = Path("/etc/systemd/system")

    @property
    def folders(self) -> tuple[Path, ...]:
        """All that something is written to."""
        return self.yaml.parent, self.state, self.log


@dataclass(frozen=True)
class Wishes:
    """What an administrator chose."""

    agents: tuple[str, ...] = ()
    """Who is to be made an agent of the queue, each with a telephone of the same name."""
    agreed: str | None = None
    """To what wording these agents have agreed to be recorded."""
    quiet_log: bool = True
    """Nothing below NOTICE in the switch's log file."""


@dataclass(frozen=True)
class Texts:
    """What files of ours will hold."""

    yaml: str
    account_password: str = field(repr=False)
    account: str = field(repr=False)
    dialplan_secret: str = field(repr=False)
    rendered: Mapping[str, str] = field(repr=False)
    """By their paths below the switch's ``conf_dir``."""
    units: Mapping[str, str]
    """By their names."""
    by_hand: Mapping[str, str] = field(default_factory=dict)
    """What is to be done where a program makes the dialplan; the first is the guide."""


@dataclass(frozen=True)
class Named:
    """What the configuration names that a plan depends on."""

    recordings: Path
    password_file: Path
    dialplan_secret: Path | None
    queues: tuple[str, ...]
    context: str
    account: str | None
    """As whom it signs in on the event socket; None: with the master password."""


@dataclass
class Plan:
    """Steps in their order, what stands against them, and what else should be known."""

    steps: list[Step] = field(default_factory=list)
    obstacles: list[str] = field(default_factory=list)
    """Nothing is done while there is one."""
    remarks: list[str] = field(default_factory=list)


def make_plan(facts: Facts, wishes: Wishes, named: Named, texts: Texts, layout: Layout = Layout()) -> Plan:
    """What is to be done, whether or not it is done already: each step knows that."""
    plan = Plan()
    _this_machine(plan, facts, named, texts, layout)
    if facts.switch.programmed:
        _programmed(plan, facts, texts, named, layout)
    else:
        _files(plan, facts, texts)
    if wishes.quiet_log and "mod_logfile" in facts.switch.modules:
        _edit(plan, facts, "autoload_configs/logfile.conf.xml", edits.keys_unlogged,
              "keep callers' keys out of the log, which FreeSWITCH writes at INFO")  # fmt: skip
    _running_switch(plan, facts, wishes, named)
    _service(plan, facts, texts, layout)
    if wishes.agreed is not None:
        plan.steps += [NoteAgreement(agent, wishes.agreed, str(layout.yaml)) for agent in wishes.agents]
    if facts.switch.open_to_all:
        plan.remarks.append(
            "the event socket has the password that everybody knows, and whoever reaches it can do anything: change it "
            "in event_socket.conf.xml. consentivr has an account of its own, and does not need it"
        )
    return plan


def _this_machine(plan: Plan, facts: Facts, named: Named, texts: Texts, layout: Layout) -> None:
    switch = facts.switch
    for folder in sorted(facts.read_only):
        plan.obstacles.append(
            f"{folder} is read-only, as in a container's image: make it writable for this, or build the image with it"
        )
    plan.steps.append(MakeUser(USER, str(layout.state)))
    group = USER
    if switch.user != "root":
        group = switch.group
        plan.steps.append(JoinGroup(USER, group))
    else:
        plan.remarks.append("FreeSWITCH runs as root: whoever finds a hole in it owns this machine")
    plan.steps += [
        MakeFolder(str(layout.yaml.parent), 0o750, "root", USER),
        # Everybody may pass through, because FreeSWITCH must; nobody else sees what is in it.
        MakeFolder(str(layout.state), 0o751, USER, USER),
        MakeFolder(str(layout.log), 0o750, USER, USER),
        MakeFolder(str(named.recordings), 0o2770, USER, group),
        MakeDays(str(named.recordings)),
        WriteFile(str(layout.yaml), texts.yaml, 0o640, "root", USER, "what you can choose", keep=True),
    ]
    if named.account == ACCOUNT:
        said = f"the password of {ACCOUNT} on the event socket"
        password = f"{texts.account_password}\n"
        plan.steps.append(WriteFile(str(named.password_file), password, 0o600, USER, USER, said))
        said = "an account on the event socket with only the rights that consentivr needs"
        file = str(switch.folder("conf_dir") / ACCOUNT_FILE)
        plan.steps.append(WriteFile(file, texts.account, 0o640, None, None, said))
    elif named.account is None:
        plan.remarks.append(
            f"the configuration signs in with the event socket's master password, which can do anything: with "
            f"'user: {ACCOUNT}' in 'switches', setup makes an account with few rights"
        )
    if named.dialplan_secret is not None:
        said = "by which the dialplan proves that it calls"
        plan.steps.append(
            WriteFile(str(named.dialplan_secret), f"{texts.dialplan_secret}\n", 0o600, USER, USER, said, keep=True)
        )


def _files(plan: Plan, facts: Facts, texts: Texts) -> None:
    """The switch's configuration, where it is made of files."""
    conf = facts.switch.folder("conf_dir")
    for name, text in texts.rendered.items():
        plan.steps.append(WriteFile(str(conf / name), text, 0o640, None, None, _RENDERED[Path(name).parts[0]]))
    _edit(plan, facts, "vars.xml", edits.variables_included, "calls that nobody asked cannot be recorded")
    _edit(plan, facts, "autoload_configs/callcenter.conf.xml", edits.queues_included,
          "the queues as rendered, before any other of that name")  # fmt: skip
    for module in NEEDED:
        if module not in facts.switch.modules:
            _edit(plan, facts, "autoload_configs/modules.conf.xml", lambda text, module=module:  # type: ignore[misc]
                  edits.module_loaded(text, module), f"{module} is not loaded")  # fmt: skip


_RENDERED = {
    "vars": "calls that nobody asked cannot be recorded, and the dialplan's secret",
    "autoload_configs": "the queues",
    "dialplan": "the lines, and their way to the queue when consentivr is not there",
}


def _edit(plan: Plan, facts: Facts, name: str, find: Callable[[str], edits.Edit | None], what: str) -> None:
    path = facts.switch.folder("conf_dir") / name
    text = facts.texts.get(path)
    if text is None:
        plan.obstacles.append(f"{path} is not there, or cannot be read: {what}")
        return
    for step in plan.steps:
        if isinstance(step, EditFile) and step.path == str(path):
            text = edits.Edit(step.old, step.new).apply(text)
    try:
        edit = find(text)
    except edits.NoPlace as why:
        plan.obstacles.append(f"{path} has another form than expected, {why}: {what}")
        return
    if edit is not None:
        plan.steps.append(EditFile(str(path), edit.old, edit.new, what))


def _running_switch(plan: Plan, facts: Facts, wishes: Wishes, named: Named) -> None:
    switch = facts.switch
    plan.steps.append(ReadFiles())
    if wishes.quiet_log and "mod_logfile" in switch.modules:
        plan.steps.append(ReloadModule("mod_logfile"))
    if switch.programmed:
        missing = [module for module in NEEDED if module not in switch.modules]
        plan.obstacles += [f"{module} is not loaded: see Advanced, Modules" for module in missing]
        _agents(plan, facts, wishes, named)
        return
    for module in NEEDED:
        if module not in switch.modules:
            plan.steps.append(LoadModule(module))
            if module not in switch.installed:
                plan.obstacles.append(f"{module} is not installed in {switch.variables['mod_dir']}: with FreeSWITCH's "
                                      f"packages 'apt install freeswitch-{module.replace('_', '-')}'")  # fmt: skip
    plan.steps += [LoadQueue(queue) for queue in named.queues]
    _agents(plan, facts, wishes, named)


def _agents(plan: Plan, facts: Facts, wishes: Wishes, named: Named) -> None:
    domain = facts.switch.variables.get("domain", "")
    for agent in wishes.agents:
        contact = f"[leg_timeout=20]user/{agent.partition('@')[0]}@{domain}"
        plan.steps.append(AddAgent(agent, contact, named.queues[0]))


def _service(plan: Plan, facts: Facts, texts: Texts, layout: Layout) -> None:
    if not facts.has_systemd:
        plan.remarks.append(
            f"there is no systemd here: keep 'serve' running as the user {USER} by what starts things on this machine: "
            f"setpriv --reuid={USER} --regid={USER} --init-groups {facts.program} serve"
        )
        return
    for name, text in texts.units.items():
        plan.steps.append(WriteUnit(str(layout.units / name), text, 0o644, "root", "root", _UNITS[Path(name).suffix]))
    plan.steps.append(Enable(tuple(name for name in texts.units if name in _STARTED)))


_UNITS = {
    ".service": "what systemd runs, and what it may do",
    ".timer": "when what is due is erased",
    ".conf": "what your configuration needs besides",
}
_STARTED = (
    "consentivr.service",
    "consentivr-standby.service",
    "consentivr-retention.timer",
    "consentivr-console.service",
)


def _programmed(plan: Plan, facts: Facts, texts: Texts, named: Named, layout: Layout) -> None:
    """The dialplan and the queues come from a database: an administrator changes them there, and is told how."""
    conf = facts.switch.folder("conf_dir")
    # FusionPBX writes vars.xml anew from its database, and leaves other files alone.
    variables = str(conf / "autoload_configs" / "consentivr.xml")
    what = _RENDERED["vars"]
    plan.steps.append(WriteFile(variables, texts.rendered["vars/consentivr.xml"], 0o640, None, None, what))
    for name, text in texts.by_hand.items():
        plan.steps.append(WriteFile(str(layout.yaml.parent / name), text, 0o640, "root", USER, "what is yours to do"))
    guide = layout.yaml.parent / next(iter(texts.by_hand))
    for queue in named.queues:
        template = facts.switch.queues.get(queue)
        if template is None:
            plan.remarks.append(f"not seen: the queue {queue}: see {guide}, 1")
        elif template:
            plan.remarks.append(f"the queue {queue} records by itself, to {template}: see {guide}, 1")
        else:
            plan.remarks.append(f"seen: the queue {queue} is there, and does not record by itself")
    plan.remarks.append(f"not seen: the dialplan, which a program makes: see {guide}, 2, and call the number")
