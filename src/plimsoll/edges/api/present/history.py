"""What the book tells of the past, as it is shown: profit and loss, movements of cash, breaches, the log, events."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

import orjson

from plimsoll.edges.api.access import Caller
from plimsoll.edges.api.find import among_of, bot_id, instruments_named
from plimsoll.edges.api.present import imported as imported_shown
from plimsoll.edges.api.present.orders import checks
from plimsoll.edges.api.schemas import (
    Amount,
    BreachesPage,
    BreachRow,
    CashLineRow,
    CashLinesPage,
    EventRow,
    EventsPage,
    Flow,
    NoteRow,
    NotesPage,
    Pnl,
    PnlBy,
    PnlRow,
    Policies,
    PolicyRow,
)
from plimsoll.ledger import keys
from plimsoll.ledger.reading.earnings import By, Earned, Of
from plimsoll.ledger.reading.holdings import BookedLine
from plimsoll.ledger.reading.paging import Below, cursor_text, parse_cursor
from plimsoll.ledger.reading.watching import Breach
from plimsoll.model import money
from plimsoll.model.account import Account, Portfolio
from plimsoll.model.cash import CashKind
from plimsoll.model.ids import AccountId, InstrumentId, PortfolioId
from plimsoll.model.instrument import Instrument


def pnl(
    caller: Caller, by: PnlBy, *, first_day: date, last_day: date, portfolio: str | None, symbol: str | None
) -> Pnl:
    """Show what was earned between two days.

    Raises: Refused
    """
    named = None if symbol is None else instruments_named(caller, symbol)
    earned = caller.book.earnings.earned(
        By(by), since=first_day, until=last_day, among=among_of(caller, portfolio), instruments=named
    )
    traded_before = imported_shown.strategies_of(caller, (one.of for one in earned))
    rows = [_pnl_row(caller, one, traded_before) for one in earned]
    return Pnl(first_day=first_day, last_day=last_day, by=by, items=rows)


def _pnl_row(caller: Caller, earned: Earned, traded_before: Mapping[Of, str]) -> PnlRow:
    of, move, hot = earned.of, earned.move, caller.desk.books.hot
    portfolio: Portfolio | None = hot.get(keys.portfolio(of.portfolio_id))
    is_a_bots = portfolio is not None and of.strategy_id != 0
    bot = bot_id(portfolio, of.strategy_id) if portfolio is not None and is_a_bots else None
    return PnlRow(
        time=of.time or None,
        portfolio=None if portfolio is None else portfolio.uid,
        symbol=_symbol(caller, of.instrument_id),
        strategy=traded_before.get(of, bot),
        currency=earned.currency,
        realized_pnl=move.realized,
        fees=[Amount(asset=asset, amount=amount) for asset, amount in move.fees],
        flows=[Flow(kind=kind, asset=asset, amount=amount) for kind, asset, amount in move.flows],
        net_pnl=net_of(earned),
        turnover=move.turnover,
        trade_count=move.trade_count,
    )


def net_of(earned: Earned) -> Decimal | None:
    """Give the profit after fees and flows; unknown where one is in another asset, which has no sum without a rate."""
    move = earned.move
    parts = [*((asset, -amount) for asset, amount in move.fees), *((asset, amount) for _, asset, amount in move.flows)]
    if any(asset != earned.currency and amount != 0 for asset, amount in parts):
        return None
    return move.realized + sum((amount for _asset, amount in parts), money.ZERO)


def cash_lines(
    caller: Caller, *, portfolio: str | None, kind: CashKind | None, cursor: str | None, limit: int
) -> CashLinesPage:
    """Show a page of movements.

    Raises: Illegal for a cursor that is none; Refused
    """
    page = caller.book.holdings.cash_lines(
        below=_below(cursor), limit=limit, among=among_of(caller, portfolio), kind=kind
    )
    return CashLinesPage(items=[_line_row(caller, booked) for booked in page.items], next=_next(page.below))


def _line_row(caller: Caller, booked: BookedLine) -> CashLineRow:
    line = booked.line
    return CashLineRow(
        id=f"{_account(caller, line.account_id)}.{booked.id}",
        portfolio=_portfolio(caller, line.portfolio_id).uid,
        pocket=line.pocket,
        asset=line.asset,
        kind=line.kind.value,
        amount=line.amount,
        reference=line.reference,
        at=line.at,
        symbol=_symbol(caller, line.instrument_id or InstrumentId(0)),
    )


def breaches(caller: Caller, *, account: str | None, cursor: str | None, limit: int) -> BreachesPage:
    """Show a page of limits that were met.

    Raises: Illegal for a cursor that is none; Refused
    """
    page = caller.book.watch.breaches(below=_below(cursor), limit=limit, of=_named(caller, account))
    return BreachesPage(items=[_breach_row(caller, breach) for breach in page.items], next=_next(page.below))


def _breach_row(caller: Caller, breach: Breach) -> BreachRow:
    # A gate's breach tells its checks; a guard's has none.
    has_checks = breach.details.startswith("[")
    return BreachRow(
        account=_account(caller, breach.account_id),
        action=breach.action,
        intent_key=breach.intent_key,
        checks=checks(breach.details) if has_checks else [],
        observed=orjson.loads(breach.observed),
        at=breach.at,
    )


def notes(caller: Caller, *, account: str | None, cursor: str | None, limit: int) -> NotesPage:
    """Show a page of the log.

    Raises: Illegal for a cursor that is none; Refused
    """
    page = caller.book.watch.notes(below=_below(cursor), limit=limit, of=_named(caller, account))
    rows = [
        NoteRow(
            account=_account(caller, entry.account_id),
            number=entry.seq,
            at=entry.at,
            actor=entry.actor,
            entity=entry.entity,
            entity_key=entry.entity_key,
            action=entry.action,
            details=orjson.loads(entry.details),
        )
        for entry in page.items
    ]
    return NotesPage(items=rows, next=_next(page.below))


def events(caller: Caller, *, account: str | None, cursor: str | None, limit: int) -> EventsPage:
    """Show a page of what happened.

    Raises: Illegal for a cursor that is none; Refused
    """
    page = caller.book.watch.events(below=_below(cursor), limit=limit, of=_named(caller, account))
    rows = [
        EventRow(
            number=told.number,
            account=_account(caller, told.event.account_id),
            kind=told.event.kind.value,
            at=told.event.at,
            details=told.event.details,
        )
        for told in page.items
    ]
    return EventsPage(items=rows, next=_next(page.below))


def policies(caller: Caller) -> Policies:
    """Show every version of every policy that binds the caller."""
    found = caller.book.watch.policies()
    rows = [
        PolicyRow(
            scope_type=policy.scope.value,
            version=policy.version,
            limits=dict(policy.config),
            made_by=policy.made_by,
            made_at=policy.made_at,
        )
        for policy in found
    ]
    return Policies(items=rows)


def _below(cursor: str | None) -> Below:
    return parse_cursor(cursor) if cursor else {}


def _next(below: Below | None) -> str | None:
    return None if below is None else cursor_text(below)


def _named(caller: Caller, said: str | None) -> AccountId | None:
    return None if said is None else caller.estate.number(caller.actor, said)


def _account(caller: Caller, account_id: AccountId) -> str:
    found: Account = caller.desk.books.hot.get(keys.account(account_id))
    return found.uid


def _portfolio(caller: Caller, portfolio_id: PortfolioId) -> Portfolio:
    found: Portfolio = caller.desk.books.hot.get(keys.portfolio(portfolio_id))
    return found


def _symbol(caller: Caller, instrument_id: InstrumentId) -> str | None:
    found: Instrument | None = caller.desk.books.hot.get(keys.instrument(instrument_id))
    return None if found is None else found.symbol
