"""A real browser for the page: the Chromium that is there, with every request out refused and told of."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
VARIABLE = "HARNESS_BROWSER"
"""Names another Chromium; nothing is ever downloaded."""


def find_browser() -> str | None:
    """Where a Chromium is."""
    named = os.environ.get(VARIABLE)
    return shutil.which(named) if named else next(filter(None, map(shutil.which, NAMES)), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for the pages of a module.

    As long as it is open playwright keeps an event loop running, and tests of other modules have their own.
    """
    path = find_browser()
    if path is None:
        pytest.skip(f"no Chromium here (looked for {', '.join(NAMES)}; {VARIABLE} names another)")
    arguments = ["--disable-gpu", "--disable-quic"]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")  # Chromium starts for root in no other way; it reads our own pages
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=path, args=arguments)
        yield opened
        opened.close()


@dataclass
class Opened:
    """A page in the browser, with all that it complained of and all that it asked for."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


class Opener:
    """Opens pages from disk, as a person does who was sent one."""

    def __init__(self, browser: Browser, folder: Path) -> None:
        self.browser = browser
        self.folder = folder
        self.opened: list[Opened] = []

    def __call__(
        self, html: str, *, width: int = 1280, scripts: bool = True, dark: bool = False, anchor: str = ""
    ) -> Opened:
        """The page of this text, ``width`` pixels wide."""
        path = self.folder / f"page-{len(self.opened)}.html"
        path.write_text(html, encoding="utf-8")
        context = self.browser.new_context(
            viewport={"width": width, "height": 900},
            java_script_enabled=scripts,
            color_scheme="dark" if dark else "light",
        )
        found = Opened(context.new_page())
        context.route("**/*", lambda route: _decide(route, found, path.as_uri()))
        found.page.on("console", lambda message: found.complaints.append(f"{message.type}: {message.text}"))
        found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
        self.opened.append(found)
        found.page.goto(path.as_uri() + (f"#{anchor}" if anchor else ""))
        return found

    def close(self) -> None:
        """Close all of them."""
        for each in self.opened:
            each.page.context.close()


def _decide(route: Route, found: Opened, own: str) -> None:
    """Let the page itself through, and nothing else."""
    if route.request.url.partition("#")[0] == own:
        route.continue_()
        return
    found.requests.append(route.request.url)
    route.abort()


@pytest.fixture
def opener(browser: Browser, tmp_path: Path) -> Iterator[Opener]:
    """Opens pages, and closes them afterwards."""
    found = Opener(browser, tmp_path)
    yield found
    found.close()
