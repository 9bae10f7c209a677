"""A small SIP answering machine that listens for telephone events: enough to see what sipp really sends."""

from __future__ import annotations

import re
import socket
import threading

KEYS = "0123456789*#ABCD"


class AnsweringMachine:
    """Answers every INVITE on 127.0.0.1 and collects the keys pressed, by end of event (RFC 4733)."""

    def __init__(self) -> None:
        self.sip = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sip.bind(("127.0.0.1", 0))
        self.rtp.bind(("127.0.0.1", 0))
        self.port = self.sip.getsockname()[1]
        self.methods: list[str] = []
        self.invite = ""
        self._events: dict[int, str] = {}
        for what in (self._serve_sip, self._serve_rtp):
            threading.Thread(target=what, daemon=True).start()

    @property
    def keys(self) -> str:
        return "".join(self._events.values())

    def _serve_sip(self) -> None:
        while True:
            data, peer = self.sip.recvfrom(65536)
            text = data.decode()
            self.methods.append(text.split(" ")[0])
            if self.methods[-1] == "ACK":
                continue
            self.invite = self.invite or text
            headers = "\r\n".join(re.findall(r"^(?:Via|From|Call-ID|CSeq):.*?(?=\r)", text, re.MULTILINE))
            to = re.search(r"^To:.*?(?=\r)", text, re.MULTILINE)
            assert to
            sdp = (
                "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
                f"m=audio {self.rtp.getsockname()[1]} RTP/AVP 8 96\r\na=rtpmap:96 telephone-event/8000\r\n"
            )
            body = sdp if self.methods[-1] == "INVITE" else ""
            tag = "" if ";tag=" in to[0] else ";tag=machine"
            self.sip.sendto(
                f"SIP/2.0 200 OK\r\n{headers}\r\n{to[0]}{tag}\r\nContact: <sip:machine@127.0.0.1:{self.port}>\r\n"
                f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode(),
                peer,
            )

    def _serve_rtp(self) -> None:
        while True:
            packet = self.rtp.recv(2048)
            if len(packet) >= 16 and packet[1] & 0x7F == 96 and packet[13] & 0x80:
                self._events[int.from_bytes(packet[4:8], "big")] = KEYS[packet[12]]
