"""FreeSWITCH's XML from the templates: no value can leave its attribute, no file is ever half written."""

from consentivr.rendering.files import differences, write
from consentivr.rendering.xml import DialplanLine, Queue, render, render_lab

__all__ = ["DialplanLine", "Queue", "differences", "render", "render_lab", "write"]
