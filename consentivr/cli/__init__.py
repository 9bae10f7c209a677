"""The command line. Exit 0 is good, 1 is a finding, 2 is a usage or configuration error."""

from consentivr.cli.main import main

__all__ = ["main"]
