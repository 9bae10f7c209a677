"""From a vanilla FreeSWITCH to a first consented call, and back: on a machine of its own, as an administrator does."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from consentivr.lab.native import find_freeswitch
from tests.setup.bare import ROOT, BareMachine, is_possible
from tests.setup.walk import HERE, PAGE, SETUP, Walk, alike, call, first_call, install_like_make, prepare, shown, undone

pytestmark = [pytest.mark.freeswitch, pytest.mark.sipp]


@pytest.fixture(scope="module")
def prefix() -> Path:
    """Where FreeSWITCH is installed."""
    found = Path(find_freeswitch() or "/").resolve().parent.parent
    if not is_possible() or not (found / "etc" / "freeswitch" / "vars.xml").exists():
        pytest.skip("needs root, namespaces, and a FreeSWITCH with its vanilla configuration")
    return found


@pytest.fixture(scope="module")
def machine(prefix: Path) -> Iterator[BareMachine]:
    """With everything installed, and nothing set up."""
    with BareMachine(prefix, systemd=True) as machine:
        install_like_make(machine)
        prepare(machine)
        yield machine


@pytest.fixture(scope="module")
def forth(machine: BareMachine) -> Walk:
    """The way to the first call."""
    walk = Walk(machine)
    first_call(walk)
    return walk


def test_the_page_tells_what_happens(forth: Walk, prefix: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    told = alike(page[page.index(f"# {SETUP}") :])
    for line in alike(shown(forth, prefix)).splitlines():
        assert line.strip() in told, f"{line}\n\nrun 'python -m tests.setup.walk'"


def test_the_caller_agreed_and_is_recorded(forth: Walk) -> None:
    assert re.search(r"support@default +given +consent_key +1001@default +kept", forth.text)
    assert re.search(r"-rw-r--r-- 1 freeswitch freeswitch +\d{6} .*\.wav", forth.text)
    assert "sealed" in forth.text


def test_the_switchs_log_has_no_keys(forth: Walk) -> None:
    log = forth.machine.run("cat /root/fs/var/log/freeswitch/freeswitch.log 2>/dev/null || true").stdout
    assert "RECV DTMF" not in log


def test_again_does_nothing(forth: Walk) -> None:
    said = forth.machine.run("consentivr setup").stdout
    assert "Everything is as it should be." in said
    assert forth.machine.run("consentivr setup --dry-run").returncode == 0


def test_two_users_record_and_erase_in_one_folder(forth: Walk) -> None:
    """As FreeSWITCH's user writes it, as ours erases it; in a folder that FreeSWITCH made ours could not."""
    machine = forth.machine
    wav = machine.run("ls /var/lib/consentivr/recordings/*/*/*/*.wav").stdout.strip()
    assert machine.run(f"stat -c '%U %G %a' {Path(wav).parent}").stdout == "consentivr freeswitch 2770\n"
    theirs = Path("/var/lib/consentivr/recordings/2001/01/01/call.wav")
    leg = machine.api(f"originate user/1001@{HERE} &park()").split()[-1]
    machine.api(f"uuid_record {leg} start {theirs}")
    machine.settle(f"ls {theirs}", "call.wav\n")
    machine.api("hupall")
    assert re.match(r"freeswitch 2?750\n", machine.run(f"stat -c '%U %a' {theirs.parent}").stdout)
    assert "Permission denied" in machine.run(f"rm {theirs}", user="consentivr", check=False).stdout
    machine.run("rm -r /var/lib/consentivr/recordings/2001")
    visit = Path(wav).stem
    said = machine.run(f"consentivr ledger erase --channel {visit} --yes", user="consentivr").stdout
    assert "erased" in said
    assert not machine.run(f"ls {wav}", check=False).stdout.startswith("/var")


def test_the_account_may_do_no_more_than_it_must(forth: Walk) -> None:
    """And what FreeSWITCH does not keep from it: 'sendmsg' to a channel."""
    said = forth.machine.run(f"{sys.executable} {ROOT}/tests/setup/account.py").stdout
    assert said.splitlines() == [
        "userauth +OK accepted",
        "api show channels +OK",
        "api fsctl shutdown -ERR permission denied",
        "api system id -ERR permission denied",
        "api xml_locate directory -ERR permission denied",
        "bgapi originate user/1001 &park -ERR permission denied",
        "event json ALL -ERR permission denied",
        "log 7 -ERR permission denied",
        "register 403",
    ]


def test_an_upgrade_and_a_crash_go_by_systemd(forth: Walk) -> None:
    machine = forth.machine
    was = machine.run("systemctl show -p MainPID --value consentivr consentivr-standby").stdout
    machine.run("systemctl restart consentivr")
    machine.settle("systemctl show -p MainPID --value consentivr consentivr-standby", "")
    machine.settle("systemctl is-active consentivr consentivr-standby", "active\nactive")
    now = machine.run("systemctl show -p MainPID --value consentivr consentivr-standby").stdout
    assert not set(was.split()) & set(now.split()), "both are new"
    machine.run("kill -STOP $(systemctl show -p MainPID --value consentivr)")
    machine.settle("systemctl show -p Result -p NRestarts consentivr", "NRestarts=1", 30)
    machine.settle("systemctl is-active consentivr", "active")


def test_undone_not_a_byte_differs(forth: Walk) -> None:
    back = Walk(forth.machine)
    undone(back)
    assert back.text.endswith("not a byte differs\n")
    assert "kept: the user consentivr stays" in back.text
    assert forth.machine.api("module_exists mod_callcenter").strip() == "false"
    assert not forth.machine.run("ls /etc/systemd/system/consentivr*", check=False).stdout.startswith("/etc")


def test_who_is_not_root_hears_it_before(machine: BareMachine) -> None:
    done = machine.run("consentivr setup --dry-run", user="games", check=False)
    assert done.returncode == 2
    assert "run it with sudo" in done.stdout


# --- where a program makes the dialplan ------------------------------------------------------

HANDLER = """
local file = io.open("/tmp/dialplan.xml")
if XML_REQUEST["section"] == "dialplan" and file then
    XML_STRING = file:read("*a")
end
"""
DOCUMENT = """<document type="freeswitch/xml"><section name="dialplan"><context name="public">
{}</context></section></document>"""
LUA = """<configuration name="lua.conf"><settings>
<param name="xml-handler-script" value="/tmp/handler.lua"/>
<param name="xml-handler-bindings" value="dialplan"/>
</settings></configuration>"""


def put(machine: BareMachine, path: str, text: str) -> None:
    machine.run(f"cat > {path} <<'END'\n{text}\nEND")


def test_where_a_program_makes_the_dialplan_we_say_what_to_click(prefix: Path) -> None:
    """As in FusionPBX: its dialplan comes through Lua, its queue is there already, no file of the dialplan is read."""
    with BareMachine(prefix) as machine:
        install_like_make(machine)
        conf = prefix / "etc" / "freeswitch"
        put(machine, "/tmp/handler.lua", HANDLER)
        put(machine, f"{conf}/autoload_configs/lua.conf.xml", LUA)
        callcenter = '<load module="mod_callcenter"/>'
        machine.run(f"sed -i 's,<!--{callcenter}-->,{callcenter},' {conf}/autoload_configs/modules.conf.xml")
        prepare(machine)
        said = machine.run("consentivr setup --yes --agent 1001@default --agreed form-2026-11").stdout
        assert "seen: the queue support@default is there, and does not record by itself" in said
        assert "not seen: the dialplan" in said
        assert not machine.run(f"ls {conf}/dialplan/public | grep consentivr", check=False).stdout
        guide = machine.run("cat /etc/consentivr/fusionpbx.md").stdout
        assert "`/etc/consentivr/fusionpbx-support.xml` | `consentivr-support` | `public` | `40`" in guide
        one = machine.run("cat /etc/consentivr/fusionpbx-support.xml").stdout
        assert one.count("<extension") == 1
        put(machine, "/tmp/dialplan.xml", DOCUMENT.format(one))
        serving = machine.start("consentivr serve", user="consentivr", output="/tmp/serve.log")
        machine.settle("cat /tmp/serve.log", "watching")
        machine.start(f"{sys.executable} {ROOT}/tests/setup/telephone.py 1001 1234", output="/tmp/telephone")
        machine.settle("cat /tmp/telephone", "200")
        call(machine)
        assert re.search(r"given +consent_key +1001@default +kept", machine.run("consentivr ledger calls").stdout)
        machine.run(f"kill -KILL {serving}")
        call(machine)  # nobody is there: the queue all the same, unrecorded
        assert len(machine.run("find /var/lib/consentivr/recordings -name '*.wav'").stdout.split()) == 1
        assert "\n1001@default|single_box|" in machine.api("callcenter_config agent list")
        machine.run("consentivr setup --undo --yes")
        assert "not a byte" in machine.run("diff -r /tmp/before /etc/freeswitch/ && echo not a byte").stdout
