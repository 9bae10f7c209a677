"""The console: pages for supervisors, data protection officers, works councils, agents and administrators.

A process of its own with native threads: it shares the ledger with ``serve`` and nothing else. It reads through
read-only connections; what it writes are rows, durable before what they tell of is shown.
"""

from consentivr.console.application import application
from consentivr.console.books import Books
from consentivr.console.folding import Folding
from consentivr.console.server import Server
from consentivr.console.settings import Chain, Settings, Wording

__all__ = ["Books", "Chain", "Folding", "Server", "Settings", "Wording", "application"]
