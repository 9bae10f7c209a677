"""A telephone: registers with a FreeSWITCH, answers, and hums. Run as a program: USER PASSWORD [PORT]."""

from __future__ import annotations

import hashlib
import re
import socket
import sys
import threading
import time

HERE = "192.0.2.10"
SWITCH = (HERE, 5060)


def digest(*parts: str) -> str:
    return hashlib.md5(":".join(parts).encode()).hexdigest()


class Telephone:
    """One line of a desk telephone."""

    def __init__(self, user: str, password: str, switch: tuple[str, int] = SWITCH) -> None:
        self._user, self._password, self._switch = user, password, switch
        self._sip = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sip.bind(("192.0.2.10", 0))
        self._rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._rtp.bind(("192.0.2.10", 0))
        self.port = self._sip.getsockname()[1]

    def register(self, domain: str = "192.0.2.10", seconds: float = 5.0) -> int:
        """Sign in; the switch's last answer, such as 200 or 403."""
        self._sip.settimeout(seconds)
        self._sip.sendto(self._registration(domain, 1), self._switch)
        answer = self._sip.recv(65536).decode()
        if " 401 " in answer.splitlines()[0]:
            said = dict(re.findall(r'(\w+)="?([^",\r]+)"?', re.search(r"WWW-Authenticate:.*", answer)[0]))  # type: ignore[index]
            ha1 = digest(self._user, said["realm"], self._password)
            response = digest(ha1, said["nonce"], "00000001", "abc", "auth", digest("REGISTER", f"sip:{domain}"))
            header = (
                f'Authorization: Digest username="{self._user}", realm="{said["realm"]}", nonce="{said["nonce"]}", '
                f'uri="sip:{domain}", response="{response}", algorithm=MD5, qop=auth, nc=00000001, cnonce="abc"\r\n'
            )
            self._sip.sendto(self._registration(domain, 2, header), self._switch)
            answer = self._sip.recv(65536).decode()
        self._sip.settimeout(None)
        return int(answer.split(" ")[1])

    def _registration(self, domain: str, number: int, more: str = "") -> bytes:
        here = f"192.0.2.10:{self.port}"
        return (
            f"REGISTER sip:{domain} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK{number}{self.port};rport\r\n"
            f"From: <sip:{self._user}@{domain}>;tag=t\r\nTo: <sip:{self._user}@{domain}>\r\n"
            f"Call-ID: {self.port}@telephone\r\nCSeq: {number} REGISTER\r\nMax-Forwards: 70\r\n"
            f"Contact: <sip:{self._user}@{here}>\r\nExpires: 3600\r\n{more}Content-Length: 0\r\n\r\n"
        ).encode()

    def answer(self) -> None:
        """Answer every call, for ever."""
        while True:
            data, peer = self._sip.recvfrom(65536)
            text = data.decode()
            method = text.split(" ")[0]
            if method in ("ACK", "SIP/2.0"):
                continue
            headers = "\r\n".join(re.findall(r"^(?:Via|From|Call-ID|CSeq|Record-Route):.*?(?=\r)", text, re.MULTILINE))
            to = re.search(r"^To:.*?(?=\r)", text, re.MULTILINE)
            assert to
            tag = "" if ";tag=" in to[0] else ";tag=telephone"
            body = self._offer(text) if method == "INVITE" else ""
            self._sip.sendto(
                f"SIP/2.0 200 OK\r\n{headers}\r\n{to[0]}{tag}\r\nContact: <sip:{self._user}@192.0.2.10:{self.port}>\r\n"
                f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode(),
                peer,
            )

    def _offer(self, invite: str) -> str:
        host = re.search(r"^c=IN IP4 (\S+)", invite, re.MULTILINE)
        port = re.search(r"^m=audio (\d+)", invite, re.MULTILINE)
        assert host
        assert port
        threading.Thread(target=self._hum, args=((host[1], int(port[1])),), daemon=True).start()
        return (
            "v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n"
            f"m=audio {self._rtp.getsockname()[1]} RTP/AVP 8\r\n"
        )

    def _hum(self, to: tuple[str, int], seconds: float = 60.0) -> None:
        for number in range(int(seconds * 50)):
            header = bytes([0x80, 8]) + number.to_bytes(2, "big") + (number * 160).to_bytes(4, "big") + b"hums"
            self._rtp.sendto(header + bytes([0x55 ^ 0x30, 0xD5 ^ 0x30] * 80), to)
            time.sleep(0.02)


if __name__ == "__main__":
    telephone = Telephone(sys.argv[1], sys.argv[2])
    print(telephone.register(), flush=True)
    telephone.answer()
