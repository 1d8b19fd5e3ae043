"""A simulated exchange: authoritative, synchronous, seeded. One venue with accounts; an account is an API key.

It has a market of its own (`trade_at`), matches, takes fees, keeps margin, liquidates, pays funding, and differs from
the kindest venue in what its `Personality` says. The desk reaches it through `call` and `subscribe` alone, behind a
hostile network; the oracle reads `truth`; the world makes things happen to it.

What must not enter: the desk's own arithmetic, its ledger or its rules. Where the two agree, they agree for a reason.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from tests.simulation.exchange import api, codes, happenings, margin, matching
from tests.simulation.exchange.amounts import text
from tests.simulation.exchange.books import Account
from tests.simulation.exchange.codes import Refusal
from tests.simulation.exchange.house import House
from tests.simulation.exchange.listing import Listing
from tests.simulation.exchange.personality import Personality
from tests.simulation.exchange.stream import Hear, Message, Stream
from tests.simulation.exchange.truth import Truth, truth_of

_ORDER = "/order"
_FLOWS = frozenset({"DEPOSIT", "WITHDRAWAL"})


class Exchange:
    """One venue."""

    def __init__(
        self,
        personality: Personality,
        listings: Sequence[Listing],
        now: Callable[[], datetime],
        chance: random.Random,
    ) -> None:
        self.personality = personality
        self._house = House(personality, listings, now, chance)
        self._hear_prices: list[Hear] = []
        started = self._house.now_us()
        self._funding_us = started + int(personality.funding_seconds * 1_000_000)
        self._interest_us = started + int(personality.interest_seconds * 1_000_000)

    @property
    def name(self) -> str:
        return self.personality.name

    # ------------------------------------------------------------------------------------- for the desk

    def call(self, key: str, method: str, path: str, params: Mapping[str, str]) -> Message:
        """Answer a request; the answer is JSON-able.

        Raises: Refusal
        """
        account = self._house.accounts.get(key)
        if account is None:
            raise Refusal(401, codes.BAD_KEY, "invalid API key")
        told = api.answer(self._house, account, method, path, params)
        answered = told["orderId"] if path == _ORDER and method != "GET" else None
        self._house.flush(account, None if answered is None else str(answered))
        return told

    def subscribe(self, key: str, hear: Hear, since: int | None = None) -> Callable[[], None]:
        """Open an account's private stream; the answer closes it.

        Raises: Refusal
        """
        stream = self._house.streams.get(key)
        if stream is None:
            raise Refusal(401, codes.BAD_KEY, "invalid API key")
        return stream.subscribe(hear, since, self._house.now_us())

    def subscribe_prices(self, hear: Hear) -> Callable[[], None]:
        """Listen to the market; the answer stops it."""
        self._hear_prices.append(hear)

        def stop() -> None:
            if hear in self._hear_prices:
                self._hear_prices.remove(hear)

        return stop

    # ------------------------------------------------------------------------------------ for the world

    def open(self, key: str, deposits: Mapping[str, Decimal]) -> None:
        """Open an account with its first money."""
        assert key not in self._house.accounts, f"{key} has an account"
        account = self._house.accounts[key] = Account(key)
        self._house.streams[key] = Stream(self.personality)
        for asset, amount in deposits.items():
            happenings.deposit(self._house, account, asset, amount)
        self._house.flush(account)

    def trade_at(self, symbol: str, price: Decimal) -> None:
        """Let the market trade at a price: who waited for it is filled, who cannot bear it is liquidated."""
        market = self._house.markets[symbol]
        matching.set_price(market, price)
        if market.waiting:
            matching.move(self._house, market)
        if market.holders:
            margin.watch(self._house, market)
        self._flush_all()
        if self._hear_prices:
            last = text(market.price)
            told: Message = {
                "symbol": symbol,
                "bid": text(market.bid),
                "ask": text(market.ask),
                "last": last,
                "mark": last,
                "timeUs": self._house.now_us(),
            }
            for hear in tuple(self._hear_prices):
                hear(told)

    def pass_time(self) -> None:
        """Do what is due by the clock: funding, interest, heartbeats, the cut of long streams. Called every second."""
        now_us = self._house.now_us()
        if now_us >= self._funding_us:
            self._funding_us = now_us + int(self.personality.funding_seconds * 1_000_000)
            happenings.fund(self._house)
        if now_us >= self._interest_us:
            self._interest_us = now_us + int(self.personality.interest_seconds * 1_000_000)
            happenings.charge_interest(self._house)
        self._flush_all()
        for stream in self._house.streams.values():
            stream.pass_time(now_us)

    def trade_by_hand(self, key: str) -> str | None:
        """Let the account's owner trade past the desk."""
        return self._happen(key, happenings.trade_by_hand)

    def bust_last(self, key: str) -> str | None:
        """Take a fill back."""
        return self._happen(key, happenings.bust_last)

    def correct_last(self, key: str) -> str | None:
        """Tell a fill otherwise."""
        return self._happen(key, happenings.correct_last)

    def deleverage(self, key: str) -> str | None:
        """Close a winner."""
        return self._happen(key, happenings.deleverage)

    def deposit(self, key: str, asset: str, amount: Decimal) -> str | None:
        """Let money come in."""
        return self._happen(key, lambda house, account: happenings.deposit(house, account, asset, amount))

    def withdraw(self, key: str, asset: str, amount: Decimal) -> str | None:
        """Let money go out, if it can be spared."""
        return self._happen(key, lambda house, account: happenings.withdraw(house, account, asset, amount))

    # ----------------------------------------------------------------------------------- for the oracle

    def truth(self, key: str) -> Truth:
        """Copy what is true of an account."""
        return truth_of(self._house, self._house.accounts[key])

    def worth(self, key: str) -> tuple[Decimal | None, Decimal]:
        """Say what an account is worth, if it has a price, and how much of the quote asset came from outside."""
        account = self._house.accounts[key]
        flows = (one.amount for one in account.moved if one.type in _FLOWS and one.asset == self._house.quote)
        return margin.equity(self._house, account), sum(flows, Decimal(0))

    def check(self) -> None:
        """Add every account up again.

        Raises: BooksBroken
        """
        for account in self._house.accounts.values():
            account.check()

    def _happen(self, key: str, what: Callable[[House, Account], str | None]) -> str | None:
        account = self._house.accounts[key]
        told = what(self._house, account)
        margin.check(self._house, account, self._house.quote)
        self._house.flush(account)
        return told

    def _flush_all(self) -> None:
        for account in self._house.accounts.values():
            self._house.flush(account)
