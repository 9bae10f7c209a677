"""consentivr asks a caller "may we record this call?" and keeps its word whatever breaks."""

__version__ = "0.2.0"
