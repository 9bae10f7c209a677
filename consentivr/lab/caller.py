"""What a simulated caller and the agent do."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Caller:
    """A caller's script. Times are simulated milliseconds."""

    name: str = "Erika Mustermann"
    number: str = "+493023125000"
    keys: dict[int, tuple[str, int]] = field(default_factory=dict)
    """For the n-th question: the key, and how long after the question's start it is pressed."""
    hangs_up: tuple[str, int, int] | None = None
    """(application or 'talk', its n-th occurrence, ms after its start)."""
    waits_ms: int = 300
    """How long until an agent is free."""
    agent: str | None = "1001@default"
    """Who takes the call; None lets the queue time out after ``waits_ms``."""
    talks_ms: int = 2000
    """How long the talk lasts until ``agent_hangs_up`` or the caller does."""
    agent_hangs_up: bool = False
    drops_socket_at: int | None = None
    """Break the connection to the application when the n-th application starts."""
    agents: dict[str, str | None] = field(default_factory=dict)
    """By queue, who takes the call there instead of ``agent``: a caller may come to another line."""
    declined_by: tuple[str, ...] = ()
    """Agents who are offered the call first, and decline."""
    agent_recorder: str | None = None
    """A file to which something else records the agent's leg from its first moment."""
    agent_variables: dict[str, str] = field(default_factory=dict)
    """More on the agent's leg, such as ``sip_redirected_to`` of a telephone that forwards."""
    role: str = "caller"
    """'other caller' hums at a pitch of its own."""
    headers: dict[str, str] = field(default_factory=dict)
    """More channel headers, such as those that a hostile INVITE brings."""
