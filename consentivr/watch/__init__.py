"""One switch, watched: who talks to whom, what records, and what must follow. Read ``following`` first."""

from consentivr.watch.alarm import Alarm
from consentivr.watch.house import House
from consentivr.watch.lease import Lease
from consentivr.watch.watch import Watch

__all__ = ["Alarm", "House", "Lease", "Watch"]
