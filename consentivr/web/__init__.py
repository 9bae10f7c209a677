"""The HTTP interface: for agents' desktops, and for monitoring."""

from consentivr.web.server import Desk, Status, WebServer

__all__ = ["Desk", "Status", "WebServer"]
