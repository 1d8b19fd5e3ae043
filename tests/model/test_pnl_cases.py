"""Fill sequences whose results other projects assert, through `Position.after`.

Their conventions differ in when a fee is charged, in rounding, and in what is forgotten when a position goes flat: each
asserted key is translated into our gross profit and our fees, which are compared apart. A key that nobody translates
fails the test, so that no assertion is passed over in silence.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pytest

from plimsoll.model import money
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import Side
from plimsoll.model.position import Position
from tests.model.words import FLAT, INVERSE, PERPETUAL, SPOT, book

D = Decimal
AVERAGE_COST_CASES = 24
#: Profit over freqtrade's stake: a ratio of theirs, no book of ours.
RATIOS = {"cumulative_profit_ratio", "profit_ratio"}
ONE_DOLLAR_INVERSE = Instrument(
    id=INVERSE.id,
    symbol=INVERSE.symbol,
    venue=INVERSE.venue,
    asset_type=INVERSE.asset_type,
    base=INVERSE.base,
    quote=INVERSE.quote,
    settle=INVERSE.settle,
    tick_size=INVERSE.tick_size,
    lot_size=INVERSE.lot_size,
    inverse=True,
)


@dataclass
class Story:
    """What happened to a position so far, as the other conventions need to know it."""

    instrument: Instrument
    position: Position = FLAT
    before: Position = FLAT
    #: Fees of the quantity that is still open: freqtrade charges an entry's fee when it is closed.
    fees_of_open: Decimal = money.ZERO
    fees_before: Decimal = money.ZERO
    fees_of_open_before: Decimal = money.ZERO
    last_fee: Decimal = money.ZERO
    fills: list[tuple[Decimal, Decimal]] = field(default_factory=list)

    def tell(self, number: int, told: Mapping[str, str]) -> None:
        """Book one fill."""
        side, quantity, price, fee = Side(told["side"].upper()), D(told["qty"]), D(told["price"]), D(told["fee"])
        asset = self.instrument.base if told["fee_ccy"] == "base" else self.instrument.cash_asset
        trade = book(self.instrument, side, quantity, price, fee=fee, fee_currency=asset, number=number)
        self.before, self.fees_before, self.last_fee = self.position, self.fees, fee
        self.fees_of_open_before = self.fees_of_open
        self.position = self.position.after(trade, self.instrument)
        self.fills.append((trade.signed_quantity, price))
        if self.before.quantity * trade.signed_quantity >= 0:
            self.fees_of_open += fee
        else:
            left = max(D(0), abs(self.before.quantity) - quantity)
            self.fees_of_open = money.settle_share(self.fees_of_open, left, abs(self.before.quantity))

    @property
    def fees(self) -> Decimal:
        return self.position.fee_in(self.instrument.cash_asset)

    @property
    def gross(self) -> Decimal:
        return self.position.realized_pnl

    def unrealised(self, price: Decimal) -> Decimal:
        return self.position.unrealized_pnl(self.instrument, price)

    @property
    def entry_price(self) -> Decimal:
        """Average the price of the fills that went the first fill's way."""
        first = self.fills[0][0]
        chosen = [(abs(quantity), price) for quantity, price in self.fills if quantity * first > 0]
        return money.settle_quotient(sum((q * p for q, p in chosen), D(0)), sum((q for q, _ in chosen), D(0)))

    @property
    def closed_quantity(self) -> Decimal:
        """Sum what was sold; the cases that ask were long."""
        assert self.fills[0][0] > 0
        return sum((-quantity for quantity, _ in self.fills if quantity < 0), D(0))

    def share_of_flip(self) -> Decimal:
        """Give the part of the last fee that belongs to the position which the last fill opened."""
        moved = abs(self.fills[-1][0])
        return money.settle_share(self.last_fee, abs(self.position.quantity), moved)


def net_of_all_fees(story: Story) -> Decimal:
    """Charge each fee when it is paid."""
    return story.gross - story.fees


def net_of_closed_fees(story: Story) -> Decimal:
    """Charge an entry's fee when its quantity is closed."""
    return story.gross - (story.fees - story.fees_of_open)


def net_of_last_close(story: Story) -> Decimal:
    """Give what the last fill alone realised, an entry's fee charged when its quantity is closed."""
    return net_of_closed_fees(story) - (story.before.realized_pnl - (story.fees_before - story.fees_of_open_before))


def flipped(story: Story) -> bool:
    return story.before.quantity * story.position.quantity < 0


def net_of_open_position(story: Story) -> Decimal:
    """Start again at a flip: the new position carries only its share of the flipping fee."""
    return -story.share_of_flip() if flipped(story) else net_of_all_fees(story)


FREQTRADE_NET = {"cumulative_realized_net": net_of_closed_fees}

#: Asserted key -> our number. `market_price` and `closed_*` are told apart below.
KEYS: dict[str, Callable[[Story], Decimal]] = {
    "qty": lambda story: story.position.quantity,
    "avg_price": lambda story: story.position.avg_price(story.instrument),
    "realized_net": net_of_all_fees,
    "cumulative_realized_net": net_of_all_fees,
    "fees": lambda story: story.fees,
    "total_fees": lambda story: story.fees,
    "gross_profit": lambda story: story.gross,
    "invested": lambda story: story.position.cost,
    "avg_price_open": lambda story: story.entry_price,
    # What was closed at, from our profit alone.
    "avg_price_close": lambda story: story.entry_price + money.settle_quotient(story.gross, story.closed_quantity),
    "qty_closed": lambda story: story.closed_quantity,
    # freqtrade keeps amount, stake and average of the last open state on the row that closes.
    "freqtrade_amount": lambda story: (story.before if story.position.is_flat else story.position).quantity,
    "stake_amount": lambda story: (story.before if story.position.is_flat else story.position).cost,
    "order_profit": net_of_last_close,
}


def same(ours: Decimal, asserted: Decimal) -> bool:
    """Compare exactly, except with numbers that their authors rounded: those have eight places or more."""
    _sign, _digits, exponent = asserted.as_tuple()
    assert isinstance(exponent, int)
    if exponent > -8:
        return ours == asserted
    return abs(ours - asserted) <= max(D(1).scaleb(exponent), D("1E-18"))


class Case:
    """One sequence through one instrument; collects what differs."""

    def __init__(self, case: Mapping[str, object], instrument: Instrument) -> None:
        self.case = case
        self.story = Story(instrument)
        self.freqtrade = str(case["id"]).startswith("freqtrade")
        self.differences: list[str] = []
        self.compared = 0

    def expect(self, key: str, ours: Decimal, asserted: object) -> None:
        self.compared += 1
        if not same(ours, D(str(asserted))):
            self.differences.append(f"{self.case['id']} {self.story.instrument.symbol}: {key} {ours} != {asserted}")

    def check(self, asserted: Mapping[str, object]) -> None:
        """Compare every asserted key, each in its own convention."""
        for key, value in asserted.items():
            match key, value:
                case _, None:
                    assert self.story.gross == 0, "nothing was closed, so nothing is asserted"
                case "open_position", dict():
                    self.check_open(value)
                case "closed_position", dict():
                    self.check_closed(value)
                case "closed_trades", [dict() as only]:
                    self.check_round_trip(only)
                case "market_price", _:
                    price = D(str(value))
                    gross = self.story.gross + self.story.unrealised(price)
                    self.expect("gross_performance", gross, asserted["gross_performance"])
                    self.expect("net_performance", gross - self.story.fees, asserted["net_performance"])
                case (("gross_performance" | "net_performance"), _):
                    assert "market_price" in asserted
                case "avg_price", _ if self.freqtrade and self.story.position.is_flat:
                    self.expect(key, self.story.before.avg_price(self.story.instrument), value)
                case _ if key in RATIOS:
                    continue
                case _:
                    how = FREQTRADE_NET.get(key, KEYS[key]) if self.freqtrade else KEYS[key]
                    self.expect(key, how(self.story), value)

    def check_open(self, asserted: Mapping[str, object]) -> None:
        story = self.story
        self.expect("open qty", story.position.quantity, asserted["qty"])
        self.expect("open avg_price", story.position.avg_price(story.instrument), asserted["avg_price"])
        self.expect("open realized_net", net_of_open_position(story), asserted["realized_net"])
        if "unrealized_net_of_approx_exit_fee" in asserted:
            # Their estimate of leaving: the entry fee, pro rata of what is still open, at the last price seen.
            quantity, entry_fee = story.fills[0][0], story.fees_before
            leaving = money.settle_share(entry_fee, story.position.quantity, quantity)
            unrealised = story.unrealised(story.fills[-1][1]) - leaving
            self.expect("unrealised less exit fee", unrealised, asserted["unrealized_net_of_approx_exit_fee"])
        assert set(asserted) <= {"qty", "avg_price", "realized_net", "unrealized_net_of_approx_exit_fee"}

    def check_closed(self, asserted: Mapping[str, object]) -> None:
        story = self.story
        assert flipped(story)
        assert asserted["side"] == ("long" if story.before.quantity > 0 else "short")
        self.expect("closed avg_price", story.before.avg_price(story.instrument), asserted["avg_price"])
        self.expect("closed fees_enter", story.fees_before, asserted["fees_enter"])
        self.expect("closed fees_exit", story.last_fee - story.share_of_flip(), asserted["fees_exit"])
        fees = D(str(asserted["fees_enter"])) + D(str(asserted["fees_exit"]))
        self.expect("closed gross", story.gross, D(str(asserted["realized_net"])) + fees)

    def check_round_trip(self, asserted: Mapping[str, object]) -> None:
        story = self.story
        assert story.position.is_flat
        assert asserted["direction"] == ("long" if story.before.quantity > 0 else "short")
        self.expect("closed qty", abs(story.before.quantity), asserted["qty"])
        self.expect("entry", story.before.avg_price(story.instrument), asserted["entry"])
        self.expect("exit", story.fills[-1][1], asserted["exit"])
        self.expect("profit", story.gross, asserted["profit"])

    def mark(self, asserted: Mapping[str, str]) -> None:
        """Compare a valuation at a price."""
        story, price = self.story, D(asserted["price"])
        ours = {
            "price": price,
            "unrealized": story.unrealised(price),
            "total": story.gross - story.fees + story.unrealised(price),
            "notional": story.instrument.notional(abs(story.position.quantity), price),
        }
        for key, value in asserted.items():
            self.expect(f"at {price} {key}", ours[key], value)


def instruments_of(case: Mapping[str, object]) -> list[Instrument]:
    """A linear case holds on spot and on a perpetual alike; a fee in coins only where coins are held."""
    if case["instrument_type"] == "inverse":
        return [ONE_DOLLAR_INVERSE]
    return [SPOT] if '"base"' in json.dumps(case) else [SPOT, PERPETUAL]


@pytest.fixture(scope="module")
def cases(test_data: Path) -> list[dict[str, object]]:
    """Read the average-cost cases, numbers as the text they were asserted in."""
    text = (test_data / "pnl_cases" / "fill_sequences.json").read_text(encoding="utf-8")
    everything = json.loads(text, parse_float=str, parse_int=str)["cases"]
    return [case for case in everything if "average" in case["lot_method"]]


def test_every_average_cost_case_gives_its_asserted_numbers(cases: list[dict[str, object]]) -> None:
    """Quantity, average, gross profit and fees agree with six other projects, each in its own convention."""
    differences: list[str] = []
    for case in cases:
        assert case["multiplier"] == "1", "an instrument with a multiplier must be built for this case"
        for instrument in instruments_of(case):
            told = Case(case, instrument)
            steps = case["steps"]
            assert isinstance(steps, list)
            for number, step in enumerate(steps, start=1):
                told.story.tell(number, step["fill"])
                told.check(step.get("expect", {}))
            final, marks = case.get("expect_final", {}), case.get("marks", [])
            assert isinstance(final, dict)
            assert isinstance(marks, list)
            told.check(final)
            for mark in marks:
                told.mark(mark)
            assert told.compared > 0, f"{case['id']} asserts nothing"
            differences += told.differences
    assert differences == []


def test_no_case_was_lost_on_the_way(cases: list[dict[str, object]]) -> None:
    """A reader that silently finds fewer cases would make the test above green."""
    assert len(cases) == AVERAGE_COST_CASES


def test_a_wrong_number_would_be_seen(cases: list[dict[str, object]]) -> None:
    """The comparison itself can fail, on exact and on rounded numbers."""
    assert same(D("10"), D("10.0"))
    assert not same(D("10.000001"), D("10"))
    assert same(D("0.909090909090909091"), D("0.90909091"))
    assert not same(D("0.90909093"), D("0.90909091"))
