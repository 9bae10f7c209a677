"""Who may see and do what at the console: a role is a job, a right is one thing that is seen or done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum


class Role(str, Enum):
    """What somebody does here. ``ADMIN`` goes with no other role: whoever can change how things are recorded hears
    nothing, and does not answer for it.
    """

    AGENT = "agent"
    SUPERVISOR = "supervisor"
    OFFICER = "officer"
    """The data protection officer (GDPR art. 37 to 39)."""
    COUNCIL = "council"
    """The works council."""
    ADMIN = "admin"


class Right(str, Enum):
    """One thing that is seen or done."""

    SEE_TODAY = "see_today"
    ASSESS_INCIDENT = "assess_incident"
    CONTROL_OWN_TALK = "control_own_talk"
    SEE_CALLS = "see_calls"
    SEE_PERSON = "see_person"
    """The caller's number, and agents' names: each time with a reason, and a row."""
    HAND_OVER = "hand_over"
    """A call's sheet, a list with what it names."""
    HOLD = "hold"
    ASK_TO_LISTEN = "ask_to_listen"
    APPROVE_LISTENING = "approve_listening"
    BREAK_GLASS = "break_glass"
    """Listen at once and alone; the works council is told."""
    SEE_GLASS_BROKEN = "see_glass_broken"
    """Say that one has seen it."""
    ANSWER_PEOPLE = "answer_people"
    """Tell, erase, withdraw, for a person who asks (GDPR art. 15, 17, 7(3))."""
    SEE_NUMBERS = "see_numbers"
    SEE_ACCESS = "see_access"
    """Everybody's rows of the access log."""
    SEE_OWN_ACCESS = "see_own_access"
    SEE_WHO_HEARD_ME = "see_who_heard_me"
    AGREE = "agree"
    """To be recorded, or take it back: under the agent's own login."""
    SEE_INSTALLATION = "see_installation"
    CHECK_INSTALLATION = "check_installation"
    APPROVE_TRIAL = "approve_trial"
    """Of two wordings of the question."""


_ALL = frozenset(Role)
_NOT_AGENTS = _ALL - {Role.AGENT}

RIGHTS: Mapping[Right, frozenset[Role]] = {
    Right.SEE_TODAY: _ALL,
    Right.ASSESS_INCIDENT: frozenset({Role.OFFICER}),
    Right.CONTROL_OWN_TALK: frozenset({Role.AGENT}),
    Right.SEE_CALLS: _ALL - {Role.ADMIN},
    Right.SEE_PERSON: frozenset({Role.SUPERVISOR, Role.OFFICER}),
    Right.HAND_OVER: frozenset({Role.SUPERVISOR, Role.OFFICER}),
    Right.HOLD: frozenset({Role.OFFICER}),
    Right.ASK_TO_LISTEN: frozenset({Role.SUPERVISOR, Role.OFFICER, Role.AGENT}),
    Right.APPROVE_LISTENING: frozenset({Role.OFFICER, Role.COUNCIL, Role.AGENT}),
    Right.BREAK_GLASS: frozenset({Role.OFFICER}),
    Right.SEE_GLASS_BROKEN: frozenset({Role.COUNCIL}),
    Right.ANSWER_PEOPLE: frozenset({Role.OFFICER}),
    Right.SEE_NUMBERS: _NOT_AGENTS,
    Right.SEE_ACCESS: frozenset({Role.OFFICER, Role.COUNCIL}),
    Right.SEE_OWN_ACCESS: _ALL,
    Right.SEE_WHO_HEARD_ME: frozenset({Role.AGENT}),
    Right.AGREE: frozenset({Role.AGENT}),
    Right.SEE_INSTALLATION: frozenset({Role.ADMIN, Role.OFFICER, Role.COUNCIL}),
    Right.CHECK_INSTALLATION: frozenset({Role.ADMIN}),
    Right.APPROVE_TRIAL: frozenset({Role.OFFICER}),
}
"""Which roles have it. How far - own talks, own queues, everything - ``Scope`` says."""


@dataclass(frozen=True)
class Scope:
    """The calls that somebody sees: those of these ``queues`` and those that this ``agent`` took; None for all.

    ``everything`` is without a limit. Nothing set is nothing seen.
    """

    everything: bool = False
    queues: frozenset[str] = frozenset()
    agent: str | None = None

    def covers(self, queue: str, agent: str | None) -> bool:
        """Whether a call in ``queue`` (as mod_callcenter names it) that ``agent`` took is among them."""
        return self.everything or queue in self.queues or (agent is not None and agent == self.agent)


@dataclass(frozen=True)
class Account:
    """Somebody who signs in. ``queues``: of a supervisor; ``agent``: the agent's name in mod_callcenter.

    ``person``: who uses it, where that is said; ``subject``: whom the provider knows (OpenID Connect Core, 2: ``sub``).
    """

    name: str
    roles: frozenset[Role]
    queues: frozenset[str] = frozenset()
    agent: str | None = None
    person: str | None = None
    subject: str | None = None

    def __post_init__(self) -> None:
        refused = unfit(self.roles, self.queues, self.agent)
        if refused is not None:
            raise ValueError(refused)

    @property
    def used_by(self) -> str:
        """The person: the account's own name, unless another is said."""
        return self.person or self.name

    @property
    def persons(self) -> frozenset[str]:
        """Whose it is, as ``persons`` tells it."""
        return persons(self.name, self.person, self.subject)

    def may(self, right: Right) -> bool:
        """Whether one of the roles has it."""
        return not self.roles.isdisjoint(RIGHTS[right])

    @property
    def scope(self) -> Scope:
        """The calls that this one sees."""
        return self._scope(self.roles)

    def scope_of(self, right: Right) -> Scope:
        """The calls of which this one has the right: what one role sees, another may not do."""
        return self._scope(self.roles & RIGHTS[right])

    def _scope(self, roles: frozenset[Role]) -> Scope:
        everything = not roles.isdisjoint({Role.OFFICER, Role.COUNCIL})
        queues = self.queues if Role.SUPERVISOR in roles else frozenset()
        return Scope(everything, queues, self.agent if Role.AGENT in roles else None)


def persons(name: str, person: str | None, subject: str | None) -> frozenset[str]:
    """All by which the person behind an account is known, however it is capitalised: two accounts that share one of
    them are the same person's.
    """
    known = {" ".join(one.split()).casefold() for one in (name, person or name)}
    return frozenset(known | ({f"subject {subject}"} if subject is not None else set()))


def unfit(roles: Iterable[Role], queues: Iterable[str], agent: str | None) -> str | None:
    """Why nobody can be all of that at once; None when somebody can."""
    has = frozenset(roles)
    if not has:
        return "an account has at least one role"
    if Role.ADMIN in has and len(has) > 1:
        return "an administrator has no other role: whoever sets up what is recorded hears and answers nothing"
    if Role.AGENT in has and not agent:
        return "an agent's account says which agent it is, as mod_callcenter names it"
    if Role.SUPERVISOR in has and not frozenset(queues):
        return "a supervisor's account says of which queues"
    return None
