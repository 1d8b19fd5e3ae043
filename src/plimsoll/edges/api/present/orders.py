"""Orders, fills, verdicts as they are shown."""

from collections.abc import Mapping, Sequence

import orjson

from plimsoll.desk.preview_order import OrderPreview
from plimsoll.edges.api.access import Caller
from plimsoll.edges.api.find import among_of, instruments_named, within_of
from plimsoll.edges.api.problems import missing
from plimsoll.edges.api.schemas import Check, OrderRow, OrdersPage, OrderStatus, Preview, TradeRow, TradesPage
from plimsoll.ledger import keys
from plimsoll.ledger.reading.orders import Fill, place_of_order
from plimsoll.ledger.reading.paging import Below, Page, cursor_text, page_of, parse_cursor
from plimsoll.model import money
from plimsoll.model.account import Account, Portfolio
from plimsoll.model.errors import Refusal
from plimsoll.model.ids import AccountId, InstrumentId, PortfolioId
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import Order
from plimsoll.risk.gate.verdict import Judged


def order_row(caller: Caller, order: Order) -> OrderRow:
    """Show an order as the book has it."""
    intent, terms = order.intent, order.terms
    return OrderRow(
        id=order.uid,
        client_order_id=order.client_order_id,
        broker_order_id=order.broker_order_id,
        portfolio=_portfolio(caller, intent.portfolio_id).uid,
        symbol=_instrument(caller, terms.instrument_id).symbol,
        side=terms.side,
        type=terms.type,
        quantity=order.quantity,
        filled_quantity=order.filled_quantity,
        price=terms.price,
        stop_price=terms.stop_price,
        time_in_force=terms.time_in_force,
        reduce_only=terms.reduce_only,
        post_only=terms.post_only,
        state=order.state.value,
        reason=order.reason,
        triggered_by=intent.triggered_by,
        placed_at=order.placed_at,
        updated_at=order.updated_at,
    )


def checks(checks_json: str) -> list[Check]:
    """Show what the gate remarked, as it is kept with the verdict."""
    return [Check(**check) for check in orjson.loads(checks_json)]


def preview_row(seen: OrderPreview) -> Preview:
    """Show what the gate would say, and what the order would do."""
    return Preview(
        approved=seen.approved,
        checks=[_check(judged) for judged in seen.checks],
        reasons=[_check(judged) for judged in seen.reasons],
        quantity=seen.quantity,
        value=seen.value,
        price=seen.price,
        fee=seen.fee,
        leverage=seen.leverage,
        required=seen.required,
        required_asset=seen.required_asset,
        load_before=seen.load_before,
        load_after=seen.load_after,
        margin_after=seen.margin_after,
        available_after=seen.available_after,
        liquidation_price=seen.liquidation_price,
        position_after=seen.position_after,
        largest_quantity=seen.largest_quantity,
        price_source=seen.price_source,
        quote_age_seconds=None if seen.quote_age is None else seen.quote_age.total_seconds(),
    )


def _check(judged: Judged) -> Check:
    refusal = judged.finding.refusal or _NOTHING_TO_SAY
    return Check(
        number=judged.control.number,
        name=judged.control.name,
        outcome=judged.finding.outcome.value,
        code=refusal.code,
        sentence=refusal.sentence,
        observed=refusal.observed,
        limit=refusal.limit,
        remedy=refusal.remedy,
    )


_NOTHING_TO_SAY = Refusal("", "")


def order(caller: Caller, uid: str) -> OrderRow:
    """Show one order of the caller's.

    Raises: Refused
    """
    found = caller.book.orders.one(uid)
    if found is None:
        raise missing()
    return order_row(caller, found)


def orders_page(
    caller: Caller, status: OrderStatus, *, symbol: str | None, portfolio: str | None, cursor: str | None, limit: int
) -> OrdersPage:
    """Show a page of orders, newest first.

    Raises: Illegal for a cursor that is none; Refused
    """
    below = parse_cursor(cursor) if cursor else {}
    named = None if symbol is None else instruments_named(caller, symbol)
    if status == "open":
        page = _open_orders(caller, within_of(caller, portfolio), named, below, limit)
    else:
        page = caller.book.orders.page(
            below=below,
            limit=limit,
            ended_only=status == "closed",
            among=among_of(caller, portfolio),
            instruments=named,
        )
    return OrdersPage(items=[order_row(caller, one) for one in page.items], next=_next(page.below))


def trades_page(
    caller: Caller, *, symbol: str | None, portfolio: str | None, cursor: str | None, limit: int
) -> TradesPage:
    """Show a page of fills, newest first.

    Raises: Illegal for a cursor that is none; Refused
    """
    below = parse_cursor(cursor) if cursor else {}
    named = None if symbol is None else instruments_named(caller, symbol)
    page = caller.book.orders.fills(below=below, limit=limit, among=among_of(caller, portfolio), instruments=named)
    return TradesPage(items=[fill_row(caller, fill) for fill in page.items], next=_next(page.below))


def fill_row(caller: Caller, fill: Fill) -> TradeRow:
    """Show one fill."""
    trade, report = fill.trade, fill.trade.report
    account: Account = caller.desk.books.hot.get(keys.account(report.account_id))
    return TradeRow(
        id=f"{account.uid}.{fill.id}",
        product_id=_instrument(caller, report.instrument_id).symbol,
        side=report.side,
        size_usd=trade.notional,
        size_crypto=report.quantity,
        price=report.price,
        status="FILLED",
        filled_at=report.exec_time,
        commission=report.fee,
        commission_currency=report.fee_currency,
        triggered_by=trade.triggered_by,
        order_id=fill.order_uid,
        portfolio=_portfolio(caller, trade.portfolio_id).uid,
    )


def executed(caller: Caller, order: Order, fills: Sequence[Fill]) -> TradeRow:
    """Show what an order at the market has filled so far, added up; without a fill its price is not known."""
    instrument = _instrument(caller, order.terms.instrument_id)
    reports = [fill.trade.report for fill in fills]
    quantity = sum((report.quantity for report in reports), money.ZERO)
    value = sum((fill.trade.notional for fill in fills), money.ZERO)
    units = quantity * instrument.multiplier
    average = None
    if reports:
        average = money.settle_quotient(units, value) if instrument.inverse else money.settle_quotient(value, units)
    return TradeRow(
        id=order.uid,
        product_id=instrument.symbol,
        side=order.terms.side,
        size_usd=value if reports else None,
        size_crypto=quantity,
        price=average,
        status=order.state.value,
        filled_at=max((report.exec_time for report in reports), default=None),
        commission=sum((report.fee for report in reports), money.ZERO),
        commission_currency=reports[0].fee_currency if reports else instrument.cash_asset,
        triggered_by=order.intent.triggered_by,
        order_id=order.uid,
        portfolio=_portfolio(caller, order.intent.portfolio_id).uid,
    )


def _open_orders(
    caller: Caller,
    within: Mapping[AccountId, frozenset[PortfolioId]],
    named: frozenset[InstrumentId] | None,
    below: Below,
    limit: int,
) -> Page[Order]:
    # Live orders are in memory, and few; in the table they lie among all that have ended.
    lists = []
    for account_id, portfolios in within.items():
        live: list[Order] = caller.desk.books.hot.shelf(keys.ORDER, account_id)
        mine = [
            one
            for one in live
            if one.intent.portfolio_id in portfolios
            and (named is None or one.terms.instrument_id in named)
            and (account_id not in below or one.id < below[account_id])
        ]
        lists.append(sorted(mine, key=lambda one: one.id, reverse=True))
    return page_of(lists, below, limit, at=lambda one: one.placed_at, place=place_of_order)


def _next(below: Below | None) -> str | None:
    return None if below is None else cursor_text(below)


def _portfolio(caller: Caller, portfolio_id: PortfolioId) -> Portfolio:
    found: Portfolio = caller.desk.books.hot.get(keys.portfolio(portfolio_id))
    return found


def _instrument(caller: Caller, instrument_id: InstrumentId) -> Instrument:
    found: Instrument = caller.desk.books.hot.get(keys.instrument(instrument_id))
    return found
