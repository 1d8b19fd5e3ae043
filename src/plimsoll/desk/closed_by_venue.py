"""Trades that the venue itself made: it liquidated, deleveraged or settled what the account holds (FAILURES B11).

Such a trade closed what was there, whosever it was. It is booked to `main`, so that the account's position is right;
what the strategies believe to hold is no longer there, and nobody can say of which of them it was taken. So nothing
opens until a person has looked: a halt that only a person lifts, and a message, once for each such trade.

What if we crash after the halt? The trade is not booked yet, so it is told again, and finds the halt in force.
What if a person lifts the halt, and the trade comes again, or is corrected? It is in the book: that is no new one.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from plimsoll.desk.ports import Ports
from plimsoll.desk.write_halt import write_halt
from plimsoll.ledger import keys, trades
from plimsoll.model.account import Halt, Scope, TradingState
from plimsoll.model.instrument import Instrument
from plimsoll.model.money import decimal_text
from plimsoll.model.trade import MadeBy, TradeEffect, TradeReport
from plimsoll.store.draft import Draft

_WORDS = {
    MadeBy.LIQUIDATION: "LIQUIDATED",
    MadeBy.ADL: "DELEVERAGED",
    MadeBy.SETTLEMENT: "SETTLED",
}


async def stop_opening(ports: Ports, reports: Sequence[TradeReport]) -> list[str]:
    """Halt what opens before trades of the venue's own making are booked; give what people must be told of them.

    Raises: StoreFailed
    """
    told: list[str] = []
    for report in reports:
        if report.made_by is not None:
            said: str | None = await ports.books.write(partial(_stop, ports, report, report.made_by, ports.clock.now()))
            told += [] if said is None else [said]
    return told


def _stop(ports: Ports, report: TradeReport, by: MadeBy, now: datetime, draft: Draft) -> str | None:
    if report.effect is TradeEffect.BUST or trades.revisions(draft, report):
        return None
    source = f"venue:{by}"
    reason = f"{_told(draft, report)}, trade {report.broker_trade_id}"
    if draft.get(keys.halt(Scope.ACCOUNT, ports.account_id, source)) is None:
        halt = Halt(Scope.ACCOUNT, ports.account_id, source, TradingState.REDUCE_ONLY, reason, latched=True)
        write_halt(draft, ports, halt, f"venue:{ports.venue.facts.name}", now)
    return f"{_WORDS[by]} BY THE VENUE: {reason}. Nothing opens until a person lifts {source}."


def _told(draft: Draft, report: TradeReport) -> str:
    instrument: Instrument | None = draft.get(keys.instrument(report.instrument_id))
    symbol = f"instrument {report.instrument_id}" if instrument is None else instrument.symbol
    return f"{report.side} {decimal_text(report.quantity)} {symbol} at {decimal_text(report.price)}"
