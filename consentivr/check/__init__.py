"""Whether consent holds here: on this machine, on a switch, before the law. What a switch says is judged by a table."""

from consentivr.check.answers import Answers
from consentivr.check.asking import ask, not_asked
from consentivr.check.finding import Finding, Level
from consentivr.check.found import Wanted
from consentivr.check.table import TABLE, judged

__all__ = ["TABLE", "Answers", "Finding", "Level", "Wanted", "ask", "judged", "not_asked"]
