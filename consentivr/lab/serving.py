"""``consentivr serve`` in a process of its own, for the measurements and the tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def serve(
    configuration: Path, *options: str, log: Path | None = None, descriptors: int | None = None
) -> subprocess.Popen[bytes]:
    """Start it; returns at once. What it says is added to ``log``, by default serve.log beside the configuration.
    It may have so many ``descriptors``."""
    command = [sys.executable, "-m", "consentivr", "serve", "--config", str(configuration), *options]
    if descriptors is not None:
        command = ["/bin/sh", "-c", f'ulimit -n {descriptors}; exec "$@"', "sh", *command]
    with (log or configuration.with_name("serve.log")).open("ab") as out:
        return subprocess.Popen(command, stdout=out, stderr=out)
