"""The line on which agents agree to be recorded: one outbound call, beside ``asking``."""

from consentivr.enrolling.call import AgentLine, Enrolment

__all__ = ["AgentLine", "Enrolment"]
