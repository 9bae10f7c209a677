"""From a vanilla FreeSWITCH to a first consented call, and back: what an administrator types, and what is said to it.

``python -m tests.setup.walk`` does it on a machine of its own (``bare``) and writes docs/first-call.md.
"""

from __future__ import annotations

import os
import re
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from tests.setup.bare import ROOT, BareMachine

HERE = "192.0.2.10"
PAGE = ROOT / "docs" / "first-call.md"
SETUP = "consentivr setup --agent 1001@default --agreed form-2026-11"

_HEAD = """# A first call

From a vanilla FreeSWITCH 1.10 (built from source, run by the user `freeswitch`) and a clone of this repository to a
recording that a caller agreed to, and back again. All of it was typed as root on a machine that has systemd and nothing
else. `python -m tests.setup.walk` writes this page, and `tests/setup/test_on_a_switch.py` does the same and compares.

{spans}

## Two commands, and a call

```
{forth}```

## And back

```
{back}```
"""


@dataclass
class Walk:
    """What was typed, and what was said."""

    machine: BareMachine
    text: str = ""
    spans: dict[str, float] = field(default_factory=dict)
    """How long each command took, in seconds."""

    def type(self, command: str, *, echo: str = "", online: bool = False) -> str:
        """Type a command as root in the clone; ``echo`` is what is typed when it asks."""
        began = time.monotonic()
        typed = f"printf '{echo}' | {command}" if echo else f"PIP_QUIET=3 {command}" if online else command
        done = self.machine.run(f"cd {ROOT} && {typed}", online=online)
        self.spans[command] = time.monotonic() - began
        said = done.stdout
        if echo:
            said = re.sub(r"(\[y/N\]: )", rf"\g<1>{echo.strip()}\n", said)
        self.text += f"# {command}\n{said}"
        return said

    def tell(self, words: str) -> None:
        """What happens besides."""
        self.text += f"\n    {words}\n\n"


def install_like_make(machine: BareMachine) -> None:
    """This checkout as 'make install' would install it, without asking a package index."""
    libraries = Path(yaml.__file__).parents[1]
    for what, where in ((sys.base_prefix, "python"), (libraries, "libraries"), (ROOT, "clone")):
        machine.run(f"mkdir -p /opt/consentivr/{where} && mount --bind {what} /opt/consentivr/{where}")
    machine.run("""mkdir -p /opt/consentivr/bin && cd /opt/consentivr/bin && cat > main.py <<'END'
import sys
from consentivr.cli import main
sys.argv[0] = "/opt/consentivr/bin/consentivr"
main()
END
cat > consentivr <<'END'
#!/bin/sh
export LD_LIBRARY_PATH=/opt/consentivr/python/lib PYTHONDONTWRITEBYTECODE=1
export PYTHONPATH=/opt/consentivr/clone:/opt/consentivr/libraries
exec /opt/consentivr/python/bin/python3 /opt/consentivr/bin/main.py "$@"
END
chmod 755 consentivr && ln -sf /opt/consentivr/bin/consentivr /usr/local/bin/consentivr""")


def first_call(walk: Walk) -> None:
    """Set up, a call, what is known of it."""
    walk.type(SETUP, echo="y\n")
    walk.machine.start(f"{sys.executable} {ROOT}/tests/setup/telephone.py 1001 1234", output="/tmp/telephone")
    walk.machine.settle("cat /tmp/telephone", "200")
    call(walk.machine)
    walk.tell(
        "A caller has dialled 5000 and pressed 1; the telephone 1001 rang, was answered, and they talked for a while."
    )
    calls = walk.type("consentivr ledger calls")
    visit = re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", calls)[1]
    walk.type(f"consentivr ledger show {visit}")
    walk.type("find /var/lib/consentivr/recordings -name '*.wav' | xargs ls -l")


def call(machine: BareMachine, key: str = "1", number: str = "5000") -> None:
    """A caller dials the number, hears the question, presses the key, and talks for a while."""
    scenario = (ROOT / "lab" / "sipp" / f"press_{key}.xml").read_text()
    scenario = scenario.replace('"6000"', '"12000"').replace('"18000"', '"25000"')
    machine.run(f"cat > /tmp/call.xml <<'END'\n{scenario}\nEND")
    options = f"-s {number} -i {HERE} -m 1 -nostdin -timeout 90s"
    machine.run(f"cd /tmp && sipp {HERE}:5080 -sf /tmp/call.xml {options}")


def undone(walk: Walk) -> None:
    """Back again."""
    walk.type("consentivr setup --undo", echo="y\n")
    walk.type("diff -r /tmp/before /etc/freeswitch && echo not a byte differs")


def alike(text: str) -> str:
    """Without what differs from one time to the next."""
    for pattern, word in (
        (r"[0-9a-f]{8}-[0-9a-f-]{27}", "UUID"),
        (r"[0-9a-f]{12,64}", "HASH"),
        (r"\d{4}[-/]\d\d[-/]\d\d|\b\w{3} \d\d \d\d:\d\d", "DAY"),
        (r"\d\d:\d\d(:\d\d)?", "TIME"),
        (r"\b\d+\.\d+ s\b|\b\d+ ms\b|\b\d{5,}\b", "N"),
        (r" +", " "),
    ):
        text = re.sub(pattern, word, text)
    return text


def prepare(machine: BareMachine) -> None:
    """A switch that runs, and what it was before."""
    conf = machine.prefix / "etc" / "freeswitch"
    machine.start_freeswitch()
    machine.run(f"ln -s {conf} /etc/freeswitch && cp -a {conf} /tmp/before")


def main() -> None:
    """Write the page."""
    prefix = Path(os.environ["CONSENTIVR_FREESWITCH"]).resolve().parent.parent
    with BareMachine(prefix, systemd=True) as machine:
        prepare(machine)
        forth, back = Walk(machine), Walk(machine)
        forth.type("make install PYTHON=/usr/bin/python3", online=True)
        first_call(forth)
        undone(back)
    seconds = [f"`{command}` {seconds:.0f} s" for command, seconds in (*forth.spans.items(), *back.spans.items())]
    spans = f"It took, on two cores of a virtual machine: {', '.join(seconds[:2])}."
    PAGE.write_text(_HEAD.format(spans=spans, forth=shown(forth, prefix), back=shown(back, prefix)), encoding="utf-8")


def shown(walk: Walk, prefix: Path) -> str:
    """As an administrator sees it whose configuration is in /etc/freeswitch."""
    return walk.text.replace(f"{prefix}/etc/freeswitch", "/etc/freeswitch")


if __name__ == "__main__":
    main()
