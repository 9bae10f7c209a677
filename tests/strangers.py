"""Another user of this machine, who connects."""

from __future__ import annotations

import subprocess
import sys

NOBODY = 65534
"""Its uid."""

DIAL = """
import os, socket, sys
os.setgroups([])
os.setuid(int(sys.argv[3]))
peer = socket.socket()
peer.connect((sys.argv[1], int(sys.argv[2])))
print("dialled", flush=True)
sys.stdin.read()
"""


def dial(host: str, port: int, uid: int) -> subprocess.Popen[bytes]:
    """Another user of this machine connects, and stays."""
    made = subprocess.Popen(
        [sys.executable, "-c", DIAL, host, str(port), str(uid)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert made.stdout is not None
    assert made.stdout.readline() == b"dialled\n"
    return made
