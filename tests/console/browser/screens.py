"""Somebody before a browser: where one can go from here, and whether everybody could."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from consentivr.lab.console import PASSWORD
from consentivr.lab.native import free_port
from tests.console.people import PEOPLE

PROXIED = ("consent.beispiel.example", free_port())
"""The name and the port of what stands before a console."""

WIDE = {"width": 1280, "height": 800}
NARROW = {"width": 390, "height": 844}
"""Of a screen, in pixels."""

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
_AXE = Axe()
_RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


_PLACES = """
const all = [...document.querySelectorAll('a[href], button, input, select, textarea, summary, audio, [tabindex="0"]')]
  .filter(one => !one.disabled && one.type !== 'hidden' && one.checkVisibility() && one.tabIndex >= 0);
"""

_FOCUSED = f"""() => {{ {_PLACES}
  const one = document.activeElement;
  if (!one || one === document.body) return {{ place: null, text: '' }};
  const style = getComputedStyle(one);
  return {{ place: all.indexOf(one), text: (one.innerText || one.value || '').trim(), what: one.outerHTML.slice(0, 120),
    visible: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 }};
}}"""

_REACHABLE = f"""() => {{ {_PLACES}
  const groups = new Set();
  return all.filter(one => one.type !== 'radio' || !(groups.has(one.name) || !groups.add(one.name))).length;
}}"""
"""Of radio buttons, Tab leads to one."""


class Someone:
    """One page, and what is heard of the browser's console: a page that complains there has a fault."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))

    def _said(self, message: object) -> None:
        kind, text = message.type, message.text  # type: ignore[attr-defined]
        if kind in ("error", "warning") and "favicon" not in text:
            self.complaints.append(f"{self.page.url}: {text}")

    def sign_in(self, name: str, password: str = PASSWORD) -> None:
        self.page.goto("/sign-in")
        self.page.get_by_label("Account").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(lambda address: "/sign-in" not in address)

    def screens(self, most: int = 60) -> Iterator[str]:
        """Goes to every kind of page that links lead to from here: one address of each kind, with the page open."""
        seen, waiting = set(), ["/"]
        while waiting and most:
            address = waiting.pop(0)
            if kind_of(address) in seen:
                continue
            seen.add(kind_of(address))
            self.page.goto(address)
            most -= 1
            seen.add(kind_of(urlsplit(self.page.url).path))
            yield address
            links = self.page.eval_on_selector_all("a[href]", "all => all.map(a => a.getAttribute('href'))")
            waiting += [link for link in links if link.startswith("/") and not _is_file(link)]

    def titles(self) -> list[str]:
        """What the page is about: its headings, and those of its tables."""
        return self.page.locator("h1, h2, h3, th[scope=col]").all_text_contents()

    def focused(self) -> dict[str, Any]:
        """What has the focus: its text, whether that is seen, and how far it is hidden."""
        return dict(self.page.evaluate(_FOCUSED))

    def tab_to(self, text: str, most: int = 400) -> None:
        """Raises AssertionError when Tab does not lead to what says so."""
        for _ in range(most):
            self.page.keyboard.press("Tab")
            if self.focused()["text"] == text:
                return
        raise AssertionError(f"{self.page.url}: Tab does not lead to '{text}'")

    def can_tab_through(self, most: int = 400) -> None:
        """Tab leads to everything that can be done here, never gets stuck, and always shows where one is."""
        wanted = self.page.evaluate(_REACHABLE)
        self.page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")
        met = set()
        for _ in range(min(most, 3 * wanted + 10)):
            self.page.keyboard.press("Tab")
            here = self.focused()
            if here["place"] is None:
                break
            assert here["visible"], f"{self.page.url}: nobody sees that the focus is on {here}"
            met.add(here["place"])
        assert len(met) >= min(most, wanted), f"{self.page.url}: Tab leads to {len(met)} of {wanted} places"

    def is_accessible(self) -> None:
        """axe-core finds nothing on the page that is open, once it has its style."""
        self.page.wait_for_load_state()
        found = _AXE.run(self.page, options=_RULES).response["violations"]
        told = [f"{one['id']}: {one['help']}: {[node['html'][:160] for node in one['nodes'][:3]]}" for one in found]
        assert told == [], f"{self.page.url}\n" + "\n".join(told)

    def fits(self) -> None:
        """Nothing but tables leads out of the page on the right."""
        self.page.wait_for_load_state()
        beyond = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert beyond <= 0, f"{self.page.url} is {beyond} px wider than the screen"


def kind_of(address: str) -> str:
    """The same for pages that are made alike."""
    return re.sub(r"/\d+(?=/|$)", "/N", _UUID.sub("ID", urlsplit(address).path)).rstrip("/") or "/"


def _is_file(link: str) -> bool:
    path = urlsplit(link).path
    return path.startswith("/static/") or path.rpartition(".")[2] in ("json", "csv", "zip", "wav", "html", "txt")


@contextmanager
def visitors(chromium: Browser, address: str) -> Iterator[Callable[..., Someone]]:
    """A function that opens a browser of somebody: ``("officer")`` is signed in; of nobody without a role."""
    contexts = []

    def open_one(role: str | None = None, **how: Any) -> Someone:
        told = {"viewport": WIDE, "locale": "en-GB", "reduced_motion": "reduce", **how}
        context = chromium.new_context(base_url=address, ignore_https_errors=True, **told)
        contexts.append(context)
        context.set_default_timeout(20_000)
        who = Someone(context.new_page())
        if role is not None:
            who.sign_in(PEOPLE[role].name)
        return who

    yield open_one
    for context in contexts:
        context.close()
