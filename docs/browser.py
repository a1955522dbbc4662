"""A headless Chromium that looks at pages as a person does: for the pictures of the documentation, and for tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, expect, sync_playwright

CHROMIUM = shutil.which("chromium")
"""The program; None where there is none."""

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
PATIENCE_MS = 60_000
"""How long a page may take to show what is waited for."""


@contextmanager
def browsing(width: int = 1400, height: int = 900) -> Iterator[Page]:
    """An empty page of so many pixels, until the end of the block."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        page = browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        try:
            yield page
        finally:
            browser.close()


def visit(page: Page, address: str) -> None:
    """Show an address as if for the first time: the part behind a # alone would load nothing anew."""
    page.goto("about:blank")
    page.goto(address)
