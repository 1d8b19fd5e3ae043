"""The folds of a book in the making: positions, their days and the balances, as facts come in the order of the fold.

How something moves a position is `model.position`'s; here stands only where each position has come to, in plain
numbers: a million fills make no position for each of them.

Time only goes forward, so a day that is over leaves memory; what is held grows with positions and not with fills.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from plimsoll.ledger import cash, days, positions
from plimsoll.ledger.days import DayMove, Fees, Flows
from plimsoll.model import money
from plimsoll.model.cash import CashLine
from plimsoll.model.clock import parse_time
from plimsoll.model.entry import Entry, EntryKind
from plimsoll.model.errors import Illegal
from plimsoll.model.ids import AccountId, BrokerTradeId, PortfolioId, StrategyId
from plimsoll.model.instrument import Instrument
from plimsoll.model.position import (
    NOTHING,
    Amounts,
    Position,
    PositionKey,
    came_in,
    paid_in_coins,
    split,
    traded,
    went_out,
)
from plimsoll.store.draft import Row

#: (time, sequence, name, rank): where something stands in the fold; texts of times sort as the times do.
FoldedTo = tuple[str, int, str, int]
_ONE = Decimal(1)
_DAY = slice(len("2022-01-31"))


@dataclass(slots=True)
class _Day:
    realized: Decimal = money.ZERO
    turnover: Decimal = money.ZERO
    count: int = 0
    fees: dict[str, Decimal] = field(default_factory=dict)
    flows: dict[tuple[str, str], Decimal] = field(default_factory=dict)


@dataclass(slots=True)
class _Held:
    """Where a position stands."""

    amounts: Amounts = NOTHING
    opened_at: str | None = None
    folded_to: FoldedTo | None = None
    fees: dict[str, Decimal] = field(default_factory=dict)
    flows: dict[tuple[str, str], Decimal] = field(default_factory=dict)


class Folds:
    """What the facts of one portfolio have folded into so far."""

    def __init__(
        self, account_id: AccountId, portfolio_id: PortfolioId, days_over: Callable[[list[Row]], None]
    ) -> None:
        self._account_id = account_id
        self._portfolio_id = portfolio_id
        self._days_over = days_over
        self._held: defaultdict[PositionKey, _Held] = defaultdict(_Held)
        self._day = ""
        self._days: defaultdict[PositionKey, _Day] = defaultdict(_Day)
        self._balances: defaultdict[tuple[str, str], Decimal] = defaultdict(lambda: money.ZERO)

    def pay(self, pocket: str, asset: str, amount: Decimal) -> None:
        """Move a balance."""
        self._balances[pocket, asset] += amount

    def trade(  # noqa: PLR0917  one fill in plain numbers: this runs for each of a million
        self,
        key: PositionKey,
        instrument: Instrument,
        moved: Decimal,
        value: Decimal,
        fee: Decimal,
        fee_asset: str,
        to: FoldedTo,
    ) -> Decimal:
        """Fold a fill in; give what it realised.

        Shapes: `moved` and `value` signed, a sale's value positive
        """
        held = self._held[key]
        before = held.amounts
        after = traded(before, moved, value)
        self._opened(held, before, after, to[0])
        if fee:
            if fee_asset == instrument.base and not instrument.is_derivative:
                after = paid_in_coins(after, fee)
            held.fees[fee_asset] = held.fees[fee_asset] + fee if fee_asset in held.fees else fee
        held.amounts, held.folded_to = after, to
        day = self._today(key, to[0])
        day.turnover += abs(value)
        day.count += 1
        if fee:
            day.fees[fee_asset] = day.fees[fee_asset] + fee if fee_asset in day.fees else fee
        if after[2] is before[2]:  # what only opens realises nothing: the same number was handed on
            return money.ZERO
        realized = after[2] - before[2]
        day.realized += realized
        return realized

    def enter(self, key: PositionKey, entry: Entry, to: FoldedTo) -> None:
        """Fold in what changes a position and is no trade."""
        if entry.kind is EntryKind.IN:
            self._enter(key, lambda held: came_in(held, entry.quantity, entry.cost), to)
        else:
            self._enter(key, lambda held: went_out(held, entry.quantity, entry.cost), to)

    def split(self, entry: Entry, to: FoldedTo) -> Iterator[tuple[PositionKey, Decimal]]:
        """Split all that something ever happened to; give how many pieces each position got."""
        number, new, per = entry.instrument_id, entry.quantity, entry.per or _ONE
        for key in sorted(key for key, held in self._held.items() if key[1] == number and held.folded_to is not None):
            before = self._held[key].amounts[0]
            self._enter(key, lambda held: split(held, new, per), to)
            yield key, money.check_digits(self._held[key].amounts[0] - before, "quantity")

    def flow(self, key: PositionKey, line: CashLine, at: str) -> None:
        """Add what a position earned or cost beside its trades."""
        flow = (line.kind.value, line.asset)
        for flows in (self._held[key].flows, self._today(key, at).flows):
            flows[flow] = flows.get(flow, money.ZERO) + line.amount

    def _enter(self, key: PositionKey, change: Callable[[Amounts], Amounts], to: FoldedTo) -> None:
        held = self._held[key]
        before = held.amounts
        held.amounts, held.folded_to = change(before), to
        self._opened(held, before, held.amounts, to[0])
        realized = held.amounts[2] - before[2]
        if realized:
            self._today(key, to[0]).realized += realized

    @staticmethod
    def _opened(held: _Held, before: Amounts, after: Amounts, at: str) -> None:
        if after[0] and (not before[0] or after[0].is_signed() != before[0].is_signed()):
            held.opened_at = at

    # Rows -------------------------------------------------------------------------------------------------------------

    def _today(self, key: PositionKey, at: str) -> _Day:
        day = at[_DAY]
        if day != self._day:
            self.end_day()
            self._day = day
        return self._days[key]

    def end_day(self) -> None:
        """Hand over the rows of the day at hand: nothing happens on it any more."""
        if not self._days:
            return
        rows = []
        for key, day in sorted(self._days.items(), key=lambda item: item[0]):
            what = f"{self._day} of instrument {key[1]}"
            fees, flows = _by_asset(day.fees, what), _by_kind(day.flows, what)
            move = DayMove(_fit(day.realized, what), _fit(day.turnover, what), day.count, fees, flows)
            rows.append(days.to_row(self._empty(key), self._day, move))
        self._days.clear()
        self._days_over(rows)

    def _empty(self, key: PositionKey) -> Position:
        portfolio, instrument, strategy, leg = key
        return Position(self._account_id, portfolio, instrument, StrategyId(strategy) if strategy else None, leg)

    def position_rows(self) -> Iterator[Row]:
        """Write every position as it stands, in the order of their keys."""
        for key, held in sorted(self._held.items(), key=lambda item: item[0]):
            what, to = f"the position in instrument {key[1]}", held.folded_to
            quantity, cost, realized, fee_cost, uncosted, proceeds = (_fit(amount, what) for amount in held.amounts)
            portfolio, instrument, strategy, leg = key
            yield positions.to_row(
                Position(
                    self._account_id,
                    portfolio,
                    instrument,
                    StrategyId(strategy) if strategy else None,
                    leg,
                    quantity=quantity,
                    cost=cost,
                    realized_pnl=realized,
                    fees=_by_asset(held.fees, what),
                    fee_cost=fee_cost,
                    opened_at=None if held.opened_at is None else parse_time(held.opened_at),
                    folded_to=None if to is None else (parse_time(to[0]), to[1], BrokerTradeId(to[2]), to[3]),
                    flows=_by_kind(held.flows, what),
                    uncosted=uncosted,
                    uncosted_proceeds=proceeds,
                )
            )

    def balance_rows(self) -> Iterator[Row]:
        """Write every balance as it stands, in the order of their keys."""
        for (pocket, asset), amount in sorted(self._balances.items()):
            held = _fit(amount, f"the balance of {asset}")
            yield cash.balance_row(cash.Balance(self._account_id, self._portfolio_id, pocket, asset, held))


def _fit(amount: Decimal, what: str) -> Decimal:
    """Refuse a sum that no book holds: each line alone may be legal."""
    try:
        return money.check_digits(amount, "quantity")
    except Illegal as too_large:
        raise Illegal("quantity", amount, f"{what} comes to a number that no book holds") from too_large


def _by_asset(fees: dict[str, Decimal], what: str) -> Fees:
    return tuple(sorted((asset, _fit(amount, what)) for asset, amount in fees.items() if amount))


def _by_kind(flows: dict[tuple[str, str], Decimal], what: str) -> Flows:
    return tuple(sorted((kind, asset, _fit(amount, what)) for (kind, asset), amount in flows.items() if amount))
