"""The story of one position, line by line: what happened, and what it came to, for a person with a pencil.

Lines stand in the order in which the position is folded, whenever they were booked: trades and what is no trade by
their time, and at each time before the fees and flows that only add up. A report that counts no more (busted, or
corrected by a later one) is told and moves nothing. At the end stands the position as it is stored, and whether the
story comes to it.

It reads one moment, so a desk may be at work; everything that one account did in one instrument is in memory meanwhile.
What must not enter: arithmetic of its own. A story that reckoned by itself could only prove itself.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from decimal import Decimal
from difflib import get_close_matches
from typing import TypeVar

from sqlalchemy import Connection, Table, select

from plimsoll.ledger import accounts, cash, entries, pencil, positions, schema, trades
from plimsoll.ledger.fold import Happening, ToldTrades, after_one, happened, home_position, position_of_line
from plimsoll.ledger.imported_accounts import hidden_accounts
from plimsoll.ledger.streaming import streamed
from plimsoll.model import money
from plimsoll.model.cash import CashKind, CashLine
from plimsoll.model.entry import Entry
from plimsoll.model.errors import Illegal
from plimsoll.model.ids import AccountId, InstrumentId, PortfolioId, StrategyId
from plimsoll.model.instrument import Instrument
from plimsoll.model.money import decimal_text
from plimsoll.model.position import Position, PositionKey, plus_fee, plus_flow
from plimsoll.model.trade import MadeBy, Trade, TradeEffect
from plimsoll.store.draft import Row
from plimsoll.store.statements import select_as_stored

T = TypeVar("T")

#: Trades that no order of anybody's caused: the venue liquidated, deleveraged, settled.
_BY_VENUE = frozenset(MadeBy)


@dataclass(frozen=True, slots=True)
class Named:
    """A position, as people and programs name it."""

    #: As REST gives it: the portfolio's uid, the instrument, the strategy, the leg.
    id: str
    account: str
    portfolio: str
    symbol: str
    position: Position
    instrument: Instrument


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the story: what happened, and what the position is then."""

    at: datetime
    #: `buy`, `sell`, `busted`, `corrected`, `in`, `out`, `split`, `fee`, `funding`, …
    what: str
    #: The venue's id, or whose change it is.
    reference: str
    quantity: Decimal | None
    price: Decimal | None
    #: What was paid or earned, where it is an amount: a fee above zero, a flow with its sign.
    amount: Decimal | None
    asset: str
    #: How it was reckoned.
    words: str
    position: Position


@dataclass(frozen=True, slots=True)
class Story:
    """All that happened to a position, what it came to, and what is stored."""

    named: Named
    steps: tuple[Step, ...]
    told: Position
    #: None where no position is stored.
    stored: Position | None

    @property
    def equal(self) -> bool:
        return self.told == self.stored

    @property
    def differences(self) -> tuple[str, ...]:
        """Name what is stored otherwise than the story comes to."""
        if self.stored is None:
            return ("no position is stored",)
        names = (field.name for field in fields(self.told))
        return tuple(name for name in names if getattr(self.told, name) != getattr(self.stored, name))


def find_position(connection: Connection, words: Sequence[str]) -> Named:
    """Find a position by its id, or by its portfolio and its symbol.

    Raises: Illegal, which lists what is near, or between what to choose
    """
    every = list(_every(connection))
    wanted = " ".join(words)
    found = [one for one in every if one.id == wanted]
    if not found and len(words) == 2:
        portfolio, symbol = words[0].casefold(), words[1].casefold()
        found = [one for one in every if (one.portfolio.casefold(), one.symbol.casefold()) == (portfolio, symbol)]
    if len(found) == 1:
        return found[0]
    if found:
        choice = ", ".join(f"{one.id} (account {one.account})" for one in found)
        raise Illegal("position", wanted, f"it names several; give the id of one: {choice}")
    raise Illegal("position", wanted, _near(wanted, every))


def tell_story(connection: Connection, named: Named) -> Story:
    """Tell everything that happened to a position."""
    empty = named.position
    told, entered, lines = _facts(connection, empty)
    reports = ToldTrades(told)
    counting = next((in_order for one, in_order in happened(reports, entered) if one.key == empty.key), [])
    its_lines = [line for line in lines if _home_of(line, reports, empty) == empty.key]
    timeline = sorted([*counting, *_idle(told, empty), *its_lines], key=_when)
    steps, position = list[Step](), empty
    for one in timeline:
        step = _step(position, one, named.instrument)
        steps.append(step)
        position = step.position
    return Story(named, tuple(steps), position, _stored(connection, empty))


# Where a position is found --------------------------------------------------------------------------------------------


def _every(connection: Connection) -> Iterator[Named]:
    names = {row[0]: str(row[1]) for row in streamed(connection, select(schema.accounts.c.id, schema.accounts.c.name))}
    portfolios = schema.portfolios.c
    asked = select(portfolios.id, portfolios.uid, portfolios.name)
    owners = {row[0]: (str(row[1]), str(row[2])) for row in streamed(connection, asked)}
    known = map(accounts.instrument_from_row, streamed(connection, select_as_stored(schema.instruments)))
    instruments = {instrument.id: instrument for instrument in known}
    place = schema.positions.c
    key = (place.account_id, place.portfolio_id, place.instrument_id, place.strategy_id, place.leg)
    shown = select(*key).where(place.account_id.not_in(hidden_accounts()))
    for account, portfolio, number, strategy, leg in streamed(connection, shown.order_by(*key)):
        instrument = instruments[InstrumentId(int(number or 0))]
        uid, name = owners[portfolio]
        strategy_id = StrategyId(int(strategy)) if strategy else None
        owner = (AccountId(int(account or 0)), PortfolioId(int(portfolio or 0)))
        empty = Position(*owner, instrument.id, strategy_id=strategy_id, leg=str(leg))
        position_id = f"{uid}.{instrument.id}.{strategy or 0}.{leg}"
        yield Named(position_id, names[account], name, instrument.symbol, empty, instrument)


def _near(wanted: str, every: Sequence[Named]) -> str:
    if not every:
        return "the desk has no position yet"
    names = {name: one for one in every for name in (one.id, f"{one.portfolio} {one.symbol}")}
    near = get_close_matches(wanted, names, n=_NEAR, cutoff=0.4) or [f"{one.portfolio} {one.symbol}" for one in every]
    listed = ", ".join(dict.fromkeys(near[:_NEAR]))
    return f"there is none of this name; give PORTFOLIO SYMBOL or an id, such as: {listed}"


_NEAR = 5


def _stored(connection: Connection, empty: Position) -> Position | None:
    place, (portfolio, instrument, strategy, leg) = schema.positions.c, empty.key
    its = (place.account_id == empty.account_id, place.portfolio_id == portfolio, place.instrument_id == instrument)
    asked = select_as_stored(schema.positions).where(*its, place.strategy_id == strategy, place.leg == leg)
    return next(map(positions.from_row, streamed(connection, asked)), None)


def _facts(connection: Connection, empty: Position) -> tuple[list[Trade], list[Entry], list[CashLine]]:
    """Read what an account did in an instrument."""

    def rows(table: Table, from_row: Callable[[Row], T]) -> list[T]:
        its = (table.c.account_id == empty.account_id, table.c.instrument_id == empty.instrument_id)
        return [from_row(row) for row in streamed(connection, select_as_stored(table).where(*its))]

    return (
        rows(schema.trades, trades.from_row),
        rows(schema.position_entries, entries.from_row),
        rows(schema.cash_lines, cash.from_row),
    )


def _home_of(line: CashLine, reports: ToldTrades, empty: Position) -> PositionKey | None:
    home = reports.home(line.reference) if line.kind is CashKind.FEE else position_of_line(line, empty.instrument_id)
    return None if home is None else home.key


# What happened, line by line ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Idle:
    """A report that counts no more, or that says so of another."""

    trade: Trade
    what: str
    words: str


def _idle(told: Iterable[Trade], empty: Position) -> Iterator[_Idle]:
    by_id: defaultdict[str, list[Trade]] = defaultdict(list)
    for trade in told:
        by_id[trade.report.broker_trade_id].append(trade)
    for reports in by_id.values():
        if (len(reports) == 1 and reports[0].report.effect is None) or home_position(reports).key != empty.key:
            continue
        last = max(reports, key=lambda trade: trade.report.revision).report
        counts = last.effect is not TradeEffect.BUST
        for trade in reports:
            if trade.report is not last:
                became = "corrected" if counts else "busted"
                words = f"counts no more: {became} by revision {last.revision}"
                yield _Idle(trade, trade.report.side.lower(), words)
            elif not counts:
                yield _Idle(trade, "busted", "there was no such fill")


def _when(one: Happening | CashLine | _Idle) -> tuple[datetime, bool, int, str, int]:
    """Put what happened into the order of the fold; what only adds up stands behind what happened at its time."""
    if isinstance(one, CashLine):
        return (one.at, True, 0, f"{one.reference} {one.kind} {one.asset}", 0)
    at, sequence, name, revision = (one.trade if isinstance(one, _Idle) else one).fold_key
    return (at, False, sequence, name, revision)


def _step(before: Position, one: Happening | CashLine | _Idle, instrument: Instrument) -> Step:
    if isinstance(one, _Idle):
        return replace(_trade_step(one.trade, one.words, before), what=one.what)
    if isinstance(one, CashLine):
        return _line_step(before, one)
    after = after_one(before, one, instrument)
    if isinstance(one, Entry):
        words = pencil.of_entry(before, after, one)
        return Step(one.at, one.kind.lower(), one.reference, one.quantity, None, one.cost, "", words, after)
    between = before.after(replace(one, report=replace(one.report, fee=money.ZERO)), instrument)
    words = pencil.of_trade(before, between, after, one, instrument)
    if one.report.revision:
        words = f"as corrected by revision {one.report.revision}: {words}"
    if one.triggered_by in _BY_VENUE:
        words = f"{one.triggered_by} by the venue: {words}"
    return _trade_step(one, words, after)


def _trade_step(trade: Trade, words: str, after: Position) -> Step:
    report = trade.report
    name = report.broker_trade_id if report.revision == 0 else f"{report.broker_trade_id}, revision {report.revision}"
    what = report.side.lower()
    return Step(
        report.exec_time, what, name, report.quantity, report.price, report.fee, report.fee_currency, words, after
    )


def _line_step(before: Position, line: CashLine) -> Step:
    if line.kind is CashKind.FEE:
        fee = -line.amount
        after = replace(before, fees=plus_fee(before.fees, line.asset, fee))
        paid, total = decimal_text(before.fee_in(line.asset)), decimal_text(after.fee_in(line.asset))
        words = f"told after its fill; fees {paid} + {decimal_text(fee)} = {total} {line.asset}"
        return Step(line.at, "fee", line.reference, None, None, fee, line.asset, words, after)
    after = replace(before, flows=plus_flow(before.flows, line.kind.value, line.asset, line.amount))
    words = f"{'earned' if line.amount > 0 else 'paid'} beside its trades; cost and profit stay"
    return Step(line.at, line.kind.lower(), line.reference, None, None, line.amount, line.asset, words, after)
