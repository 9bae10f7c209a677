"""The console, built from the configuration."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import structlog

from consentivr.config import Configuration
from consentivr.config.console import Oidc
from consentivr.console import Books, Chain, Folding, Server, Settings, Wording, application
from consentivr.console.desk import Desk
from consentivr.console.settings import PlannedTrial
from consentivr.console.trust import Group, Provider, Proxy
from consentivr.core.enrolling import AgentAnnouncement
from consentivr.disclosure import Controller
from consentivr.files import kept_secret, read_secret
from consentivr.ledger import Ledger, LedgerError
from consentivr.ledger.searching import Searching
from consentivr.service.build import (
    CannotServe,
    controller,
    head_file,
    kept_because,
    open_ledger,
    places,
    planned,
    signer,
    tokens,
)
from consentivr.service.installation import installation
from consentivr.service.wishing import wish

log = structlog.get_logger(__name__)

PATIENCE_S = 5.0
"""A lock is waited for so long; 'serve' holds none for longer than a commit takes."""


def settings(configuration: Configuration, file: Path | None = None) -> Settings:
    """What the console is told of the configuration, which was read from ``file``. Raises CannotServe."""
    console, (who, lacking) = configuration.console, _controller(configuration)
    return Settings(
        hosts=console.hosts,
        accounts_file=console.accounts_file,
        places=places(configuration),
        country=configuration.numbers.country,
        session_minutes=console.session_minutes,
        purposes=console.purposes,
        time_zone=str(configuration.privacy.time_zone),
        queues=[queue.name for queue in configuration.queues.values()],
        lines=list(configuration.lines),
        kept_because=kept_because(configuration),
        stop=lambda channel: wish(configuration, channel, "withdraw"),
        desk=_desk(configuration),
        chain=Chain(configuration.ledger.location, head_file(configuration), _public_key(configuration)),
        wording=_wording(configuration),
        must_agree=configuration.agents.must_agree,
        installation=installation(configuration, file),
        trials=partial(trials, configuration),
        terms={queue.name: queue.retention.terms() for queue in configuration.queues.values()},
        groups={name: Group(frozenset(group.roles), frozenset(group.queues)) for name, group in console.groups.items()},
        provider=None if console.oidc is None else _provider(console.oidc),
        proxy=Proxy(console.proxy.peers, console.proxy.user, console.proxy.groups, console.proxy.agent),
        controller=who,
        lacking=lacking,
    )


def _desk(configuration: Configuration) -> Desk | None:
    http = configuration.http
    if http.listen is None:
        return None

    told: set[str] = set()

    def token() -> str | None:
        try:
            return None if http.token_file is None else read_secret(http.token_file)
        except OSError as error:
            if str(error) not in told:  # it is asked for again and again
                told.add(str(error))
                log.warning("the token for serve cannot be read: see http.token_file", why=str(error))
            return None

    return Desk(http.listen, token)


def _wording(configuration: Configuration) -> Wording | None:
    """What agents agree to. Raises CannotServe."""
    agents = configuration.agents
    if agents.document_file is not None:
        try:
            text = agents.document_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise CannotServe(f"{agents.document_file} cannot be read: {error}; see agents.document_file") from None
        return Wording(text, configuration.language, is_spoken=False) if text else None
    if agents.line is None:
        return None
    text = agents.line.announcements[AgentAnnouncement.WORDING]
    return Wording(text, agents.line.language or configuration.language, is_spoken=True)


def _public_key(configuration: Configuration) -> bytes | None:
    key = signer(configuration)
    return None if key is None else key.public_pem.encode("ascii")


def trials(configuration: Configuration) -> tuple[list[PlannedTrial], list[str]]:
    """What there is to approve, and the lines of whose trial a sound is missing."""
    found, silent = planned(configuration)
    made = []
    for plan, sounds in found:
        made.append(PlannedTrial(plan, configuration.trial_kept_days(plan.line), sounds))
    return made, silent


def _provider(oidc: Oidc) -> Provider:
    try:
        secret = read_secret(oidc.client_secret_file)
    except OSError as error:
        raise CannotServe(f"{error}; see console.oidc.client_secret_file") from None
    return Provider(oidc.issuer, oidc.client_id, secret, oidc.scopes, oidc.name, oidc.groups, oidc.agent)


def _controller(configuration: Configuration) -> tuple[Controller | None, str]:
    """Who writes letters, and what is lacking when nobody can."""
    try:
        return controller(configuration), ""
    except LedgerError as error:
        return None, str(error)


def books(configuration: Configuration) -> Books:
    """The ledger for the console; nothing is opened yet."""

    def read() -> Searching:
        book = Searching(configuration.ledger.location, create=False, patience_s=PATIENCE_S, read_only=True)
        book.country = configuration.numbers.country
        return book

    def write() -> Ledger:
        return open_ledger(configuration, signs=True)

    return Books(read, write)


def server(configuration: Configuration, file: Path | None = None) -> tuple[Server, Books]:
    """What serves the pages, not started yet, of a configuration read from ``file``. Raises CannotServe."""
    console = configuration.console
    listen = console.socket or console.listen
    if listen is None:
        raise CannotServe("nothing says where the pages are: set console.listen or console.socket, and console.address")
    shelf = books(configuration)
    pair = (console.certificate, console.certificate_key)
    certificate = (pair[0], pair[1]) if pair[0] is not None and pair[1] is not None else None
    try:
        secret = kept_secret(console.secret_file)
    except OSError as error:
        raise CannotServe(f"{error}; it stands beside console.accounts_file") from None
    told, asked = settings(configuration, file), tokens(configuration)
    folding = Folding(shelf, told.time_zone)

    def may_scrape(token: str) -> bool:
        return asked.asker(token) is not None

    app = application(told, shelf, folding, secret=secret, may_scrape=may_scrape)
    return Server(app, listen, certificate, folding, console.socket_group), shelf
