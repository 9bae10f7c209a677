"""One outbound call: the question, until the queue has the caller. Read ``call`` first."""

from consentivr.asking.call import Call
from consentivr.asking.languages import Languages
from consentivr.asking.line import Line

__all__ = ["Call", "Languages", "Line"]
