"""The page in a real browser against a desk that really runs: a newcomer's first minutes, and a crash."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.builders.browser import Person, chromium
from tests.builders.process import DeskProcess
from tests.cli.shell import process, said_by

# A cold Chromium on a busy machine takes its time.
pytestmark = pytest.mark.timeout(180)

PERPETUAL = "BTC/USDT:USDT"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Share one browser; every test has a profile of its own."""
    with chromium() as started:
        yield started


@pytest.fixture
def person(browser: Browser, tmp_path: Path) -> Iterator[Person]:
    """Bring somebody aboard a new desk; a script that failed on the page fails the test."""
    desk = DeskProcess(tmp_path).start()
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(20_000)
    try:
        somebody = Person(context, desk)
        somebody.come_aboard()
        yield somebody
        assert somebody.errors == []
    finally:
        context.close()
        desk.close()


def test_an_order_is_previewed_placed_and_seen_without_a_reload(person: Person) -> None:
    """From the ticket to the position, the trade, the chart's mark and the load line."""
    page = person.page
    person.choose(PERPETUAL)
    person.wish("500")
    expect(page.get_by_test_id("preview")).to_have_attribute("data-approved", "true")
    expect(page.get_by_test_id("preview-fee")).not_to_have_text("unknown")
    page.evaluate("window.samePage = true")
    person.place()
    expect(page.get_by_test_id("positions-table")).to_contain_text(PERPETUAL)
    page.get_by_role("tab", name="Trades").click()
    expect(page.get_by_test_id("trades-table")).to_contain_text(PERPETUAL)
    expect(page.get_by_test_id("price-chart")).to_have_attribute("data-marks", "1")
    expect(page.get_by_test_id("load")).not_to_have_text("0.0 %")
    assert page.evaluate("window.samePage") is True


def test_an_absurd_order_is_explained_and_cannot_be_placed(person: Person) -> None:
    """Every rule that refuses is named with what it saw and what it allows, and nothing is sent."""
    page = person.page
    person.choose(PERPETUAL)
    person.wish("1000000")
    expect(page.get_by_test_id("preview")).to_have_attribute("data-approved", "false")
    checks = page.get_by_test_id("checks")
    for reason in ("order", "position", "load", "margin"):
        expect(checks).to_contain_text(reason, ignore_case=True)
    expect(page.get_by_test_id("place")).to_be_disabled()
    page.get_by_test_id("use-largest").click()
    expect(page.get_by_test_id("preview")).to_have_attribute("data-approved", "true")
    person.desk.sign_in()
    assert person.desk.get("/orders", status="all")["items"] == []


def test_a_fill_of_somebody_else_arrives_by_itself(person: Person) -> None:
    """An order of the REST interface is on the page without a touch."""
    person.desk.sign_in()
    person.desk.post("/orders", {"symbol": "ETH/USDT", "side": "BUY", "quote_value": "300"})
    expect(person.page.get_by_test_id("positions-table")).to_contain_text("ETH/USDT")


def test_the_page_survives_a_killed_desk_and_misses_nothing(person: Person) -> None:
    """The desk is killed and started again; what happened right after is on the page, without a reload."""
    page, desk = person.page, person.desk
    desk.sign_in()
    desk.post("/orders", {"symbol": "BTC/USDT", "side": "BUY", "quote_value": "100"})
    expect(page.get_by_test_id("positions-table")).to_contain_text("BTC/USDT")
    page.evaluate("window.samePage = true")
    desk.kill()
    expect(page.get_by_test_id("reconnecting")).to_be_visible()
    desk.start()
    for number in range(3):
        desk.post("/orders", {"symbol": "ETH/USDT", "side": "BUY", "quote_value": str(50 + number)})
    expect(page.get_by_test_id("link")).to_have_attribute("data-state", "live", timeout=30_000)
    expect(page.get_by_test_id("reconnecting")).to_have_count(0)
    page.get_by_role("tab", name="Trades").click()
    expect(page.get_by_test_id("trades-table").locator("tbody tr")).to_have_count(4)
    assert page.evaluate("window.samePage") is True


def test_the_red_stop_flattens_and_the_position_is_gone(person: Person) -> None:
    """Stop, confirm, flat; nothing opens until the stop is lifted."""
    page, desk = person.page, person.desk
    desk.sign_in()
    desk.post("/orders", {"symbol": PERPETUAL, "side": "SELL", "quote_value": "700"})
    expect(page.get_by_test_id("positions-table")).to_contain_text(PERPETUAL)
    person.flatten()
    expect(page.get_by_test_id("flattened")).to_have_attribute("data-flat", "true")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("book")).to_contain_text("No open position")
    expect(page.get_by_test_id("trading-state")).to_contain_text("Reduce", ignore_case=True)
    refused = desk.try_post("/orders", {"symbol": PERPETUAL, "side": "BUY", "quote_value": "500"})
    assert refused.status_code == 422
    assert desk.get("/positions")["items"] == []


def test_a_bot_is_made_started_and_stopped_on_the_page(person: Person) -> None:
    """A newcomer's third wish."""
    page, desk = person.page, person.desk
    page.get_by_test_id("new-bot").click()
    form = page.get_by_test_id("new-bot-form")
    form.get_by_label("Name").fill("first mate")
    form.locator("button[type=submit]").click()
    expect(page.get_by_test_id("bots-table")).to_contain_text("first mate")
    page.get_by_label("Start first mate").click()
    page.get_by_role("dialog").get_by_role("button", name="Start").click()
    expect(page.get_by_label("Stop first mate")).to_be_visible()
    desk.sign_in()
    assert [bot["status"] for bot in desk.get("/bots")["items"]] == ["RUNNING"]
    page.keyboard.press("Escape")
    page.get_by_label("Stop first mate").click()
    expect(page.get_by_label("Start first mate")).to_be_visible()


def test_the_source_and_the_age_of_prices_are_always_in_sight(person: Person) -> None:
    """On the desktop and on a phone."""
    page = person.page
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 844})
        expect(page.get_by_test_id("price-source")).to_be_in_viewport()
        expect(page.get_by_test_id("price-source")).to_contain_text("synthetic")
        expect(page.get_by_test_id("data-age")).to_be_in_viewport()
        expect(page.get_by_test_id("red-stop")).to_be_in_viewport()
        # The chart follows the window a frame or two later. A function that is asked again would be made from text:
        # the page's own policy forbids that.
        inside = page.evaluate("document.documentElement.clientWidth")
        expect(page.locator("html")).to_have_js_property("scrollWidth", inside)


def test_an_imported_book_has_what_was_made_and_no_ticket(person: Person, tmp_path: Path) -> None:
    """It is chosen like an account; nothing of it can be ordered, and its reports are links."""
    page, file = person.page, tmp_path / "years.csv"
    file.write_text(
        "time,symbol,side,quantity,price,fee,fee_asset,trade_id\n"
        "2021-01-02T10:00:00Z,BTC/USD,buy,0.1,30000,3,USD,1\n"
        "2021-01-03T10:00:00Z,BTC/USD,sell,0.05,36000,1.8,USD,2\n"
    )
    said = said_by(process("import", "csv", file, "--portfolio", "years", "--data", person.desk.directory))
    assert said.code == 0, said.err
    page.reload()
    page.get_by_role("combobox", name="Account").select_option(label="years (imported)")
    expect(page.get_by_test_id("earnings-table")).to_contain_text("2021-01")
    expect(page.get_by_test_id("earnings-table")).to_contain_text("+295.20")
    expect(page.get_by_test_id("positions-table")).to_contain_text("30,000.00")
    for ordering in ("ticket", "market", "place", "trading-state", "prices-sign"):
        expect(page.get_by_test_id(ordering)).to_have_count(0)
    page.get_by_role("tab", name="Trades").click()
    expect(page.get_by_test_id("trades-table")).to_contain_text("Sold")
    with page.expect_popup() as printed:
        page.get_by_role("link", name="Realised, first in first out, to print").click()
    expect(printed.value.get_by_role("cell", name="296.70").first).to_be_visible()
    page.get_by_role("combobox", name="Account").select_option(label="Demo (synthetic)")
    expect(page.get_by_test_id("ticket")).to_be_visible()
