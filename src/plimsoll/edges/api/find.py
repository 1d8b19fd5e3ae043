"""Ids and symbols that came from outside, made into things of the caller's; everything else is missing."""

import re
from typing import TYPE_CHECKING

from plimsoll.edges.api.access import Caller
from plimsoll.edges.api.problems import Refused, missing, refused_field
from plimsoll.ledger import keys
from plimsoll.ledger.instrument_names import instruments_called
from plimsoll.model.account import Account, Portfolio
from plimsoll.model.ids import AccountId, InstrumentId, PortfolioId
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import Order
from plimsoll.model.position import Position

if TYPE_CHECKING:
    from plimsoll.edges.served import ServedAccount

#: Portfolio, instrument, strategy or 0, leg or nothing.
_POSITION_ID = re.compile(
    r"(?P<portfolio>[^.]{1,64})\.(?P<instrument>[1-9][0-9]{0,8})\.(?P<strategy>0|[1-9][0-9]{0,8})\.(?P<leg>[A-Z]{0,16})"
)
_BOT_ID = re.compile(r"(?P<portfolio>[^.]{1,64})\.(?P<bot>[1-9][0-9]{0,8})")


def find_instrument(caller: Caller, served: "ServedAccount", symbol: str) -> Instrument:
    """Find what an account trades under a symbol.

    Raises: Refused
    """
    for instrument in instruments_of(caller, served):
        if instrument.symbol == symbol:
            return instrument
    raise symbol_unknown(symbol)


def symbol_unknown(symbol: str) -> Refused:
    """Refuse a symbol that nobody trades there."""
    return refused_field("symbol", symbol, "choose one that `GET instruments` lists", code="symbol_unknown")


def instruments_of(caller: Caller, served: "ServedAccount") -> list[Instrument]:
    """List what an account trades."""
    hot = caller.desk.books.hot
    account: Account = hot.get(keys.account(served.ports.account_id))
    found: list[Instrument] = hot.shelf(keys.INSTRUMENTS_OF, account.broker)
    return found


def instruments_named(caller: Caller, symbol: str) -> frozenset[InstrumentId]:
    """Give the ids of everything that the caller's accounts trade, or once traded, under a symbol."""
    hot = caller.desk.books.hot
    told: list[Instrument] = hot.shelf(keys.TOLD_OF, symbol) if caller.estate.imported(caller.actor) else []
    venues: set[str] = {
        hot.get(keys.account(portfolio.account_id)).broker for portfolio in caller.estate.portfolios(caller.actor)
    }
    called = (found for venue in venues for found in instruments_called(hot, venue, symbol))
    return frozenset([*called, *(instrument.id for instrument in told)])


def within_of(caller: Caller, said: str | None = None) -> dict[AccountId, frozenset[PortfolioId]]:
    """Say what the caller may see in memory: accounts, and the portfolios within each; or the one that he names.

    Raises: Refused
    """
    within: dict[AccountId, frozenset[PortfolioId]] = {}
    for portfolio in caller.estate.within(caller.actor, said):
        within[portfolio.account_id] = within.get(portfolio.account_id, frozenset()) | {portfolio.id}
    return within


def among_of(caller: Caller, said: str | None) -> list[PortfolioId] | None:
    """Say to what a question to the book is narrowed: to the portfolio that he names, or not at all.

    Raises: Refused
    """
    return None if said is None else [caller.estate.portfolio(caller.actor, said).id]


def find_live_order(caller: Caller, uid: str) -> Order | None:
    """Find an order of the caller's that has not ended."""
    mine = caller.estate.portfolios(caller.actor)
    owned = caller.estate.ids(caller.actor)
    for account_id in dict.fromkeys(portfolio.account_id for portfolio in mine):
        for order in caller.desk.books.hot.shelf(keys.ORDER, account_id):
            if order.uid == uid and order.intent.portfolio_id in owned:
                found: Order = order
                return found
    return None


def position_id(portfolio: Portfolio, position: Position) -> str:
    """Name a position for the outside."""
    return f"{portfolio.uid}.{position.instrument_id}.{position.strategy_id or 0}.{position.leg}"


def find_position(caller: Caller, said: str) -> tuple["ServedAccount", Position]:
    """Find a position of the caller's, open or flat.

    Raises: Refused
    """
    parts = _POSITION_ID.fullmatch(said)
    if parts is None:
        raise missing()
    portfolio = _owned(caller, parts["portfolio"])
    key = (portfolio.id, InstrumentId(int(parts["instrument"])), int(parts["strategy"]), parts["leg"])
    served = caller.estate.of(portfolio)
    found: Position | None = caller.desk.books.hot.get(keys.position(portfolio.account_id, key))
    if found is None:
        raise missing()
    return served, found


def bot_id(portfolio: Portfolio, number: int) -> str:
    """Name a bot for the outside."""
    return f"{portfolio.uid}.{number}"


def find_bot(caller: Caller, said: str) -> tuple["ServedAccount", int]:
    """Read a bot's id; whether there is such a bot, its host says.

    Raises: Refused
    """
    parts = _BOT_ID.fullmatch(said)
    if parts is None:
        raise missing()
    portfolio = _owned(caller, parts["portfolio"])
    return caller.estate.of(portfolio), int(parts["bot"])


def _owned(caller: Caller, uid: str) -> Portfolio:
    for portfolio in caller.estate.seen(caller.actor):
        if portfolio.uid == uid:
            return portfolio
    raise missing()
