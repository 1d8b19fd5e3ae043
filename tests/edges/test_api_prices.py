"""Instruments, quotes and candles over HTTP: never a price without its age, never a bar that nobody saw."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from plimsoll.market.feed import FeedState, FeedStatus
from plimsoll.model.errors import TryAgain
from plimsoll.model.quote import Bar, Quote
from plimsoll.people.actor import Right
from tests.builders.desk import FaultyVenue
from tests.builders.paper import START
from tests.edges.house import ADA, EVE, HandFeed, House, play

D = Decimal
MINUTE = timedelta(minutes=1)


def bar(number: int, close: str, interval: timedelta = MINUTE) -> Bar:
    """Draw a bar that ended so many intervals ago."""
    start = START - number * interval
    price = D(close)
    return Bar(ADA.spot.id, start, interval, price, price, price, price, D(1))


def feed_of(house: House) -> HandFeed:
    feed = house.served[ADA.account.id].feed
    assert isinstance(feed, HandFeed)
    return feed


def test_what_is_traded_is_told_in_its_steps(tmp_path: Path) -> None:
    """One's own instruments, each once; decimals as text."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        rows = (await ada.get("/instruments")).json()["items"]
        assert [(row["symbol"], row["venue"]) for row in rows] == [
            ("BTC/USDT", "paper-1"),
            ("BTC/USDT:USDT", "paper-1"),
        ]
        assert (rows[1]["lot_size"], rows[1]["max_leverage"], rows[1]["is_derivative"]) == ("0.001", "10", True)
        savings = await house.key(ADA, Right.READ, portfolios=[ADA.portfolios[1]])
        assert (await savings.get("/instruments")).json()["items"] == rows

    play(tmp_path, story)


def test_a_quote_has_an_age_and_says_whether_it_counts(tmp_path: Path) -> None:
    """Fresh for five seconds and shown for ever; one that never came is missing, and so is an unknown symbol."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        fresh = (await ada.get("/quotes/BTC/USDT:USDT")).json()
        assert (fresh["bid"], fresh["fresh"], fresh["age_seconds"], fresh["source"]) == ("50000", True, 0, "live")
        house.clock.move(5.5)
        assert not (await ada.get("/quotes/BTC/USDT:USDT")).json()["fresh"]
        assert len((await ada.get("/quotes")).json()["items"]) == 2
        for symbol in ("DOGE/USDT", "BTC", "a/b/c"):
            assert (await ada.get(f"/quotes/{symbol}")).status_code == 404
        house.served[EVE.account.id].ports.board._last.clear()
        eve = await house.signs_in(EVE)
        assert (await eve.get("/quotes")).json()["items"] == []
        assert (await eve.get("/quotes/BTC/USDT")).status_code == 404
        assert (await eve.get("/system/health")).json()["prices"][0]["age_seconds"] is None

    play(tmp_path, story)


def test_candles_are_what_the_desk_saw_and_before_it_what_the_source_remembers(tmp_path: Path) -> None:
    """Oldest first, each start once, the last one open; a bar that we saw in part is the source's whole one."""

    async def story(house: House) -> None:
        ada, feed, keeper = await house.signs_in(), feed_of(house), house.served[ADA.account.id].candles
        for second in (0, 30, 60, 90):
            keeper.take(Quote(ADA.spot.id, START + timedelta(seconds=second), D(50_000), D(50_000), D(50_000)))
        house.clock.move(90)
        feed.past = (bar(2, "48000"), bar(1, "49000"))
        told = (await ada.get("/candles", symbol="BTC/USDT", limit=3)).json()
        assert (told["symbol"], told["interval"], told["source"]) == ("BTC/USDT", "1m", "live")
        assert [(row["close"], row["closed"]) for row in told["items"]] == [
            ("49000", True),
            ("50000", True),
            ("50000", False),
        ]
        starts = [row["start"] for row in told["items"]]
        assert starts == sorted(set(starts))
        feed.past = None
        alone = (await ada.get("/candles", symbol="BTC/USDT", limit=10)).json()
        assert [row["close"] for row in alone["items"]] == ["50000", "50000"]
        enough = (await ada.get("/candles", symbol="BTC/USDT", limit=2)).json()
        assert enough["items"] == alone["items"]

    play(tmp_path, story)


NO_CHARTS: list[dict[str, object]] = [
    {},
    {"symbol": "BTC/USDT", "interval": "2m"},
    {"symbol": "BTC/USDT", "limit": 1001},
    {"symbol": "x" * 65},
]


def test_a_chart_that_cannot_be_drawn_is_refused(tmp_path: Path) -> None:
    """By the parameter's name; a symbol that one does not trade in the words of an order for it."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        for params in NO_CHARTS:
            assert (await ada.get("/candles", **params)).status_code == 422, params
        unknown = (await ada.get("/candles", symbol="DOGE/USDT")).json()
        order = (await ada.post("/orders", {"symbol": "DOGE/USDT", "side": "BUY", "portfolio": "main"})).json()
        assert unknown["code"] == "symbol_unknown"
        assert (unknown["detail"], unknown["reasons"]) == (order["detail"], order["reasons"])

    play(tmp_path, story)


def test_a_source_that_is_lost_is_told_to_its_owner(tmp_path: Path) -> None:
    """Health names the source, its state and why; a stranger learns that something is in doubt."""

    async def story(house: House) -> None:
        feed_of(house).status = FeedStatus(FeedState.DOWN, house.clock.now(), "the exchange does not answer", 3)
        told = (await (await house.signs_in()).get("/system/health")).json()
        assert told["status"] == "degraded"
        source = told["prices"][0]
        assert (source["state"], source["detail"], source["reconnects"]) == ("DOWN", "the exchange does not answer", 3)
        assert "prices are DOWN: the exchange does not answer" in told["reasons"]
        line = FaultyVenue(house.venues[ADA.account.id])
        served = house.served[ADA.account.id]
        line.down, served.ports.venue = True, line
        with pytest.raises(TryAgain):
            await served.attendant.sync()
        served.ports.doubt("a test")
        reasons = (await (await house.signs_in()).get("/system/health")).json()["reasons"]
        assert any("equal to the venue" in reason for reason in reasons)
        assert any("the venue does not answer" in reason for reason in reasons)

    play(tmp_path, story)
