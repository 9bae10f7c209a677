"""FreeSWITCH's XML from the templates: no value can leave its attribute, no file is ever half written."""

from consentivr.rendering.files import differences, write
from consentivr.rendering.one_extension import one_extension
from consentivr.rendering.xml import DialplanLine, Queue, render, render_lab

__all__ = ["DialplanLine", "Queue", "differences", "one_extension", "render", "render_lab", "write"]
