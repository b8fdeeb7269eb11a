"""The system's Chromium, driven by Playwright."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def chromium(*arguments: str) -> Iterator[Browser]:
    """Start Chromium; skip where there is none, or fail where everything must be tested."""
    with sync_playwright() as playwright:
        names = ("chromium", "chromium-browser", "google-chrome")
        found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
        if found is None and Path(playwright.chromium.executable_path).exists():
            found = playwright.chromium.executable_path
        if found is None:
            reason = "no Chromium here: install it, run `playwright install chromium`, or name it in CHROMIUM"
            if os.environ.get("CI"):
                pytest.fail(reason)
            pytest.skip(reason)
        browser = playwright.chromium.launch(executable_path=found, args=[*ARGUMENTS, *arguments])
        yield browser
        browser.close()
