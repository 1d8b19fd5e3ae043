"""Imported books as they are shown: what they hold and what they earned. Nothing of today is known of them.

They are read where they lie, and not in memory. Nobody prices them: what something is worth is unknown, and is said to
be. What was earned is added up in the book's own currency where all of it is in that, and unknown otherwise. All of
it together is the net of the report of profit and loss, funding and interest included: two doors, one figure.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal

from plimsoll.edges.api.access import Caller
from plimsoll.edges.api.find import position_id
from plimsoll.edges.api.present.worth import cost_is_unknown, load_shown, no_load
from plimsoll.edges.api.schemas import (
    Balance,
    PortfolioPosition,
    PortfolioRow,
    PortfolioSummary,
    PositionRow,
    Positions,
)
from plimsoll.edges.reports.pnl import pnl_report, unknown_cost
from plimsoll.ledger import keys
from plimsoll.ledger.reading.earnings import By, Of
from plimsoll.model import money
from plimsoll.model.account import Account, Portfolio
from plimsoll.model.ids import PortfolioId
from plimsoll.model.instrument import Instrument
from plimsoll.model.position import Position
from plimsoll.risk.limits import CAUTIOUS

NOT_PRICED = "an imported book is a history: nothing of it is priced today"


def portfolios(caller: Caller, mine: Sequence[Portfolio]) -> list[PortfolioRow]:
    """Show imported books with their cash."""
    held: defaultdict[PortfolioId, list[Balance]] = defaultdict(list)
    if mine:
        for one in caller.book.holdings.balances(among=[portfolio.id for portfolio in mine]):
            held[one.portfolio_id].append(Balance(pocket=one.pocket, asset=one.asset, amount=one.amount))
    return [_portfolio(caller, portfolio, held[portfolio.id]) for portfolio in mine]


def _portfolio(caller: Caller, portfolio: Portfolio, balances: list[Balance]) -> PortfolioRow:
    account = _account(caller, portfolio)
    return PortfolioRow(
        id=portfolio.uid,
        name=portfolio.name,
        account=account.uid,
        account_name=account.name,
        mode=account.mode.value,
        base_currency=account.base_currency,
        price_source=account.price_source,
        balances=balances,
    )


def summary(caller: Caller, portfolio: Portfolio) -> PortfolioSummary:
    """Tell what an imported book has and what it earned."""
    account = _account(caller, portfolio)
    balances = caller.book.holdings.balances(among=[portfolio.id])
    ever = caller.book.holdings.positions(among=[portfolio.id])
    realized = _sum(account, ((_instrument(caller, one).cash_asset, one.realized_pnl) for one in ever))
    fees = _sum(account, (fee for one in ever for fee in one.fees))
    opened = [_in_portfolio(_instrument(caller, one), one) for one in ever if one.quantity]
    told = pnl_report(caller.book, By.PORTFOLIO, date.min, date.max - timedelta(days=1), among=[portfolio.id])
    net = _sum(account, ((line.asset, line.net) for line in told.totals))
    is_all_in_it = None not in (realized, fees, net)
    others = [] if is_all_in_it else [f"not all of it is in {account.base_currency}"]
    return PortfolioSummary(
        currency=account.base_currency,
        price_sources=[account.price_source],
        total_value=None,
        cash=sum((held.amount for held in balances if held.asset == account.base_currency), money.ZERO),
        equity=None,
        buying_power=None,
        margin_used=None,
        margin_available=None,
        margin_utilization=None,
        total_usd_balance=None,
        # While anything is open, what it made until now is unknown: nobody prices it.
        total_pnl=net if is_all_in_it and not opened else None,
        unrealized_pnl=None if opened else money.ZERO,
        realized_pnl=realized,
        fees=fees,
        drawdown=None,
        peak_equity=None,
        load=load_shown(no_load(), CAUTIOUS),
        unknown=[NOT_PRICED, *others, *map(unknown_cost, told.unknown_proceeds)],
        positions=opened,
    )


def positions(caller: Caller, portfolio: Portfolio) -> Positions:
    """Show the positions that are open at the end of an imported book."""
    ever = caller.book.holdings.positions(among=[portfolio.id])
    names = _strategies(caller)
    rows = [_position(caller, portfolio, one, names) for one in ever if one.quantity]
    return Positions(equity=None, drawdown=None, items=rows)


def strategies_of(caller: Caller, told: Iterable[Of]) -> Mapping[Of, str]:
    """Name the strategies of imported books, which are no bots of this desk."""
    imported = {portfolio.id for portfolio in caller.estate.imported(caller.actor)}
    theirs = [of for of in told if of.strategy_id and of.portfolio_id in imported]
    names = _strategies(caller) if theirs else {}
    return {of: names[of.strategy_id] for of in theirs if of.strategy_id in names}


def _strategies(caller: Caller) -> dict[int, str]:
    return {made.id: made.name for made in caller.book.made.strategies()}


def _position(caller: Caller, portfolio: Portfolio, one: Position, names: Mapping[int, str]) -> PositionRow:
    instrument = _instrument(caller, one)
    return PositionRow(
        position_id=position_id(portfolio, one),
        portfolio=portfolio.uid,
        symbol=instrument.symbol,
        side="LONG" if one.quantity > 0 else "SHORT",
        quantity=abs(one.quantity),
        entry_price=None if cost_is_unknown(one) else one.avg_price(instrument),
        current_price=None,
        value=None,
        unrealized_pnl=None,
        unrealized_pnl_pct=None,
        realized_pnl=one.realized_pnl,
        leverage=Decimal(1),
        margin=None,
        liquidation_price=None,
        stop_loss=None,
        take_profit=None,
        status="OPEN",
        opened_at=one.opened_at,
        matched=False,
        strategy=None if one.strategy_id is None else names.get(one.strategy_id),
    )


def _in_portfolio(instrument: Instrument, one: Position) -> PortfolioPosition:
    return PortfolioPosition(
        product_id=instrument.symbol,
        quantity=one.quantity,
        crypto_balance=money.settle_product(abs(one.quantity), instrument.multiplier),
        usd_invested=None if cost_is_unknown(one) else abs(one.cost),
        average_cost_basis=None if cost_is_unknown(one) else one.avg_price(instrument),
        current_value=None,
        unrealized_pnl=None,
        pnl_pct=None,
    )


def _sum(account: Account, amounts: Iterable[tuple[str, Decimal]]) -> Decimal | None:
    # Nothing is added across currencies, and nobody knows a rate of those days.
    total = money.ZERO
    for asset, amount in amounts:
        if amount and asset != account.base_currency:
            return None
        total += amount
    return total


def _account(caller: Caller, portfolio: Portfolio) -> Account:
    found: Account = caller.desk.books.hot.get(keys.account(portfolio.account_id))
    return found


def _instrument(caller: Caller, position: Position) -> Instrument:
    found: Instrument = caller.desk.books.hot.get(keys.instrument(position.instrument_id))
    return found
