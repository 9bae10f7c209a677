"""Flask on gevent's server. Every answer is JSON, but for /metrics; requests but /health and /ready need a token."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import gevent
import structlog
from flask import Flask, Response, abort, g, jsonify, request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from werkzeug.exceptions import HTTPException

from consentivr import metrics
from consentivr.core.policy import AgentWish
from consentivr.web.connections import BoundedServer
from consentivr.web.tokens import Tokens

log = structlog.get_logger(__name__)

MAX_BODY_BYTES = 4096

WITHOUT_TOKEN = ("/health", "/ready")
"""Told to everybody: what is wrong by its name only, not why."""

UNHARMED = frozenset({"configuration", "some_switches"})
"""May be wrong while callers are asked and recorded as before."""

_BY = re.compile(r"[\w.@+:-]{1,80}")
"""Who somebody else asks for."""

WRONG_TOKEN_SECONDS = 1.0
"""So long whoever shows a wrong token waits for the answer."""


@dataclass
class QueueNow:
    """Calls of one queue: being asked, waiting for an agent, talking; of these, recorded and paused. The longest that
    somebody waits for an agent who was not asked just now, in seconds since the call's arrival.
    """

    asked: int = 0
    waiting: int = 0
    talking: int = 0
    recorded: int = 0
    paused: int = 0
    longest_wait_s: float = 0.0


@dataclass(frozen=True)
class Talk:
    """The talk that an agent is in; ``since``: Unix time of the call's arrival, seconds."""

    queue: str
    since: float
    recorded: bool
    paused: bool
    held: bool


@dataclass(frozen=True)
class Status:
    """How the service is: calls that are being asked, conversations that are followed, rows that are not durable yet,
    whether every switch is watched now, here or by another process; since the start: how many incidents there were, how
    many of them ``watch.command`` was not told of, how many connections of who is no switch of ours. ``not_good``: what
    is not as it should be, and why: ``process`` (a part of ours ended), ``ledger``, ``switches``, ``sounds``, ``disk``,
    ``configuration``, ``stopping``. ``queues``: the calls by queue. ``looked``: so many seconds ago each switch that
    this process watches was looked at (``consentivr.check``); None: not yet."""

    calls: int
    conversations: int
    ledger_rows_pending: int
    watching: bool
    incidents: int
    untold: int
    refused: int
    not_good: Mapping[str, str]
    queues: Mapping[str, QueueNow] = field(default_factory=dict)
    looked: Mapping[str, float | None] = field(default_factory=dict)


class Desk(Protocol):
    """What the desktops may ask of; the answers are those of ``Watch.ask``."""

    def ask_of_call(self, channel_uuid: str, wish: AgentWish, by: str, *, agent: str | None) -> str: ...
    def ask_of_agent(self, agent: str, wish: AgentWish, by: str) -> str: ...
    def talk_of(self, agent: str) -> Talk | None: ...
    def status(self) -> Status: ...

    def look_at_switches(self) -> list[dict[str, Any]]:
        """Look now, and tell what is found."""

    def measure(self) -> None:
        """Bring the gauges of ``metrics`` up to date."""


class WebServer:
    """Serves on an address; port 0 takes a free one."""

    def __init__(self, address: tuple[str, int], desk: Desk, tokens: Tokens) -> None:
        self._server = BoundedServer(address, application(desk, tokens, lambda: self._server.known()))

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens, once started."""
        return self._server.server_host, self._server.server_port

    def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        self._server.start()

    def stop(self) -> None:
        """Close."""
        self._server.stop(timeout=1)


def application(desk: Desk, tokens: Tokens, known: Callable[[], None]) -> Flask:
    """The WSGI application; ``known`` is called when a request has shown a token that is good."""
    app = Flask("consentivr")
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES

    @app.before_request
    def who_asks() -> None:
        if request.path in WITHOUT_TOKEN:
            return
        try:
            asker = tokens.asker(request.headers.get("Authorization", "").removeprefix("Bearer "))
        except OSError as error:
            log.error("nobody's token can be looked at: see http.tokens_file", why=str(error))
            abort(503, "tokens cannot be looked at now")
        if asker is None:
            metrics.HTTP_REFUSED.inc()
            log.warning("wrong token", peer=request.remote_addr, path=request.path)
            gevent.sleep(WRONG_TOKEN_SECONDS)
            abort(401, "the header 'Authorization: Bearer TOKEN' is missing or wrong")
        known()
        g.asker = asker

    @app.after_request
    def once(response: Response) -> Response:
        """A connection that waits for another request would hold a place."""
        response.headers["Connection"] = "close"
        return response

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> tuple[Response, int]:
        return jsonify(error=error.description), error.code or 500

    @app.get("/health")
    def health() -> tuple[Response, int]:
        """Whether the process itself is well; else start it anew."""
        good = "process" not in desk.status().not_good
        return jsonify(good=good), 200 if good else 503

    @app.get("/ready")
    def ready() -> tuple[Response, int]:
        """Whether a caller who is put through now is asked, and recorded after a yes. 404 where no more are taken, and
        those under way are asked to the end: what HAProxy knows by ``disable-on-404``."""
        wrong = desk.status().not_good.keys()
        good = wrong <= UNHARMED
        return jsonify(ready=good, not_good=sorted(wrong)), 200 if good else 404 if "stopping" in wrong else 503

    @app.get("/v1/status")
    def status() -> Response:
        return jsonify(asdict(desk.status()))

    @app.post("/v1/check")
    def check() -> Response:
        """For who has the shared token: what is found names users and files of the switch."""
        if g.asker.agent is not None:
            abort(403, "this takes the token that everybody shares")
        return jsonify(findings=desk.look_at_switches())

    @app.get("/metrics")
    def measured() -> Response:
        desk.measure()
        return Response(generate_latest(), content_type=CONTENT_TYPE_LATEST)

    @app.post("/v1/calls/<channel_uuid>/recording")
    def call(channel_uuid: str) -> tuple[Response, int]:
        """With an agent's own token: of a talk that this agent is in."""
        return answer(desk.ask_of_call(channel_uuid, wish(), by(), agent=g.asker.agent))

    @app.post("/v1/agents/<agent>/recording")
    def agent(agent: str) -> tuple[Response, int]:
        if g.asker.agent not in (None, agent):
            abort(403, "this token is of another agent")
        return answer(desk.ask_of_agent(agent, wish(), by()))

    @app.get("/v1/agents/<agent>/recording")
    def talk(agent: str) -> Response:
        if g.asker.agent not in (None, agent):
            abort(403, "this token is of another agent")
        found = desk.talk_of(agent)
        if found is None:
            abort(404, "no such conversation is followed here")
        return jsonify(asdict(found))

    def by() -> str:
        """As the rows say it; whoever has the shared token may say for whom."""
        data: Any = request.get_json(silent=True)
        named = data.get("by") if isinstance(data, dict) and g.asker.agent is None else None
        return f"{g.asker.by}:{named}" if isinstance(named, str) and _BY.fullmatch(named) else str(g.asker.by)

    def wish() -> AgentWish:
        data: Any = request.get_json(silent=True)
        try:
            return AgentWish(data["wish"])
        except (TypeError, KeyError, ValueError):
            known = ", ".join(wish.value for wish in AgentWish)
            abort(400, f"wanted is a JSON object with 'wish', one of: {known}")

    def answer(said: str) -> tuple[Response, int]:
        """200 only for what the switch was seen to do."""
        if said == "unknown":
            abort(404, "no such conversation is followed here")
        if said == "refused":
            abort(409, "that means nothing now, or the queue's mode does not allow it")
        if said == "unconfirmed":
            abort(504, "the switch has not confirmed it: do not rely on it; it is tried on, and an alarm was raised")
        return jsonify(done=True), 200

    return app
