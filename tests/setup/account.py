"""What the account on the event socket may do: run as a program on the machine of the switch; prints each answer."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from telephone import Telephone

USER, DOMAIN = "consentivr", "consentivr.invalid"


def main() -> None:
    password = Path("/etc/consentivr/event_socket.password").read_text().strip()
    sock = socket.create_connection(("127.0.0.1", 8021), timeout=5)
    stream = sock.makefile("rwb")

    def read() -> dict[str, str]:
        headers = dict(line.decode().strip().split(": ", 1) for line in iter(stream.readline, b"\n"))
        headers["body"] = stream.read(int(headers.get("Content-Length", 0))).decode()
        return headers

    def ask(command: str, shown: str = "") -> None:
        stream.write(f"{command}\n\n".encode())
        stream.flush()
        said = read()
        answer = "+OK" if said["Content-Type"] == "api/response" else said.get("Reply-Text", "")
        print(shown or command, answer, flush=True)

    read()
    ask(f"userauth {USER}@{DOMAIN}:{password}", "userauth")
    for command in (
        "api show channels",
        "api fsctl shutdown",
        "api system id",
        "api xml_locate directory",
        "bgapi originate user/1001 &park",
        "event json ALL",
        "log 7",
    ):
        ask(command)
    print("register", Telephone(USER, "").register(DOMAIN))


if __name__ == "__main__":
    main()
