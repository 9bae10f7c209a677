"""``python -m consentivr``."""

from consentivr.cli import main

main()
