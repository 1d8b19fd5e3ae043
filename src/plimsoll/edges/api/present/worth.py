"""What the caller's accounts are worth and how they are used, as they are shown.

An account's figures are made in the desk (`account_figures`). A portfolio that is its account's only one has the same;
of several, each has its own balances and positions, while margin and load belong to the account that bears them.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from plimsoll.desk.account_figures import AccountFigures, PositionFigures, account_figures
from plimsoll.desk.portfolio_figures import portfolio_figures
from plimsoll.desk.value_account import book_view
from plimsoll.edges.api import schemas
from plimsoll.edges.api.access import Caller
from plimsoll.edges.api.find import bot_id, position_id
from plimsoll.edges.api.problems import refused_field
from plimsoll.edges.api.schemas import (
    Balance,
    MarginStatus,
    PortfolioPosition,
    PortfolioRow,
    PortfolioSummary,
    PositionRow,
    Positions,
)
from plimsoll.ledger import keys
from plimsoll.model import money
from plimsoll.model.account import Account, Portfolio
from plimsoll.model.ids import PortfolioId
from plimsoll.model.position import Position
from plimsoll.risk.gate.verdict import percent
from plimsoll.risk.limits import CAUTIOUS, Limits
from plimsoll.risk.margin import CRITICAL_LOAD, EMERGENCY_LOAD, WARNING_LOAD, Load, LoadLevel

if TYPE_CHECKING:
    from plimsoll.edges.served import ServedAccount, ServedDesk

#: From harmless to grave; unknown is graver than anything known.
_DEPTH = (LoadLevel.SAFE, LoadLevel.WARNING, LoadLevel.CRITICAL, LoadLevel.EMERGENCY, LoadLevel.UNKNOWN)


def portfolio(desk: "ServedDesk", portfolio: Portfolio) -> PortfolioRow:
    """Show a portfolio with its cash."""
    hot = desk.books.hot
    account: Account = hot.get(keys.account(portfolio.account_id))
    return PortfolioRow(
        id=portfolio.uid,
        name=portfolio.name,
        account=account.uid,
        account_name=account.name,
        mode=account.mode.value,
        base_currency=account.base_currency,
        price_source=account.price_source,
        balances=[
            Balance(pocket=held.pocket, asset=held.asset, amount=held.amount)
            for held in hot.shelf(keys.BALANCE, portfolio.account_id)
            if held.portfolio_id == portfolio.id
        ],
    )


def summary(caller: Caller, chosen: Sequence[Portfolio]) -> PortfolioSummary:
    """Add up what some portfolios are worth and how they are used.

    Raises: Refused where their accounts count in different currencies
    """
    parts = [_part(caller, served, ids) for served, ids in _by_account(caller, chosen)]
    currencies = sorted({part.figures.currency for part in parts})
    if len(currencies) > 1:
        raise refused_field("portfolio", None, f"your accounts count in {' and '.join(currencies)}: name a portfolio")
    figures = [part.figures for part in parts]
    margins = [figure.margin for figure in figures]
    earned = _sum([figure.unrealized_pnl for figure in figures])
    realized, fees = _sum([figure.realized_pnl for figure in figures]), _sum([figure.fees for figure in figures])
    used, total = _sum([margin.used for margin in margins]), _sum([margin.total for margin in margins])
    equity = _sum([figure.equity for figure in figures])
    open_profit = _sum(
        [held.unrealized_pnl for figure in figures for held in figure.positions if held.instrument.is_derivative]
    )
    return PortfolioSummary(
        currency=currencies[0] if currencies else "",
        price_sources=sorted({part.account.price_source for part in parts}),
        total_value=equity,
        cash=sum((figure.cash for figure in figures), money.ZERO),
        equity=equity,
        buying_power=_sum([margin.buying_power for margin in margins]),
        margin_used=used,
        margin_available=_sum([margin.available for margin in margins]),
        margin_utilization=margins[0].utilization if len(margins) == 1 else _share(used, total),
        total_usd_balance=None if equity is None or open_profit is None else equity - open_profit,
        total_pnl=_sum([realized, earned, None if fees is None else -fees]),
        unrealized_pnl=earned,
        realized_pnl=realized,
        fees=fees,
        drawdown=figures[0].drawdown if len(figures) == 1 else None,
        peak_equity=figures[0].peak_equity if len(figures) == 1 else None,
        load=_deepest(parts),
        unknown=list(dict.fromkeys(reason for figure in figures for reason in figure.unknown)),
        positions=[_portfolio_position(held) for figure in figures for held in figure.positions],
    )


def positions(caller: Caller, chosen: Sequence[Portfolio]) -> Positions:
    """Show the open positions of some portfolios; equity and drawdown where they are one account, whole."""
    parts = [_part(caller, served, ids) for served, ids in _by_account(caller, chosen)]
    alone = parts[0].figures if len(parts) == 1 and parts[0].whole else None
    return Positions(
        equity=None if alone is None else alone.equity,
        drawdown=None if alone is None else alone.drawdown,
        items=[position_row(caller, held) for part in parts for held in part.figures.positions],
    )


def position_row(caller: Caller, held: PositionFigures) -> PositionRow:
    """Show an open position."""
    position = held.position
    owner: Portfolio = caller.desk.books.hot.get(keys.portfolio(position.portfolio_id))
    return PositionRow(
        position_id=position_id(owner, position),
        portfolio=owner.uid,
        symbol=held.instrument.symbol,
        side="LONG" if position.quantity > 0 else "SHORT",
        quantity=abs(position.quantity),
        entry_price=None if cost_is_unknown(position) else held.entry_price,
        current_price=held.price,
        value=held.value,
        unrealized_pnl=held.unrealized_pnl,
        unrealized_pnl_pct=_percent(held.unrealized_ratio),
        realized_pnl=position.realized_pnl,
        leverage=held.leverage,
        margin=held.margin,
        liquidation_price=held.liquidation_price,
        stop_loss=None,
        take_profit=None,
        status="CLOSING" if held.closing else "OPEN",
        opened_at=position.opened_at,
        matched=held.matched,
        # A bot trades a leg of its own, under its own number.
        strategy=None if position.strategy_id is None else bot_id(owner, position.strategy_id),
    )


def cost_is_unknown(position: Position) -> bool:
    """Say whether all that is open came in at a cost that nobody told: there is no average of nothing."""
    return position.quantity == position.uncosted


def margin(caller: Caller, served: "ServedAccount") -> MarginStatus:
    """Show how deep an account is loaded, with every line it could cross."""
    figures = account_figures(served.ports, caller.desk.clock.now())
    limits, used = book_view(served.ports).limits, figures.margin
    return MarginStatus(
        margin_used=used.used,
        margin_available=used.available,
        margin_total=used.total,
        margin_utilization=used.utilization,
        margin_level=used.level,
        maintenance_margin=used.maintenance,
        thresholds={
            "warning": WARNING_LOAD,
            "critical": CRITICAL_LOAD,
            "emergency": EMERGENCY_LOAD,
            "order_limit": limits.max_load_ratio,
        },
        warnings=[*figures.unknown, *_load_warning(used.load)],
        liquidation_risk=used.load.level.value,
    )


def load_shown(load: Load, limits: Limits) -> schemas.Load:
    """Show the load line."""
    return schemas.Load(
        load=load.ratio,
        applies=load.applies,
        level=load.level.value,
        warning=WARNING_LOAD,
        critical=CRITICAL_LOAD,
        emergency=EMERGENCY_LOAD,
        order_limit=limits.max_load_ratio,
        gross_value=load.gross,
        leverage_cap=load.cap,
    )


class _Part:
    """What is asked about of one account."""

    def __init__(self, served: "ServedAccount", account: Account, figures: AccountFigures, *, whole: bool) -> None:
        self.served, self.account, self.figures, self.whole = served, account, figures, whole


def _by_account(caller: Caller, chosen: Sequence[Portfolio]) -> list[tuple["ServedAccount", frozenset[PortfolioId]]]:
    numbers = dict.fromkeys(portfolio.account_id for portfolio in chosen)
    return [
        (caller.desk.accounts[number], frozenset(mine.id for mine in chosen if mine.account_id == number))
        for number in numbers
    ]


def _part(caller: Caller, served: "ServedAccount", portfolios: frozenset[PortfolioId]) -> _Part:
    now, account = caller.desk.clock.now(), caller.estate.record(served)
    whole = caller.estate.all_of(account.id) <= portfolios
    figures = account_figures(served.ports, now) if whole else portfolio_figures(served.ports, portfolios, now)
    return _Part(served, account, figures, whole=whole)


def _deepest(parts: Sequence[_Part]) -> schemas.Load:
    shown = [(part.figures.margin.load, book_view(part.served.ports).limits) for part in parts]
    if not shown:
        return load_shown(no_load(), CAUTIOUS)
    return load_shown(*max(shown, key=lambda pair: (_DEPTH.index(pair[0].level), pair[0].ratio or money.ZERO)))


def no_load() -> Load:
    """Give the load of what holds nothing that could be called in."""
    return Load(money.ZERO, LoadLevel.SAFE, applies=False, gross=money.ZERO, cap=Decimal(1))


def _load_warning(load: Load) -> list[str]:
    if load.level in (LoadLevel.SAFE, LoadLevel.UNKNOWN):
        return []
    deep = "no equity is left" if load.ratio is None else f"the load is {percent(load.ratio)}"
    return [f"{load.level}: {deep}; a venue may close positions by itself"]


def _portfolio_position(held: PositionFigures) -> PortfolioPosition:
    position = held.position
    return PortfolioPosition(
        product_id=held.instrument.symbol,
        quantity=position.quantity,
        crypto_balance=money.settle_product(abs(position.quantity), held.instrument.multiplier),
        usd_invested=None if cost_is_unknown(position) else abs(position.cost),
        average_cost_basis=None if cost_is_unknown(position) else held.entry_price,
        current_value=held.value,
        unrealized_pnl=held.unrealized_pnl,
        pnl_pct=_percent(held.unrealized_ratio),
    )


def _percent(ratio: Decimal | None) -> Decimal | None:
    return None if ratio is None else ratio * 100


def _sum(amounts: Sequence[Decimal | None]) -> Decimal | None:
    # The sum of something unknown is unknown.
    known = [amount for amount in amounts if amount is not None]
    return sum(known, money.ZERO) if len(known) == len(amounts) else None


def _share(part: Decimal | None, whole: Decimal | None) -> Decimal | None:
    if part is None or whole is None or whole <= 0:
        return None
    return money.settle_quotient(part, whole)
