"""greenswitch's InboundESL, guarded: a connection that we dial, and that hears of every channel of the switch.

Each method that overrides greenswitch names the row of FREESWITCH.md, section 6, that it answers.
"""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field

import gevent.socket
from greenswitch import esl as greenswitch

from consentivr.esl.codec import Decoder, Message, encode
from consentivr.esl.connection import Answer, GuardedConnection, literal
from consentivr.esl.errors import RemoteProtocolError, SessionClosed

MAX_BODY_BYTES = 64 * 1024 * 1024
"""Largest body: the list of all channels has about 1 kB for each."""

JOB_SECONDS = 3.0
"""A background job that has not answered for so long has failed."""

NO_ANSWER = "-ERR no answer in time"

_JOBS = itertools.count(1)
_JOB_ENDS = b'{"Event-Name":"BACKGROUND_JOB"'


@dataclass(frozen=True)
class Login:
    """How we sign in to an event socket: as a ``user`` of the switch's directory (user@domain), who has rights of its
    own (FREESWITCH.md, section 13), or, without one, with the password that may do everything."""

    password: str = field(repr=False)
    user: str | None = None

    @property
    def words(self) -> str:
        """The command."""
        return f"auth {self.password}" if self.user is None else f"userauth {self.user}:{self.password}"

    @property
    def kept_in(self) -> str:
        """Where the switch has the password."""
        return "event_socket.conf" if self.user is None else f"directory, user {self.user}"


class InboundConnection(GuardedConnection, greenswitch.InboundESL):  # type: ignore[misc]
    """A connection to mod_event_socket. Not to be shared between greenlets.

    The constructor does not connect. Raises as ``GuardedConnection`` does.
    """

    def __init__(self, address: tuple[str, int], login: Login) -> None:
        """Rows H, I, N: no background greenlet that could die and leave a waiter behind."""
        self._address = address
        self._login = login
        self.sock = None
        self._jobs: dict[str, tuple[float, Answer]] = {}
        """Background jobs under way, the oldest first: when each is given up, and who gets its answer."""
        self._first_due = float("inf")
        """Not later than the first of them is."""

    def connect(self, *subscriptions: str, timeout: float = 5.0) -> None:
        """Connect, authenticate, ``subscribe``; ``timeout`` in seconds for all of it.

        Row J: every step has the deadline, and a refusal is an error that says what to do.
        """
        deadline = time.monotonic() + timeout
        try:
            sock = gevent.socket.create_connection(self._address, timeout=timeout)
        except OSError as error:
            raise SessionClosed(f"cannot connect: {error.strerror or error}") from None
        GuardedConnection.__init__(self, sock, Decoder(MAX_BODY_BYTES))
        try:
            self._authenticate(deadline)
            self.subscribe(*subscriptions, timeout=deadline - time.monotonic())
        except BaseException:
            self.stop()
            raise

    def subscribe(self, *subscriptions: str, timeout: float = 5.0) -> None:
        """Hear of what these commands ask for; ``timeout`` in seconds for all of them."""
        deadline = time.monotonic() + timeout
        for command in subscriptions:
            if not self.send(command, deadline - time.monotonic()).is_accepted:
                raise RemoteProtocolError(f"the switch refused '{command}'")

    def stop(self) -> None:
        """Close at once, if there is something to close. Row P: nothing here can wait."""
        if self.sock is not None:
            super().stop()

    def bgapi(self, command: str, then: Answer, seconds: float = JOB_SECONDS) -> None:
        """Queue an API command that runs in a thread of its own on the switch: a hung one holds up no other.

        ``then`` gets its answer, or NO_ANSWER after ``seconds``. Needs the event BACKGROUND_JOB.
        """
        job = f"consentivr-{next(_JOBS)}"
        self._queue(encode(f"bgapi {literal(command)}", {"Job-UUID": job}), "bgapi")
        due = time.monotonic() + seconds
        self._jobs[job] = due, then
        self._first_due = min(self._first_due, due)

    @property
    def job_due(self) -> float | None:
        """When the next job is given up (time.monotonic), or None."""
        return min((due for due, _ in self._jobs.values()), default=None)

    def give_up_jobs(self) -> None:
        """Answer for the jobs whose time is over."""
        now = time.monotonic()
        if now < self._first_due:
            return
        late = [job for job, (due, _) in self._jobs.items() if due <= now]
        gone = [self._jobs.pop(job)[1] for job in late]
        self._first_due = self.job_due or float("inf")
        for then in gone:
            then(NO_ANSWER)

    def _sort(self, message: Message) -> None:
        """The end of a background job goes to who waits for it; everything else as ever."""
        if message.content_type == "text/event-json" and message.body.startswith(_JOB_ENDS):
            event = message.event()
            _, then = self._jobs.pop(event.get("Job-UUID", ""), (0.0, None))
            if then is not None:
                then(event.get("_body", ""))
            return
        super()._sort(message)

    def _authenticate(self, deadline: float) -> None:
        greeting = self._read_message(deadline)
        if greeting is None or greeting.content_type == "text/rude-rejection":
            raise RemoteProtocolError("the switch lets nobody in from this address: see its event_socket.conf, acl")
        if greeting.content_type != "auth/request":
            raise RemoteProtocolError("the peer is not an inbound socket of FreeSWITCH")
        # The password is not part of what an error may quote: the expected reply is named without it.
        if not self._reply_to(encode(self._login.words), deadline).is_accepted:
            raise RemoteProtocolError(f"the switch refused the password: see its {self._login.kept_in}")

    def authenticate(self) -> None:
        """Row J: a part of ``connect``, with its deadline."""
        raise NotImplementedError("connect() authenticates")
