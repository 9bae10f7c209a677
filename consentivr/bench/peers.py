"""The same consent line on other libraries, written as their documentation suggests; without a ledger.

Run by ``bench.calls`` as ``python -m consentivr.bench.peers greenswitch|genesis PORT``.
"""

from __future__ import annotations

import resource
import sys
from typing import Any

PROMPT, ANNOUNCEMENT = "/sounds/question.wav", "/sounds/accepted.wav"
QUEUE = "support@default"


def greenswitch(port: int) -> None:
    """One OutboundESLServer, its sessions blocking on each application."""
    import gevent.event
    from greenswitch import OutboundESLServer

    class ConsentLine:
        def __init__(self, session: Any) -> None:
            self.session = session

        def run(self) -> None:
            session = self.session
            session.connect()
            session.myevents()
            session.linger()
            over = gevent.event.Event()
            session.register_handle("CHANNEL_HANGUP_COMPLETE", lambda event: over.set())
            session.answer()
            session.playback(PROMPT)
            key = session.play_and_get_digits(
                "1", "1", "1", "5000", "#", PROMPT, "silence_stream://10", "key", "[19]", "5000", ""
            )
            if key == "1":
                session.playback(ANNOUNCEMENT)
                session.call_command("record_session", f"/recordings/{session.uuid}.wav", block=True)
            session.call_command("callcenter", QUEUE, block=True)
            over.wait()

    OutboundESLServer("127.0.0.1", port, ConsentLine, max_connections=20_000).listen()


def genesis(port: int) -> None:
    """One Outbound server on asyncio."""
    import asyncio

    from genesis import Outbound

    async def consent_line(session: Any) -> None:
        over = asyncio.Event()

        async def ended(event: Any) -> None:
            over.set()

        session.on("CHANNEL_HANGUP_COMPLETE", ended)
        await session.sendmsg("execute", "answer", block=True)
        await session.sendmsg("execute", "playback", PROMPT, block=True)
        asked = f"1 1 1 5000 # {PROMPT} silence_stream://10 key [19] 5000"
        answer = await session.sendmsg("execute", "play_and_get_digits", asked, block=True)
        if answer.get("variable_key") == "1":
            await session.sendmsg("execute", "playback", ANNOUNCEMENT, block=True)
            await session.sendmsg("execute", "record_session", f"/recordings/{session.uuid}.wav", block=True)
        await session.sendmsg("execute", "callcenter", QUEUE, block=True)
        await over.wait()

    asyncio.run(Outbound(consent_line, "127.0.0.1", port).start())


if __name__ == "__main__":
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    {"greenswitch": greenswitch, "genesis": genesis}[sys.argv[1]](int(sys.argv[2]))
