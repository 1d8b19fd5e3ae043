"""Instruments, quotes and candles as they are shown: a price never without its age."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from plimsoll.desk.value_account import book_view
from plimsoll.edges.api.access import Caller
from plimsoll.edges.api.find import instruments_of, symbol_unknown
from plimsoll.edges.api.problems import Refused, missing, refused_field
from plimsoll.edges.api.schemas import Candle, Candles, InstrumentRow, Interval, PriceSource, QuoteRow
from plimsoll.ledger import keys
from plimsoll.model.account import Account
from plimsoll.model.errors import WorldFailure
from plimsoll.model.instrument import Instrument
from plimsoll.model.quote import Bar, Quote
from plimsoll.risk.valuation import Prices

if TYPE_CHECKING:
    from plimsoll.edges.served import ServedAccount


def price_source(served: "ServedAccount", now: datetime) -> PriceSource:
    """Tell how an account's prices stand."""
    account: Account = served.ports.books.hot.get(keys.account(served.ports.account_id))
    status = served.feed.status
    newest = max((quote.at for quote in list(served.ports.board.view().values())), default=None)
    return PriceSource(
        account=account.uid,
        source=account.price_source,
        label=served.feed.label,
        state=status.state.value,
        detail=status.detail,
        since=status.since,
        reconnects=status.reconnects,
        age_seconds=None if newest is None else (now - newest).total_seconds(),
    )


def instrument_row(instrument: Instrument) -> InstrumentRow:
    """Show what can be traded, and in which steps."""
    return InstrumentRow(
        symbol=instrument.symbol,
        venue=instrument.venue,
        asset_type=instrument.asset_type.value,
        base=instrument.base,
        quote=instrument.quote,
        settle=instrument.settle,
        tick_size=instrument.tick_size,
        lot_size=instrument.lot_size,
        min_quantity=instrument.min_quantity,
        min_notional=instrument.min_notional,
        max_leverage=instrument.max_leverage,
        is_derivative=instrument.is_derivative,
        tradable=instrument.tradable,
    )


def quote_row(served: "ServedAccount", instrument: Instrument, quote: Quote, now: datetime) -> QuoteRow:
    """Show a quote of any age, and say whether anything may be decided at it."""
    prices = Prices({quote.instrument_id: quote}, now, book_view(served.ports).max_price_age)
    return QuoteRow(
        symbol=instrument.symbol,
        bid=quote.bid,
        ask=quote.ask,
        last=quote.last,
        mark=quote.mark,
        at=quote.at,
        age_seconds=(now - quote.at).total_seconds(),
        fresh=prices.of(quote.instrument_id) is not None,
        source=served.ports.board.facts.name,
    )


def instruments(caller: Caller, portfolio: str | None) -> list[InstrumentRow]:
    """Show what the caller's accounts trade, or the one of the portfolio that he names.

    Raises: Refused
    """
    found = {one.id: one for served in _priced(caller, portfolio) for one in instruments_of(caller, served)}
    return [instrument_row(instrument) for instrument in found.values()]


def quotes(caller: Caller, portfolio: str | None) -> list[QuoteRow]:
    """Show the last quote of everything that the caller's accounts trade and that ever had one."""
    now, rows = caller.desk.clock.now(), []
    for served in _priced(caller, portfolio):
        for instrument in instruments_of(caller, served):
            quote = served.ports.board.quote(instrument.id)
            if quote is not None:
                rows.append(quote_row(served, instrument, quote, now))
    return rows


def quote_of(caller: Caller, symbol: str, portfolio: str | None) -> QuoteRow:
    """Show one instrument's last quote.

    Raises: Refused
    """
    served, instrument = priced_under(caller, symbol, portfolio, unknown=missing())
    quote = served.ports.board.quote(instrument.id)
    if quote is None:
        raise missing()
    return quote_row(served, instrument, quote, caller.desk.clock.now())


def priced_under(
    caller: Caller, symbol: str, portfolio: str | None, *, unknown: Refused
) -> tuple["ServedAccount", Instrument]:
    """Find the account that trades a symbol. Where several do, at prices of their own, one has to be named.

    Raises: Refused
    """
    found = [
        (served, instrument)
        for served in _priced(caller, portfolio)
        for instrument in instruments_of(caller, served)
        if instrument.symbol == symbol
    ]
    if len(found) > 1:
        raise refused_field("portfolio", None, f"several of your accounts trade {symbol}: say which portfolio")
    if not found:
        raise unknown
    return found[0]


def candle(bar: Bar, now: datetime) -> Candle:
    """Show a bar."""
    return Candle(
        start=bar.start,
        open=bar.open,
        high=bar.high,
        low=bar.low,
        close=bar.close,
        volume=bar.volume,
        closed=bar.end <= now,
    )


def _priced(caller: Caller, portfolio: str | None) -> list["ServedAccount"]:
    # A key for one portfolio sees the prices of its account, which tell nothing of what the others hold.
    mine = caller.estate.within(caller.actor, portfolio)
    # Nothing is priced for an imported book.
    traded = [each for each in mine if not caller.estate.is_imported(each)]
    return list({each.account_id: caller.estate.of(each) for each in traded}.values())


#: Intervals by their names.
INTERVALS = {
    "1m": timedelta(minutes=1),
    "5m": timedelta(minutes=5),
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "4h": timedelta(hours=4),
    "1d": timedelta(days=1),
}


async def candles(caller: Caller, symbol: str, portfolio: str | None, interval: Interval, limit: int) -> Candles:
    """Show the last bars of an instrument: what the desk saw itself, and before that what the source remembers.

    Raises: Refused
    """
    served, instrument = priced_under(caller, symbol, portfolio, unknown=symbol_unknown(symbol))
    account: Account = served.ports.books.hot.get(keys.account(served.ports.account_id))
    length, now = INTERVALS[interval], caller.desk.clock.now()
    seen = list(served.candles.bars(instrument.id, length, limit))
    if len(seen) < limit:
        try:
            before = await served.feed.bars(instrument.id, length, limit)
        except WorldFailure:
            before = ()  # what we saw ourselves is still true
        # The first bar that we saw may be one that had begun before us: the source has it whole.
        bars = {bar.start: bar for bar in (*seen, *before)}
        seen = [bars[start] for start in sorted(bars)][-limit:]
    items = [candle(bar, now) for bar in seen]
    return Candles(symbol=symbol, interval=interval, source=account.price_source, items=items)
