"""A person at the page: Chromium, driven by what is written on the page, against a desk that really runs."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.builders.process import PASSWORD, DeskProcess

NO_CHROMIUM = "no Chromium is installed"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_QUIET = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the Chromium of this machine, or skip and say how to bring one."""
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        pytest.skip(f"{NO_CHROMIUM}: install one (Debian: apt install chromium) to test the page")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(_QUIET))
        try:
            yield browser
        finally:
            browser.close()


class Person:
    """Somebody in front of the page. Errors of its scripts are collected and fail the test at the end."""

    def __init__(self, context: BrowserContext, desk: DeskProcess) -> None:
        self.desk = desk
        self.page: Page = context.new_page()
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def come_aboard(self) -> None:
        """Open the one-time link and choose a password."""
        self.page.goto(self.desk.link)
        for field in self.page.locator("input[type=password]").all():
            field.fill(PASSWORD)
        self.page.get_by_test_id("enter").click()
        self.page.get_by_test_id("link").and_(self.page.locator("[data-state=live]")).wait_for()
        self.desk.link = ""  # used: from here on the password is the way in

    def choose(self, symbol: str) -> None:
        """Choose what the chart and the ticket are about."""
        self.page.get_by_test_id("symbol").select_option(symbol)

    def wish(self, size: str, *, by: str = "quote", side: str = "Buy") -> None:
        """Fill in the ticket, and wait for the gate's answer to it."""
        ticket = self.page.get_by_test_id("ticket")
        ticket.get_by_text(side, exact=True).first.click()
        self.page.get_by_test_id("ticket-size-by").select_option(by)
        self.page.get_by_test_id("ticket-size").fill(size)
        self.page.get_by_test_id("preview").wait_for()

    def place(self) -> None:
        """Press the button, and wait until the desk has answered."""
        self.page.get_by_test_id("place").click()
        self.page.get_by_test_id("last-order").wait_for()

    def flatten(self) -> None:
        """Press the red stop, choose the stronger half, confirm."""
        self.page.get_by_test_id("red-stop").click()
        self.page.get_by_test_id("choose-flatten").click()
        self.page.get_by_role("button", name="Flatten everything").click()
        self.page.get_by_test_id("flattened").wait_for()
