"""A desk put together as `plimsoll up` does it, on live prices of an exchange that is called over the network."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from plimsoll.bootstrap import DataDirectory, look_at
from plimsoll.bootstrap.outside import Outside
from plimsoll.bootstrap.served import OWNER, NoLivePrices, Served, open_served
from plimsoll.bootstrap.sources import LIVE, REPLAY, SYNTHETIC, Wanted
from plimsoll.desk.halt import MANUAL, lift
from plimsoll.desk.place_order import OrderAnswer, place_order
from plimsoll.edges.served import ServedAccount
from plimsoll.ledger import keys
from plimsoll.ledger.stamp import stamp
from plimsoll.market.feed import FeedState
from plimsoll.market.live.wire import Wire
from plimsoll.model.account import Account
from plimsoll.model.clock import SystemClock
from plimsoll.model.errors import CommandRefused
from plimsoll.model.ids import AccountId, IntentKey, PortfolioId
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import Intent, OrderTerms, OrderType, Side
from plimsoll.store.sqlite import reader
from tests.builders.exchange import BTC, ETH, PERPETUAL, StandIn, nobody
from tests.cli.shell import candles, wave

D = Decimal
ETH_PERPETUAL = "ETH/USDT:USDT"


class World:
    """One exchange that answers, under one of the names that are asked; the others do not exist."""

    def __init__(self, exchange: StandIn, absent: StandIn, name: str = "okx") -> None:
        self.exchange, self.absent, self.name = exchange, absent, name

    def connect(self, exchange_id: str, symbols: Collection[str]) -> Wire:
        called = self.exchange if exchange_id == self.name else self.absent
        return called.connect("binance", symbols)


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        exchange = await stack.enter_async_context(StandIn((BTC, ETH, PERPETUAL, ETH_PERPETUAL)))
        for symbol, price in ((BTC, 50_000), (PERPETUAL, 50_010), (ETH, 3_000), (ETH_PERPETUAL, 3_001)):
            exchange.has(symbol, str(price), str(price + 1))
        yield World(exchange, await stack.enter_async_context(nobody()))


@asynccontextmanager
async def served(
    directory: Path, world: World | None, asked: Wanted | None = None, said: list[str] | None = None
) -> AsyncIterator[Served]:
    """Serve a desk, and end it as a signal would."""
    async with AsyncExitStack() as stack:
        nowhere = await stack.enter_async_context(nobody())
        around = world or World(nowhere, nowhere)
        desk = await open_served(
            DataDirectory(directory),
            asked,
            clock=SystemClock(),
            chance=random.Random(1),
            version="test",
            say=(said if said is not None else []).append,
            outside=Outside(wire=around.connect),
        )
        try:
            await desk.start()
            yield desk
        finally:
            await desk.stop_taking()
            await desk.close()


def only(desk: Served) -> ServedAccount:
    (account,) = desk.desk.accounts.values()
    return account


def record(served: ServedAccount) -> Account:
    account: Account = served.ports.books.hot.get(keys.account(served.ports.account_id))
    return account


async def priced(served: ServedAccount, symbol: str) -> Instrument:
    """Wait until an instrument has a price of this account's feed; each quote is looked at as it comes."""
    described = {each.symbol: each for each in await served.feed.describe()}
    instrument, came = described[symbol], asyncio.Event()
    served.attendant.on_quote(lambda quote: came.set() if quote.instrument_id == instrument.id else None)
    if served.ports.board.quote(instrument.id) is None:
        await asyncio.wait_for(came.wait(), 10)
    await served.protector.look()
    return instrument


async def buy(served: ServedAccount, instrument: Instrument, quantity: str) -> OrderAnswer:
    intent = Intent(
        IntentKey(f"test:{quantity}"),
        served.ports.account_id,
        PortfolioId(served.ports.account_id),
        OWNER,
        OrderTerms(instrument.id, Side.BUY, OrderType.MARKET, quantity=D(quantity)),
        "manual",
        served.ports.clock.now(),
    )
    return await place_order(served.ports, intent)


def test_the_first_start_takes_the_exchange_that_answers_for_ever(tmp_path: Path) -> None:
    """Its name is the account's source, its rules are the instruments', its prices are what is traded at."""

    async def main() -> None:
        said: list[str] = []
        async with world() as around, served(tmp_path, around, said=said) as desk:
            account = only(desk)
            assert (record(account).price_source, record(account).name) == ("live:okx", "Paper")
            assert "okx" in account.feed.label
            instrument = await priced(account, BTC)
            assert instrument.lot_size == D("0.00001")
            answer = await buy(account, instrument, "0.01")
            assert answer.order is not None, answer.checks_json
            assert answer.order.filled_quantity == D("0.01")
        assert any("binance, bybit, okx, kraken" in line for line in said)

    asyncio.run(main())


def test_without_a_network_a_live_account_shows_old_prices_and_no_others(tmp_path: Path) -> None:
    """The second start is offline: the same account, the same source, no price, and nothing opens."""

    async def main() -> None:
        async with world() as around, served(tmp_path, around) as desk:
            await priced(only(desk), BTC)
        async with served(tmp_path, None) as desk:
            account = only(desk)
            assert record(account).price_source == "live:okx"
            assert account.feed.status.state is not FeedState.RUNNING
            instrument = account.ports.books.hot.get(keys.instrument(account.candles.instruments[0]))
            assert account.ports.board.quote(instrument.id) is None
            refused = await buy(account, instrument, "0.02")
            assert refused.order is None
            assert "cannot_evaluate" in refused.checks_json

    asyncio.run(main())


def test_offline_at_the_very_first_start_it_is_the_synthetic_market_and_says_so(tmp_path: Path) -> None:
    """Live prices come later as another account; the demo stays what it is."""

    async def main() -> None:
        said: list[str] = []
        async with served(tmp_path, None, said=said) as desk:
            assert record(only(desk)).price_source == "synthetic"
            assert "synthetic" in only(desk).feed.label.lower()
        assert any("synthetic market" in line for line in said)
        async with world() as around, served(tmp_path, around, Wanted(LIVE)) as desk:
            demo, live = desk.desk.accounts.values()
            assert [record(each).price_source for each in (demo, live)] == ["synthetic", "live:okx"]
            one, other = await priced(demo, BTC), await priced(live, BTC)
            assert one.id != other.id
            assert demo.ports.board.quote(other.id) is None
            assert live.ports.board.quote(one.id) is None
            assert (await buy(live, other, "0.01")).approved
            assert demo.ports.books.hot.shelf(keys.POSITION, demo.ports.account_id) == []

    asyncio.run(main())


def test_live_prices_that_are_asked_for_and_not_there_leave_nothing_behind(tmp_path: Path) -> None:
    """A refusal with a remedy, before the first file."""

    async def main() -> None:
        with pytest.raises(NoLivePrices, match="nothing was written"):
            async with served(tmp_path, None, Wanted(LIVE)):
                pass

    asyncio.run(main())
    assert look_at(DataDirectory(tmp_path)) is None
    assert list(tmp_path.iterdir()) == []


def test_an_exchange_without_some_market_leaves_that_instrument_out(tmp_path: Path) -> None:
    """The account trades what there is."""

    async def main() -> None:
        async with world() as around:
            del around.exchange.markets[ETH_PERPETUAL]
            async with served(tmp_path, around) as desk:
                assert len(only(desk).candles.instruments) == 3
            async with served(tmp_path, around) as desk:
                assert len(only(desk).candles.instruments) == 3

    asyncio.run(main())


def test_every_account_has_its_money_once_however_often_it_is_started(tmp_path: Path) -> None:
    """A start finds the traces of the one before."""
    file = candles(tmp_path / "btc_usdt_1m.csv", wave(30))

    async def main() -> None:
        asked = [Wanted(SYNTHETIC), Wanted(REPLAY, file, "BTC/USDT"), Wanted(SYNTHETIC), None]
        for number, wanted in enumerate(asked):
            async with served(tmp_path, None, wanted) as desk:
                hot = desk.desk.books.hot
                assert list(desk.desk.accounts) == [AccountId(1), AccountId(2)][: number + 1]
                for account_id in desk.desk.accounts:
                    balances = hot.shelf(keys.BALANCE, account_id)
                    assert [balance.amount for balance in balances] == [D(10_000)]

    asyncio.run(main())


def test_a_recording_can_be_traded_at_while_it_plays(tmp_path: Path) -> None:
    """Its name is the account's source too."""
    file = candles(tmp_path / "btc_usdt_1m.csv", wave(30))

    async def main() -> None:
        async with served(tmp_path, None, Wanted(REPLAY, file, "BTC/USDT")) as desk:
            account = only(desk)
            answer = await buy(account, await priced(account, "BTC/USDT"), "0.01")
            assert answer.approved, answer.checks_json

    asyncio.run(main())


def test_a_recording_that_is_gone_or_another_one_is_a_lost_source_and_no_lost_desk(tmp_path: Path) -> None:
    """The other account goes on; the one that lived on the recording has no prices and says why."""
    file = candles(tmp_path / "btc_usdt_1m.csv", wave(30))

    async def main() -> None:
        async with served(tmp_path / "d", None, Wanted(SYNTHETIC)):
            pass
        async with served(tmp_path / "d", None, Wanted(REPLAY, file, "BTC/USDT")):
            pass
        for why, change in (("another recording", lambda: candles(file, wave(31))), ("cannot be read", file.unlink)):
            change()
            async with served(tmp_path / "d", None) as desk:
                demo, replay = desk.desk.accounts.values()
                assert (replay.feed.status.state, why in replay.feed.status.detail) == (FeedState.DOWN, True)
                assert (await buy(demo, await priced(demo, BTC), f"0.0{len(why)}")).approved
                instrument = replay.ports.books.hot.get(keys.instrument(replay.candles.instruments[0]))
                assert not (await buy(replay, instrument, "0.01")).approved

    (tmp_path / "d").mkdir()
    asyncio.run(main())


def test_recordings_of_one_name_or_of_the_same_bytes_are_accounts_of_their_own(tmp_path: Path) -> None:
    """Each has a name and instruments that no other has."""
    for folder in ("d", "one", "two"):
        (tmp_path / folder).mkdir()
    files = [
        candles(tmp_path / "one" / "btc.csv", wave(30)),
        candles(tmp_path / "two" / "btc.csv", wave(40)),
        candles(tmp_path / "two" / "btc_again.csv", wave(40)),
    ]

    async def main() -> None:
        for file in files:
            async with served(tmp_path / "d", None, Wanted(REPLAY, file, "BTC/USDT")):
                pass
        async with served(tmp_path / "d", None) as desk:
            names = [record(account).name for account in desk.desk.accounts.values()]
            assert names == ["Replay of btc.csv", "Replay of btc.csv (2)", "Replay of btc_again.csv"]

    asyncio.run(main())


def test_a_book_that_is_older_than_its_stamp_is_brought_to_what_the_venue_has_and_opens_only_then(
    tmp_path: Path,
) -> None:
    """Somebody put an older file in its place by hand: what was done since is not in it."""

    async def main() -> None:
        async with served(tmp_path, None, Wanted(SYNTHETIC)) as desk:
            account = only(desk)
            assert (await buy(account, await priced(account, BTC), "0.01")).approved
        copy = (tmp_path / "desk.db").read_bytes()
        async with served(tmp_path, None) as desk:
            account = only(desk)
            assert (await buy(account, await priced(account, BTC), "0.02")).approved
        stamped(tmp_path)
        (tmp_path / "desk.db").write_bytes(copy)
        said: list[str] = []
        async with served(tmp_path, None, said=said) as desk:
            account = only(desk)
            assert any("OLDER THAN IT WAS" in line for line in said)
            instrument = await priced(account, BTC)
            held = account.ports.books.hot.shelf(keys.POSITION, account.ports.account_id)
            assert sum(position.quantity for position in held) == D("0.03")
            assert (await buy(account, instrument, "0.04")).approved
        stamped(tmp_path)

    asyncio.run(main())


def test_a_book_that_is_another_than_its_stamp_saw_opens_nothing_until_a_person_says_so(tmp_path: Path) -> None:
    """Nothing is missing at its end: it was rewritten, or went two ways. No venue can say which one is true."""

    async def main() -> None:
        async with served(tmp_path, None, Wanted(SYNTHETIC)) as desk:
            account = only(desk)
            assert (await buy(account, await priced(account, BTC), "0.01")).approved
        stamped(tmp_path)
        told = json.loads((tmp_path / "heads.stamp").read_text())
        told["heads"]["1"]["link"] = "0" * 64
        (tmp_path / "heads.stamp").write_text(json.dumps(told))
        said: list[str] = []
        async with served(tmp_path, None, said=said) as desk:
            account = only(desk)
            assert any("NOT THE ONE OF ITS STAMP" in line for line in said)
            instrument = await priced(account, BTC)
            refused = await buy(account, instrument, "0.03")
            assert not refused.approved
            assert "could not write it down" in refused.checks_json or "REDUCE_ONLY" in refused.checks_json
            await lift(account.ports, MANUAL, "user:1")
            assert (await buy(account, instrument, "0.04")).approved

    asyncio.run(main())


def stamped(path: Path) -> None:
    directory = DataDirectory(path)
    stamp(reader(directory.database), directory.stamp, SystemClock().now())


def test_a_folder_whose_books_are_gone_is_refused(tmp_path: Path) -> None:
    """The stamp says that there was a desk."""

    async def main() -> None:
        (tmp_path / "heads.stamp").write_text("{}")
        with pytest.raises(CommandRefused, match="book_missing"):
            async with served(tmp_path, None, Wanted(SYNTHETIC)):
                pass
        assert not (tmp_path / "desk.db").exists()

    asyncio.run(main())


def test_an_exchange_that_greets_and_tells_nothing_is_no_source(tmp_path: Path) -> None:
    """The very first start goes on with the synthetic market, before anything was written."""

    async def main() -> None:
        async with world() as around:
            around.exchange.markets.clear()
            async with served(tmp_path, around) as desk:
                assert record(only(desk)).price_source == "synthetic"

    asyncio.run(main())
