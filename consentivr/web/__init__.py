"""The HTTP interface: for agents' desktops, and for monitoring."""

from consentivr.web.server import Desk, QueueNow, Status, Talk, WebServer
from consentivr.web.tokens import Tokens

__all__ = ["Desk", "QueueNow", "Status", "Talk", "Tokens", "WebServer"]
