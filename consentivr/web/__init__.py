"""The HTTP interface: for agents' desktops, and for monitoring."""

from consentivr.web.server import Desk, Status, WebServer
from consentivr.web.tokens import Tokens

__all__ = ["Desk", "Status", "Tokens", "WebServer"]
