"""How quick the console's pages are on a full ledger: alone, and for many people while callers are asked.

People click at random among the links of the page that they have open, and think before they do. Their browsers are
threads of this process; ``serve``, its callers and the console are processes of their own, on the same ledger.
"""

from __future__ import annotations

import http.client
import random
import re
import ssl
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from consentivr.bench.calls import FRAME_MS, PROBED_RATE, QUESTION_S, STEP_S, TALK_S
from consentivr.bench.figures import Figure, quantile
from consentivr.bench.server import OURS, Server
from consentivr.core.roles import Account, Role
from consentivr.lab.console import NAME, PASSWORD, Console
from consentivr.lab.history import DESKS, History, filled
from consentivr.ledger import make_key

PAGE_BUDGET_MS = 300.0
"""p99 of a page while callers are asked."""

ALONE_BUDGET_MS = 100.0
"""Median of a page when nothing else is asked for."""

ALONE = 20
"""So often each screen is asked for alone."""

MOST_SCREENS = 60

_ROLES = (Role.SUPERVISOR, Role.AGENT, Role.SUPERVISOR, Role.OFFICER, Role.AGENT, Role.COUNCIL, Role.ADMIN)
_LINK = re.compile(r'<a [^>]*?href="(/[^"]*)"')
_NAMES = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|(?<=/)\d+(?=/|$)")
_FILES = (".json", ".csv", ".zip", ".wav")


@dataclass(frozen=True)
class Wanted:
    """What to measure: ``people`` think ``think_s`` (from, to) before each click; ``rate`` calls a second meanwhile."""

    calls: int
    people: int
    think_s: tuple[float, float]
    rate: int
    seconds: float
    rounds: int


def run(wanted: Wanted, tell: Callable[[str], None]) -> list[Figure]:
    """Measure. Raises RuntimeError when a process does not start, or a page fails."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tell(f"a ledger of {wanted.calls:,} calls ...")
        history = History(wanted.calls, folder=folder / "recordings")
        rows = filled(folder / "ledger.sqlite3", history, tell, signer=make_key(folder / "ledger.key"))
        with Console(folder, [person.account for person in _people(max(wanted.people, len(_ROLES)))]) as console:
            figures = _alone(console, f"{rows:,} rows", tell)
            figures += _together(console, wanted, f"{rows:,} rows", tell)
    return figures


def _people(number: int) -> list[Person]:
    """Of each role, supervisors and agents most often."""
    everybody = []
    for place in range(number):
        role, desk = _ROLES[place % len(_ROLES)], DESKS[place % 3]
        queues = frozenset({desk.queue} if role is Role.SUPERVISOR else ())
        agent = desk.agents[place % len(desk.agents)] if role is Role.AGENT else None
        everybody.append(Person(Account(f"{role.value}-{place}", frozenset({role}), queues, agent)))
    return everybody


# --- one screen after the other, alone -------------------------------------------------------


def _alone(console: Console, condition: str, tell: Callable[[str], None]) -> list[Figure]:
    """The median of each kind of page, whoever may see it; of several roles the slowest."""
    medians: dict[str, float] = {}
    for person in _people(len(_ROLES)):
        tell(f"each screen alone: {person.account.name}")
        with person.before(console):
            for address in person.screens():
                taken = sorted(person.open(address) for _ in range(ALONE))
                screen = kind_of(address)
                medians[screen] = max(medians.get(screen, 0.0), quantile(taken, 0.5) * 1000)
    return [
        Figure(f"{screen}, p50", f"alone, {condition}", value, "ms", at_most=ALONE_BUDGET_MS)
        for screen, value in sorted(medians.items())
    ]


# --- many people, while callers are asked ----------------------------------------------------


def _together(console: Console, wanted: Wanted, condition: str, tell: Callable[[str], None]) -> list[Figure]:
    """People and callers at once, and callers alone beside it: the median of the rounds, and their spread."""
    under = f"{wanted.people} people, {wanted.rate} calls/s, {condition}"
    pages: dict[str, list[float]] = defaultdict(list)
    p50s, p99s, clicks = [], [], []
    yes: dict[str, list[float]] = {"": [], under: []}
    server = Server(OURS, console.folder, switches=1 + (wanted.rate > PROBED_RATE))
    try:
        for number in range(wanted.rounds):
            for beside in yes:
                tell(f"{beside or 'callers alone'}, round {number + 1} of {wanted.rounds}")
                with _clicking(console, wanted if beside else None) as everybody:
                    yes[beside].append(_yes_p99_ms(server, wanted))
                if not beside:
                    continue
                taken = sorted(seconds for person in everybody for _, seconds in person.opened)
                p50s.append(quantile(taken, 0.5) * 1000)
                p99s.append(quantile(taken, 0.99) * 1000)
                clicks.append(len(taken) / wanted.seconds)
                for person in everybody:
                    for address, seconds in person.opened:
                        pages[kind_of(address)].append(seconds)
    finally:
        server.end()
    figures = [
        *_of_rounds("a page, p50", under, p50s),
        *_of_rounds("a page, p99", under, p99s, PAGE_BUDGET_MS),
        Figure("  pages a second", under, quantile(sorted(clicks), 0.5), "pages"),
        *_of_rounds("yes to the next command, p99", f"{wanted.rate} calls/s, {condition}", yes[""], FRAME_MS),
        *_of_rounds("yes to the next command, p99", under, yes[under], FRAME_MS),
    ]
    for screen, waits in sorted(pages.items()):
        p99 = quantile(sorted(waits), 0.99) * 1000
        figures.append(Figure(f"{screen}, p99", f"{under}, n = {len(waits)}", p99, "ms"))
    return figures


def _of_rounds(what: str, condition: str, values: Sequence[float], budget: float | None = None) -> Iterator[Figure]:
    ordered = sorted(values)
    yield Figure(what, condition, quantile(ordered, 0.5), "ms", at_most=budget)
    yield Figure("  spread over the rounds", condition, ordered[-1] - ordered[0], "ms")


def _yes_p99_ms(server: Server, wanted: Wanted) -> float:
    """From an answer's event to the next command, its row durable in between."""
    plan = {"what": "flows", "key": "1", "step_s": STEP_S, "talk_s": TALK_S, "question_s": QUESTION_S}
    rates = [min(wanted.rate, PROBED_RATE), max(0, wanted.rate - PROBED_RATE)]
    probe, *rest = server.loads([{**plan, "rate": rate, "seconds": wanted.seconds} for rate in rates if rate])
    failed = sum(said["failed"] for said in (probe, *rest))
    if failed:
        raise RuntimeError(f"{failed} calls failed")
    return quantile(probe["reactions_s"], 0.99) * 1000


@contextmanager
def _clicking(console: Console, wanted: Wanted | None) -> Iterator[list[Person]]:
    """Everybody is signed in when it begins, and clicks until it ends. Raises RuntimeError when a page failed."""
    everybody = _people(wanted.people) if wanted else []
    over = threading.Event()
    threads = []
    for place, person in enumerate(everybody):
        assert wanted is not None
        person.sign_in(console)
        args = (over, random.Random(place), wanted.think_s)
        threads.append(threading.Thread(target=person.click, args=args, daemon=True))
    for thread in threads:
        thread.start()
    try:
        yield everybody
    finally:
        over.set()
        for thread in threads:
            thread.join(timeout=30)
    failed = [person.failed for person in everybody if person.failed]
    if failed:
        raise RuntimeError(f"{len(failed)} of {len(everybody)} people saw a page fail, the first: {failed[0]}")


@dataclass
class Person:
    """Somebody with a browser: one connection that stays, and a cookie."""

    account: Account
    opened: list[tuple[str, float]] = field(default_factory=list)
    """Each page, and how long it took from the request to its last byte, in seconds."""
    failed: str = ""
    links: list[str] = field(default_factory=list)
    """Of the page that is open."""
    _cookie: str = ""

    def sign_in(self, console: Console) -> None:
        """Raises RuntimeError."""
        trusting = ssl.create_default_context(cafile=str(console.certificate))
        self._connection = http.client.HTTPSConnection(NAME, console.port, timeout=30, context=trusting)
        form = urlencode({"account": self.account.name, "password": PASSWORD})
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": console.address}
        self._connection.request("POST", "/sign-in", form, headers)
        answer = self._connection.getresponse()
        answer.read()
        if answer.status != 303:
            raise RuntimeError(f"{self.account.name} cannot sign in: {answer.status}")
        self._cookie = (answer.getheader("Set-Cookie") or "").partition(";")[0]

    @contextmanager
    def before(self, console: Console) -> Iterator[None]:
        """Signed in for a while."""
        self.sign_in(console)
        try:
            yield
        finally:
            self._connection.close()

    def open(self, address: str) -> float:
        """Seconds from the request to the last byte, of the page that one is led to. Raises RuntimeError."""
        began = time.perf_counter()
        for _ in range(3):
            answer = self._asked(address)
            text = answer.read().decode()
            if answer.status not in (302, 303):
                break
            address = answer.getheader("Location") or "/"
        taken = time.perf_counter() - began
        if answer.status != 200:
            raise RuntimeError(f"{self.account.name}, {address}: {answer.status}")
        links = (link.replace("&amp;", "&") for link in _LINK.findall(text))
        self.links = [link for link in dict.fromkeys(links) if not urlsplit(link).path.endswith(_FILES)]
        return taken

    def _asked(self, address: str) -> http.client.HTTPResponse:
        """On another connection where the console has closed this one meanwhile, as browsers do."""
        headers = {"Cookie": self._cookie}
        try:
            self._connection.request("GET", address, headers=headers)
            return self._connection.getresponse()
        except (http.client.RemoteDisconnected, ConnectionError):
            self._connection.close()
            self._connection.request("GET", address, headers=headers)
            return self._connection.getresponse()

    def screens(self) -> Iterator[str]:
        """An address of each kind that links lead to."""
        seen: set[str] = set()
        waiting = ["/"]
        while waiting and len(seen) < MOST_SCREENS:
            address = waiting.pop(0)
            if kind_of(address) not in seen:
                seen.add(kind_of(address))
                self.open(address)
                waiting += self.links
                yield address

    def click(self, over: threading.Event, chance: random.Random, think_s: tuple[float, float]) -> None:
        """From link to link until it is over."""
        try:
            over.wait(chance.uniform(0, think_s[1]))
            address = "/"
            while not over.is_set():
                self.opened.append((address, self.open(address)))
                over.wait(chance.uniform(*think_s))
                address = chance.choice(self.links or ["/"])
        except (OSError, http.client.HTTPException, RuntimeError) as error:
            self.failed = f"{type(error).__name__}: {error}"
        finally:
            self._connection.close()


def kind_of(address: str) -> str:
    """The same for pages that are made alike."""
    return _NAMES.sub("...", urlsplit(address).path)
