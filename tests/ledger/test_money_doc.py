"""The worked examples of docs/money.md, each booked as it stands there."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from plimsoll.ledger import cash, keys
from plimsoll.ledger.book_cash import book_cash
from plimsoll.ledger.book_trade import Booking, book_trades
from plimsoll.ledger.corporate import (
    Holding,
    Split,
    deposit_coins,
    split_holdings,
    transfer_holding,
    unassigned,
    withdraw_coins,
)
from plimsoll.ledger.late_fee import book_late_fee
from plimsoll.ledger.log import Note, write_note
from plimsoll.model.account import Portfolio
from plimsoll.model.cash import Arrival, CashEvent, CashKind, debt
from plimsoll.model.ids import BrokerTradeId
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import Side
from plimsoll.model.position import Position
from plimsoll.model.trade import LateFee, TradeEffect
from plimsoll.store.draft import Draft
from tests.builders.happenings import OTHER, TRADED, desk, facts_of, order_key
from tests.builders.ledger import ACCOUNT, MAIN, NOON, SPOT, Books, client_order_id, fill

D = Decimal
PAGE = Path(__file__).resolve().parents[2] / "docs" / "money.md"
BLOCKS = re.findall(r"```book\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
_PORTFOLIOS = {"": MAIN, "main": MAIN, "other": OTHER}
_INSTRUMENTS: dict[str, Instrument] = {instrument.symbol: instrument for instrument in TRADED}


class Page:
    """One block: its books, and what its words mean."""

    def __init__(self) -> None:
        self.books: Books = desk()
        self.number = 0

    def run(self, line: str) -> None:
        """Book one line, or look at what it says."""
        for pattern, act in self._words():
            if said := re.fullmatch(pattern, line):
                act(self, *(word or "" for word in said.groups()))
                return
        raise AssertionError(f"nobody knows what this means: {line}")

    @staticmethod
    def _words() -> Iterator[tuple[str, "Callable[..., None]"]]:
        amount, name = r"(-?[\d.]+)", r"(\S+)"
        at = r"(\d\d:\d\d) "
        yield (
            rf"{at}(t\d+)(?: (corrected|busted) (\d))?(?: in (other))?: (buy|sell) {amount} {name} at {amount}"
            rf"(?: fee {amount} {name})?(?: paid {amount})?",
            Page.trade,
        )
        yield rf"{at}late fee of (t\d+): {amount} {name}", Page.late_fee
        yield rf"{at}(deposit|withdrawal|borrow|repay|funding) {amount} {name}(?: in (\w+))?(?: of {name})?", Page.event
        yield rf"{at}exchange {amount} {name} for {amount} {name}", Page.exchange
        yield rf"{at}bring {amount} BTC at (?:cost {amount}|unknown cost)", Page.bring
        yield rf"{at}take {amount} BTC", Page.take
        yield rf"{at}hand {amount} BTC to other", Page.hand
        yield rf"{at}split {name} {amount} for {amount}", Page.split
        yield rf"position (?:(other) )?{name}: (.+)", Page.look_at_position
        yield rf"(fees|flows) {name}: (.+)", Page.look_at_sums
        yield rf"balance (?:(other) )?{name}(?: in (\w+))?: {amount}", Page.look_at_balance
        yield rf"line {name}: {amount} {name}", Page.look_at_line
        yield rf"unassigned {name}: {amount}", Page.look_at_unassigned
        yield rf"debt {name} in (\w+): {amount}", Page.look_at_debt

    # What happens -----------------------------------------------------------------------------------------------------

    def trade(self, *said: str) -> None:
        clock, trade_id, effect, revision, portfolio, side, quantity, symbol, price, fee, fee_currency, paid = said
        instrument, way = _INSTRUMENTS[symbol], Side(side.upper())
        names = {"corrected": TradeEffect.CORRECT, "busted": TradeEffect.BUST}
        order_id = client_order_id(order_key(OTHER, instrument, way)) if portfolio else None
        report = fill(
            instrument,
            way,
            quantity,
            price,
            trade_id=BrokerTradeId(trade_id),
            fee=D(fee or "0"),
            fee_currency=fee_currency or instrument.cash_asset,
            exec_time=_at(clock),
            sequence=0,
            revision=int(revision or 0),
            effect=names.get(effect),
            client_order_id=order_id,
            realized_cash=D(paid) if paid else None,
        )
        assert self.books.write(lambda draft: book_trades(draft, [report], NOON, "venue:paper")) == [Booking.BOOKED]

    def late_fee(self, clock: str, trade_id: str, fee: str, currency: str) -> None:
        place = (ACCOUNT.id, SPOT.id, BrokerTradeId(trade_id))
        self._noted(
            lambda draft: book_late_fee(draft, LateFee(*place, self._name(), D(fee), currency, _at(clock)), NOON)
        )

    def event(self, *said: str) -> None:
        clock, kind, amount, asset, pocket, symbol = said
        told = CashEvent(
            ACCOUNT.id,
            MAIN.id,
            CashKind(kind.upper()),
            asset,
            D(amount),
            self._name(),
            _at(clock),
            pocket=pocket or "spot",
            instrument_id=_INSTRUMENTS[symbol].id if symbol else None,
        )
        assert self.books.write(lambda draft: book_cash(draft, told, "venue:paper", NOON)) is Booking.BOOKED

    def exchange(self, clock: str, amount: str, asset: str, new_amount: str, new_asset: str) -> None:
        arrival = Arrival(MAIN.id, "spot", new_asset, D(new_amount))
        place = (ACCOUNT.id, MAIN.id, CashKind.TRANSFER, asset)
        told = CashEvent(*place, D(amount), self._name(), _at(clock), arrival=arrival)
        assert self.books.write(lambda draft: book_cash(draft, told, "venue:paper", NOON)) is Booking.BOOKED

    def bring(self, clock: str, quantity: str, cost: str) -> None:
        self._noted(lambda draft: deposit_coins(draft, self._coins(clock, quantity), D(cost) if cost else None, NOON))

    def take(self, clock: str, quantity: str) -> None:
        self._noted(lambda draft: withdraw_coins(draft, self._coins(clock, quantity), NOON))

    def hand(self, clock: str, quantity: str) -> None:
        self._noted(lambda draft: transfer_holding(draft, self._coins(clock, quantity), OTHER.id, NOON))

    def split(self, clock: str, symbol: str, new: str, per: str) -> None:
        told = Split(D(new), D(per), self._name(), _at(clock))
        self._noted(lambda draft: split_holdings(draft, ACCOUNT.id, _INSTRUMENTS[symbol].id, told, NOON))

    def _coins(self, clock: str, quantity: str) -> Holding:
        return Holding(ACCOUNT.id, MAIN.id, SPOT.id, D(quantity), self._name(), _at(clock))

    def _name(self) -> str:
        self.number += 1
        return f"n{self.number}"

    def _noted(self, book: Callable[[Draft], Booking]) -> None:
        def unit(draft: Draft) -> Booking:
            write_note(draft, Note(ACCOUNT.id, "user:1", "CREATE", "CASH", "an example", NOON, {}))
            return book(draft)

        assert self.books.write(unit) is Booking.BOOKED

    # What the book holds ----------------------------------------------------------------------------------------------

    def _position(self, portfolio: Portfolio, symbol: str) -> Position:
        place = keys.position(ACCOUNT.id, (portfolio.id, _INSTRUMENTS[symbol].id, 0, ""))
        found: Position | None = self.books.get(place)
        assert found is not None, f"no position {symbol} in {portfolio.name}"
        return found

    def look_at_position(self, portfolio: str, symbol: str, said: str) -> None:
        position = self._position(_PORTFOLIOS[portfolio], symbol)
        held = {
            "quantity": position.quantity,
            "cost": position.cost,
            "realised": position.realized_pnl,
            "average": position.avg_price(_INSTRUMENTS[symbol]),
            "fee cost": position.fee_cost,
            "uncosted": position.uncosted,
            "proceeds": position.uncosted_proceeds,
        }
        wanted = {name: D(number) for name, number in (part.rsplit(" ", 1) for part in said.split(", "))}
        assert {name: held[name] for name in wanted} == wanted

    def look_at_sums(self, what: str, symbol: str, said: str) -> None:
        position = self._position(MAIN, symbol)
        if what == "fees":
            assert ", ".join(f"{amount} {asset}" for asset, amount in sorted(position.fees)) == said
        else:
            assert ", ".join(f"{kind} {amount} {asset}" for kind, asset, amount in position.flows) == said

    def look_at_balance(self, portfolio: str, asset: str, pocket: str, said: str) -> None:
        assert self._balance(_PORTFOLIOS[portfolio], pocket or "spot", asset) == D(said)

    def _balance(self, portfolio: Portfolio, pocket: str, asset: str) -> Decimal:
        found: cash.Balance | None = self.books.get(keys.balance(ACCOUNT.id, portfolio.id, pocket, asset))
        return D(0) if found is None else found.amount

    def look_at_line(self, kind: str, said: str, asset: str) -> None:
        lines = facts_of(self.books).lines
        assert (kind, D(said), asset) in {(line.kind.value, line.amount, line.asset) for line in lines}

    def look_at_unassigned(self, asset: str, said: str) -> None:
        assert self.books.write(lambda draft: unassigned(draft, ACCOUNT.id, asset)) == D(said)

    def look_at_debt(self, asset: str, pocket: str, said: str) -> None:
        assert debt(self._balance(MAIN, pocket, asset), self._balance(MAIN, "loan", asset)) == D(said)


def _at(clock: str) -> datetime:
    hours, minutes = clock.split(":")
    return NOON.replace(hour=int(hours), minute=int(minutes))


def test_the_page_has_examples() -> None:
    assert len(BLOCKS) >= 14


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.splitlines()[0])
def test_each_example_is_booked_as_it_says(block: str) -> None:
    page = Page()
    for line in block.splitlines():
        page.run(line)
    folded = facts_of(page.books).positions()
    for place, position in folded.items():
        assert page.books.get(keys.position(place[0], place[1])) == position
