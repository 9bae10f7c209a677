"""The composition root: every object is built here and handed what it needs, by name."""
