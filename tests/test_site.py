"""The documentation as a site: built, served and used in a browser."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parent.parent


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Leave the output to pytest."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """Address of the built site."""
    build = [sys.executable, "-m", "mkdocs", "build", "-q", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(_Quiet, directory=str(tmp_path))
    )
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.slow
def test_the_copy_button_takes_commands_without_prompt(
    site: str, chromium: str
) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox"]
        )
        context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
        page = context.new_page()
        page.goto(f"{site}/tutorials/analyst.html")
        copied = []
        for block in page.locator(".highlight:has(.gp)").all():
            shown = block.locator("code").inner_text()
            assert shown.startswith("$ ")
            block.hover()
            block.locator("button").first.click()
            page.wait_for_function("document.querySelector('.md-dialog--active')")
            copied.append(page.evaluate("navigator.clipboard.readText()"))
            lines = [line[2:] for line in shown.splitlines() if line.startswith("$ ")]
            assert copied[-1].splitlines() == lines
        browser.close()
    assert len(copied) > 3


@pytest.mark.slow
def test_the_head_fits_and_prints_have_no_copy_button(site: str, chromium: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(f"{site}/tutorials/analyst.html")
        tabs = [tab.bounding_box() for tab in page.locator(".md-tabs__link").all()]
        assert len(tabs) > 4
        assert all(box and box["x"] + box["width"] < 1280 for box in tabs)
        prints = page.locator(".highlight:not(:has(.gp)) button").all()
        assert not any(button.is_visible() for button in prints)
        browser.close()
