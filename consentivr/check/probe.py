"""What a switch writes into its log cannot be asked: a line and a SIP message are sent to it, and looked for there.

The line is logged at the level at which keys are; the message is OPTIONS, as any monitoring sends it. Nothing else
happens.
"""

from __future__ import annotations

import contextlib
import re
import secrets
from pathlib import Path

import gevent
import gevent.socket

from consentivr import switch
from consentivr.check.answers import Answers
from consentivr.check.asking import Connect
from consentivr.check.leaks import HELD, KEPT, NOT_KEPT, PASSED, SILENT, TRACED, log_files
from consentivr.esl.errors import ESLError

REPLY_SECONDS = 1.0
"""So long a profile may take to answer."""

LOG_SECONDS = 1.0
"""So long after the last answer the log is listened to."""

MOST_BYTES = 32 * 1024 * 1024
"""Of a log that is listened to."""

LAST_BYTES = 1024 * 1024
"""Of a log file that is looked at."""


def probe(connect: Connect, answers: Answers) -> str:
    """For ``switch.LOG``; empty when nobody may listen to the log."""
    line = f"consentivr-{secrets.token_hex(8)}"
    calls = {name: f"consentivr-{secrets.token_hex(8)}" for name in answers.profiles}
    heard = bytearray()
    try:
        connection = connect()
    except (ESLError, OSError):
        return ""
    try:
        if not connection.send(switch.LOG).is_accepted:
            return ""
        asking = connect()
        listening = gevent.spawn(_listen, connection.sock, heard)
        asking.send(f"api {switch.log_line(f'{line} looks whether this is kept')}")
        asking.stop()
        answered = [name for name, call in calls.items() if is_answered(address_of(answers, name), call)]
        gevent.sleep(LOG_SECONDS)
        listening.kill()
    except (ESLError, OSError):
        return ""
    finally:
        connection.stop()
    said = [f"info {PASSED if line.encode() in heard else HELD}"]
    said += [f"{name} {kept}" for name, file in log_files(answers).items() if (kept := _is_kept(Path(file), line))]
    said += [f"sip {name} {TRACED if calls[name].encode() in heard else SILENT}" for name in answered]
    return "\n".join(said)


def _is_kept(file: Path, line: str) -> str | None:
    """Whether it is in the file; None where that cannot be read from here."""
    try:
        with file.open("rb") as log:
            log.seek(max(0, file.stat().st_size - LAST_BYTES))
            return KEPT if line.encode() in log.read() else NOT_KEPT
    except OSError:
        return None


def _listen(sock: gevent.socket.socket, heard: bytearray) -> None:
    sock.settimeout(None)
    with contextlib.suppress(OSError):
        while (data := sock.recv(65536)) and len(heard) < MOST_BYTES:
            heard += data


def address_of(answers: Answers, profile: str) -> tuple[str, int] | None:
    """Where a profile hears UDP; None where it does not."""
    info = answers.xml(switch.profile(profile)).find("./profile-info")
    bound = "" if info is None else info.findtext("bind-url") or info.findtext("url") or ""
    found = re.search(r"@(\[[0-9a-f:]+\]|[^:;\s>]+)(?::(\d+))?", bound)
    transport = re.search(r"transport=([\w,]+)", bound)
    if found is None or (transport is not None and "udp" not in transport[1]):
        return None
    return found[1].strip("[]"), int(found[2] or 5060)


def is_answered(address: tuple[str, int] | None, token: str) -> bool:
    """Whether OPTIONS with this Call-ID is answered, however, within ``REPLY_SECONDS``."""
    if address is None:
        return False
    host, port = address
    family = gevent.socket.AF_INET6 if ":" in host else gevent.socket.AF_INET
    try:
        with gevent.socket.socket(family, gevent.socket.SOCK_DGRAM) as sock:
            sock.settimeout(REPLY_SECONDS)
            sock.connect((host, port))
            sock.send(_options(sock.getsockname()[:2], address, token))
            return bool(sock.recv(65536))
    except OSError:
        return False


def _options(own: tuple[str, int], to: tuple[str, int], token: str) -> bytes:
    """RFC 3261, section 11."""
    here, there = (f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in (own, to))
    lines = (
        f"OPTIONS sip:{there} SIP/2.0",
        f"Via: SIP/2.0/UDP {here};branch=z9hG4bK{token};rport",
        "Max-Forwards: 70",
        f"From: <sip:consentivr@{here}>;tag={token}",
        f"To: <sip:{there}>",
        f"Call-ID: {token}",
        "CSeq: 1 OPTIONS",
        f"Contact: <sip:consentivr@{here}>",
        "Content-Length: 0",
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()
