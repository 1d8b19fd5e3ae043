"""An exchange with a clock that stands still until it is moved, and one trader on it, in few words for the tests."""

import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from tests.simulation.exchange.codes import Refusal
from tests.simulation.exchange.exchange import Exchange
from tests.simulation.exchange.listing import LISTINGS
from tests.simulation.exchange.personality import KIND, Paging, Personality
from tests.simulation.exchange.stream import Message

SPOT, PERP = "BTC/USDT", "BTC/USDT:USDT"
START = datetime(2022, 1, 1, tzinfo=UTC)
KEY = "trader"


class Floor:
    """One exchange, one trader, and everything that his stream has told."""

    def __init__(
        self,
        personality: Personality = KIND,
        *,
        seed: int = 1,
        symbols: Iterable[str] = (SPOT, PERP),
        deposits: str = "USDT 10000",
    ) -> None:
        self.now = START
        listings = [LISTINGS[symbol] for symbol in symbols]
        self.exchange = Exchange(personality, listings, lambda: self.now, random.Random(seed))
        money = deposits.split()
        self.exchange.open(KEY, dict(zip(money[::2], map(Decimal, money[1::2]), strict=True)))
        self.heard: list[Message] = []
        self.stop = self.exchange.subscribe(KEY, self.heard.append)
        self._ids = 0

    @property
    def personality(self) -> Personality:
        return self.exchange.personality

    def wait(self, seconds: float) -> None:
        """Let time pass, second by second."""
        for _ in range(int(seconds)):
            self.now += timedelta(seconds=1)
            self.exchange.pass_time()
        self.now += timedelta(seconds=seconds - int(seconds))

    def price(self, price: str | int, *symbols: str) -> None:
        """Trade at a price, everywhere or in some markets."""
        for symbol in symbols or (SPOT, PERP):
            self.exchange.trade_at(symbol, Decimal(price))

    def ask(self, method: str, path: str, **params: str) -> Message:
        return self.exchange.call(KEY, method, path, params)

    def order(self, words: str, symbol: str = SPOT, **more: str) -> Message:
        """Place an order told in words: `BUY 0.01`, `SELL 0.01 at 40000`, `SELL 0.01 stop 39000 at 38900`."""
        told = words.split()
        named = dict(zip(told[2::2], told[3::2], strict=True))
        kinds = {(): "MARKET", ("at",): "LIMIT", ("stop",): "STOP", ("at", "stop"): "STOP_LIMIT"}
        self._ids += 1
        params = {
            "symbol": symbol,
            "side": told[0],
            "type": kinds[tuple(sorted(named))],
            "quantity": told[1],
            "clientOrderId": f"c{self._ids}",
            "timestamp": str(int(self.now.timestamp() * 1000)),
        }
        for word, name in (("at", "price"), ("stop", "stopPrice")):
            if word in named:
                params[name] = named[word]
        return self.exchange.call(KEY, "POST", "/order", {**params, **more})

    def no(self, words: str, symbol: str = SPOT, **more: str) -> int:
        """Place an order that is refused, and give the code; nothing of the account has changed."""
        before = self.exchange.truth(KEY)
        try:
            self.order(words, symbol, **more)
        except Refusal as refusal:
            after = self.exchange.truth(KEY)
            assert (after, after.accepted) == (before, before.accepted), "a refusal changes nothing"
            return refusal.code
        raise AssertionError(f"{words} was taken")

    def cancel(self, client_order_id: object, symbol: str = SPOT) -> Message:
        return self.ask("DELETE", "/order", symbol=symbol, clientOrderId=str(client_order_id))

    def balance(self, asset: str) -> Decimal:
        """Sum an asset over both pockets, as the account answers."""
        return sum((total for (_, one), total in self.balances().items() if one == asset), Decimal(0))

    def balances(self) -> dict[tuple[str, str], Decimal]:
        told = _rows(self.ask("GET", "/account"), "balances")
        return {(str(row["pocket"]), str(row["asset"])): Decimal(str(row["total"])) for row in told}

    def positions(self) -> dict[tuple[str, str], Decimal]:
        told = _rows(self.ask("GET", "/account"), "positions")
        return {(str(row["symbol"]), str(row["side"])): Decimal(str(row["quantity"])) for row in told}

    def all_rows(self, path: str) -> list[Message]:
        """Read a history whole."""
        if self.personality.paging is Paging.FROM_ID and path == "/fills":
            symbols = [str(row["symbol"]) for row in _rows(self.ask("GET", "/instruments"))]
            asked = [self.ask("GET", path, symbol=symbol, limit="1000") for symbol in symbols]
        else:
            asked = [self.ask("GET", path, limit="1000")]
        return [row for told in asked for row in _rows(told)]

    def kinds(self) -> list[str]:
        """Say what the stream has told, by kind."""
        return [str(message["e"]) for message in self.heard]


def _rows(told: Message, name: str = "rows") -> list[Message]:
    rows = told[name]
    assert isinstance(rows, list)
    return rows
