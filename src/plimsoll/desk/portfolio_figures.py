"""How some of an account's portfolios stand, where somebody may see those and not the others.

Their balances and positions are their own; margin, load and drawdown belong to the account that bears them, and would
tell what the other portfolios hold. So those are unknown here, and said to be.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from plimsoll.desk.account_figures import AccountFigures, account_figures
from plimsoll.desk.ports import Ports
from plimsoll.desk.value_account import book_view
from plimsoll.ledger import keys
from plimsoll.model import money
from plimsoll.model.ids import PortfolioId
from plimsoll.model.instrument import Instrument
from plimsoll.risk.margin import Load, LoadLevel, Margin
from plimsoll.risk.valuation import Prices, add_up, value_account

OF_THE_ACCOUNT = "margin, load and drawdown belong to the whole account"


def portfolio_figures(ports: Ports, portfolios: Collection[PortfolioId], now: datetime) -> AccountFigures:
    """Tell how some portfolios of the account stand at the prices at hand."""
    hot, account_id = ports.books.hot, ports.account_id
    with hot.lock:
        whole, view = account_figures(ports, now), book_view(ports)
        balances = [held for held in hot.shelf(keys.BALANCE, account_id) if held.portfolio_id in portfolios]
        ever = [held for held in hot.shelf(keys.POSITION, account_id) if held.portfolio_id in portfolios]
    # Where a position is liquidated hangs on everything else that the account holds.
    own = tuple(
        replace(held, liquidation_price=None) for held in whole.positions if held.position.portfolio_id in portfolios
    )
    holdings = replace(
        # With the instruments that price whatever the account ever realised or paid.
        view.holdings if view.standing is None else view.standing.holdings,
        balances=tuple((held.asset, held.amount) for held in balances),
        positions=tuple((held.position, held.instrument) for held in own),
    )
    prices = Prices(ports.board.view(), now, view.max_price_age)
    worth = value_account(holdings, prices)
    cash = sum((held.amount for held in balances if held.asset == whole.currency), money.ZERO)
    realized = []
    for position in ever:
        instrument: Instrument = hot.get(keys.instrument(position.instrument_id))
        realized.append((instrument.cash_asset, position.realized_pnl))
    fees = [fee for position in ever for fee in position.fees]
    earned = [held.unrealized_pnl for held in own]
    known = [profit for profit in earned if profit is not None]
    return replace(
        whole,
        equity=worth.equity,
        cash=cash,
        margin=Margin(replace(_NO_LOAD, applies=whole.margin.load.applies), None, None, None, None, None, None, None),
        drawdown=None,
        peak_equity=None,
        unrealized_pnl=sum(known, money.ZERO) if len(known) == len(earned) else None,
        realized_pnl=add_up(realized, holdings, prices),
        fees=add_up(fees, holdings, prices),
        unknown=(OF_THE_ACCOUNT, *(f"no price in time for {name}" for name in worth.unpriced)),
        positions=own,
    )


_NO_LOAD = Load(None, LoadLevel.UNKNOWN, applies=True, gross=None, cap=money.ZERO)
