"""Whose fault it is: ours, the peer's, or the network's."""


class ESLError(Exception):
    """Anything that can go wrong between the switch and us."""


class LocalProtocolError(ESLError):
    """We were about to send something that must not go on the wire."""


class RemoteProtocolError(ESLError):
    """The peer sent something that a FreeSWITCH does not send."""


class PeerRefused(ESLError):
    """Whoever dialled is not a switch of ours."""


class SessionClosed(ESLError):
    """The connection is gone. Every wait on it ends with this."""


class WaitTimedOut(ESLError):
    """The peer did not send in time what was waited for."""
