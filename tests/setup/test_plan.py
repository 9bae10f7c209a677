"""From what is known of a switch to what is to be done: the layouts that there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from consentivr.config import Configuration, loads
from consentivr.config.sample import commented
from consentivr.setup import plan as planning
from consentivr.setup.facts import NEEDED, Facts, SwitchFacts
from consentivr.setup.plan import ACCOUNT, Layout, Plan, Wishes, make_plan
from consentivr.setup.steps import AddAgent, EditFile, Enable, JoinGroup, LoadModule, LoadQueue, MakeFolder, WriteFile
from consentivr.setup.texts import UNITS, first_configuration, make_texts, named_in
from tests.setup.switch_files import CALLCENTER, LOG, MODULES, VARS

CONF = Path("/etc/freeswitch")
TEXTS = {
    CONF / "vars.xml": VARS,
    CONF / "autoload_configs/callcenter.conf.xml": CALLCENTER,
    CONF / "autoload_configs/modules.conf.xml": MODULES,
    CONF / "autoload_configs/logfile.conf.xml": LOG,
}
DEBIAN = SwitchFacts(
    address="127.0.0.1:8021",
    version="1.10.12",
    variables={"conf_dir": str(CONF), "mod_dir": "/usr/lib/freeswitch/mod", "domain": "pbx.example"},
    user="freeswitch",
    group="freeswitch",
    modules=frozenset({*NEEDED, "mod_logfile"}),
    installed=frozenset(NEEDED),
    queues={"support@default": ""},
    programmed=False,
    open_to_all=False,
)
SERVER = Facts(DEBIAN, True, Path("/usr/bin/consentivr"), frozenset(), TEXTS)
FUSIONPBX = replace(DEBIAN, user="www-data", group="www-data", programmed=True, queues={"8000@pbx.example": ""})


def configured(facts: Facts, **more: str) -> Configuration:
    asked = {"number": "5000", "queue": "support@default", "language": "en", "context": "public", **more}
    return first_configuration(facts, agents={"1001@pbx.example": "1001@default"}, **asked)  # type: ignore[arg-type]


def planned(facts: Facts, wishes: Wishes | None = None, configuration: Configuration | None = None) -> Plan:
    configuration, layout = configuration or configured(facts), Layout()
    texts = make_texts(facts, configuration, commented(configuration), layout)
    return make_plan(facts, wishes or Wishes(), named_in(configuration, facts.switch.address), texts, layout)


def written(plan: Plan) -> Mapping[str, WriteFile]:
    return {step.path: step for step in plan.steps if isinstance(step, WriteFile)}


def edited(plan: Plan) -> list[str]:
    return [Path(step.path).name for step in plan.steps if isinstance(step, EditFile)]


def test_a_debian_package() -> None:
    plan = planned(SERVER)
    assert plan.obstacles == []
    assert JoinGroup("consentivr", "freeswitch") in plan.steps
    assert MakeFolder("/var/lib/consentivr/recordings", 0o2770, "consentivr", "freeswitch") in plan.steps
    assert edited(plan) == ["vars.xml", "callcenter.conf.xml", "logfile.conf.xml"], "its modules are loaded"
    assert LoadQueue("support@default") in plan.steps
    assert not any(isinstance(step, LoadModule) for step in plan.steps)
    files = written(plan)
    assert files["/etc/freeswitch/directory/consentivr.xml"].mode == 0o640
    assert {Path(path).name for path in files} >= set(UNITS)
    assert Enable(("consentivr.service", "consentivr-standby.service", "consentivr-retention.timer")) in plan.steps
    assert "peer_user: freeswitch" in files["/etc/consentivr/consentivr.yaml"].text, "as an example only"
    assert loads(files["/etc/consentivr/consentivr.yaml"].text).service.peer_user is None
    for path, step in files.items():
        secret = step.text.strip() if path.endswith((".password", ".secret")) else None
        assert (step.mode == 0o600) == (secret is not None), path


def test_a_module_that_is_not_loaded_and_one_that_is_not_there() -> None:
    vanilla = replace(DEBIAN, modules=DEBIAN.modules - {"mod_callcenter", "mod_sndfile"}, queues={})
    plan = planned(replace(SERVER, switch=vanilla))
    assert edited(plan) == ["vars.xml", "callcenter.conf.xml"] + ["modules.conf.xml"] * 2 + ["logfile.conf.xml"]
    assert [step.name for step in plan.steps if isinstance(step, LoadModule)] == ["mod_sndfile", "mod_callcenter"]
    assert plan.obstacles == []
    bare = replace(vanilla, installed=frozenset(NEEDED) - {"mod_callcenter"})
    said = planned(replace(SERVER, switch=bare)).obstacles
    assert len(said) == 1
    assert "apt install freeswitch-mod-callcenter" in said[0]


def test_a_switch_that_root_runs_and_everybody_can_reach() -> None:
    plan = planned(replace(SERVER, switch=replace(DEBIAN, user="root", group="root", open_to_all=True)))
    assert not any(isinstance(step, JoinGroup) for step in plan.steps), "nobody becomes a member of root's group"
    assert MakeFolder("/var/lib/consentivr/recordings", 0o2770, "consentivr", "consentivr") in plan.steps
    assert loads(written(plan)["/etc/consentivr/consentivr.yaml"].text).service.peer_user == "root"
    assert any("the password that everybody knows" in said for said in plan.remarks)
    assert any("runs as root" in said for said in plan.remarks)


def test_fusionpbx_is_told_what_to_click_and_none_of_its_files_is_changed() -> None:
    facts = replace(SERVER, switch=FUSIONPBX)
    plan = planned(facts, Wishes(("1001@default",)), configured(facts, queue="8000@pbx.example", context="pbx.example"))
    assert edited(plan) == ["logfile.conf.xml"]
    files = written(plan)
    assert not any("dialplan/" in path or path.endswith("queues.xml") for path in files)
    assert "8000@pbx.example" in files["/etc/consentivr/fusionpbx.md"].text
    assert "`pbx.example` | `40`" in files["/etc/consentivr/fusionpbx.md"].text
    assert "consent_secret=" not in files["/etc/consentivr/fusionpbx-support.xml"].text
    yaml = loads(files["/etc/consentivr/consentivr.yaml"].text)
    assert yaml.queues["support"].recording.mode == "caller_opt_in", "its queues know no ${consent_record_file}"
    assert yaml.service.peer_user == "www-data"
    assert AddAgent("1001@default", "[leg_timeout=20]user/1001@pbx.example", "8000@pbx.example") in plan.steps
    assert any(said.startswith("seen: the queue 8000@pbx.example") for said in plan.remarks)
    recording = replace(FUSIONPBX, queues={"8000@pbx.example": "/var/lib/freeswitch/recordings/x.wav"})
    said = planned(replace(SERVER, switch=recording), configuration=configured(facts, queue="8000@pbx.example")).remarks
    assert any("records by itself" in one for one in said)


def test_what_cannot_be_done_is_said_before_anything_is() -> None:
    container = replace(SERVER, has_systemd=False, read_only=frozenset({CONF}), texts={})
    plan = planned(container)
    assert any("/etc/freeswitch is read-only" in said for said in plan.obstacles)
    assert any("vars.xml is not there, or cannot be read" in said for said in plan.obstacles)
    assert any("setpriv --reuid=consentivr" in said for said in plan.remarks)
    assert not any(isinstance(step, Enable) for step in plan.steps)
    assert loads(written(plan)["/etc/consentivr/consentivr.yaml"].text).retention.daily_at is not None, (
        "'serve' does it"
    )


def test_who_signs_in_as_master_keeps_that_password() -> None:
    configuration = configured(SERVER)
    switch = configuration.switches[0].changed(user=None)
    plan = planned(SERVER, configuration=configuration.changed(switches=[switch]))
    assert "/etc/consentivr/event_socket.password" not in written(plan)
    assert any(f"user: {ACCOUNT}" in said for said in plan.remarks)


def test_what_a_configuration_needs_besides_is_let_through() -> None:
    elsewhere = configured(SERVER)
    elsewhere = elsewhere.changed(
        ledger=elsewhere.ledger.changed(url="postgresql://consentivr@db1/consentivr"),
        recordings=elsewhere.recordings.changed(folder="/srv/recordings"),
    )
    beside = written(planned(SERVER, configuration=elsewhere))["/etc/systemd/system/consentivr.service.d/setup.conf"]
    assert "ReadWritePaths=-/srv/recordings\n" in beside.text
    assert "IPAddressDeny=\n" in beside.text
    assert not any("setup.conf" in path for path in written(planned(SERVER)))


def test_the_console_is_started_where_it_is_configured() -> None:
    configuration = configured(SERVER)
    console = configuration.console.changed(listen="127.0.0.1:8188", address="https://consent.beispiel.example")
    plan = planned(SERVER, configuration=configuration.changed(console=console))
    assert "/etc/systemd/system/consentivr-console.service" in written(plan)
    assert any(isinstance(step, Enable) and "consentivr-console.service" in step.units for step in plan.steps)
    assert not any("consentivr-console" in path for path in written(planned(SERVER)))


def test_the_units_are_hardened_alike() -> None:
    configuration = configured(SERVER)
    console = configuration.console.changed(listen="127.0.0.1:8188", address="https://consent.beispiel.example")
    files = written(planned(SERVER, configuration=configuration.changed(console=console)))
    units = {
        Path(path).name: {line for line in step.text.splitlines() if "=" in line and not line.startswith("#")}
        for path, step in files.items()
        if path.endswith(".service")
    }
    one, standby = units["consentivr.service"], units["consentivr-standby.service"]
    differs = {line.partition("=")[0] for line in one ^ standby}
    assert differs == {"Description", "After", "ExecStart", "ExecStartPost"}
    retention = units["consentivr-retention.service"]
    protects = {line for line in one if line.startswith(("Protect", "Private", "Lock", "Memory", "NoNew", "System"))}
    assert protects <= retention
    assert protects <= units["consentivr-console.service"]


@pytest.mark.parametrize("name", ["_this_machine", "_files", "_running_switch", "_service", "_programmed"])
def test_planning_does_nothing(name: str) -> None:
    """No part of it opens, runs or asks anything."""
    assert not {"open", "run", "api", "stat", "exists"} & set(getattr(planning, name).__code__.co_names)
