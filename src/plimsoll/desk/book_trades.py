"""What the venue tells, into the books: from its stream as it happens, from its history when we ask.

What if the stream drops, repeats or reorders? Booking is idempotent and order-free; whatever the stream lost, the
sweep from the stored cursor finds. It is made at once when the venue speaks of more fills of an order than the book
has: an order that ended is asked about no more, and nobody would find its lost fill. What if the stream says itself
that it lost something? Nothing opens until the book was compared, and that begins with a sweep. What if we crash in a
sweep? The cursor moves after the trades of its page, so the page is read again and is all repetitions. What if the
history is behind? Then the cursor stops where the venue vouches for what is before it, and what follows is read again
and again until it does.
"""

from collections.abc import Sequence
from functools import partial

from plimsoll.desk.book_movements import take_in
from plimsoll.desk.closed_by_venue import stop_opening
from plimsoll.desk.order_news import contradicted
from plimsoll.desk.ports import Ports
from plimsoll.desk.repairs import Repair, found_by_asking, heard, repaired
from plimsoll.ledger import keys, orders, trades
from plimsoll.ledger.book_trade import Booking, book_trades, is_repetition
from plimsoll.ledger.log import Note, tell, write_note
from plimsoll.model.clock import time_text
from plimsoll.model.errors import UnknownOutcome, WorldFailure, invariant
from plimsoll.model.event import Event, EventKind
from plimsoll.model.ids import AccountId
from plimsoll.model.money import decimal_text
from plimsoll.model.order import IllegalTransition, Order, OrderEvent, OrderState
from plimsoll.model.trade import TradeReport
from plimsoll.model.venue import Movement, OrderReport, StreamGap, VenueEvent, VenueOrder
from plimsoll.runtime.logging import logger
from plimsoll.store.connection import StoreFailed
from plimsoll.store.draft import Draft
from plimsoll.store.scribe import Asking

log = logger("book_trades")

#: A unit stays short; a longer page is booked in pieces, and the cursor moves with the last.
TRADES_A_UNIT = 40
#: Looking whether a trade is there writes nothing.
TRADES_A_LOOK = 100

#: A venue that does not know an order's state (UNKNOWN) says nothing by it.
_HEARD = {
    OrderState.PENDING: OrderEvent.ACKNOWLEDGED,
    OrderState.NEW: OrderEvent.ACKNOWLEDGED,
    OrderState.PARTIALLY_FILLED: OrderEvent.ACKNOWLEDGED,
    # The fills themselves make it FILLED; a word without them only proves that it lives.
    OrderState.FILLED: OrderEvent.ACKNOWLEDGED,
    OrderState.CANCELED: OrderEvent.CANCELED,
    OrderState.REJECTED: OrderEvent.REJECTED,
    OrderState.EXPIRED: OrderEvent.EXPIRED,
}


def listen(ports: Ports) -> None:
    """Book whatever the venue's stream brings, from now on."""
    ports.venue.listen(ports.account_id, lambda events: ports.spawn(hear(ports, events)))


async def hear(ports: Ports, events: Sequence[VenueEvent]) -> None:
    """Book a batch of news: fills first, so that the end of an order finds them booked.

    Raises: what cannot be booked, of another account or an unknown instrument; nothing opens until that is cleared up
    """
    fills = [event for event in events if isinstance(event, TradeReport)]
    try:
        for start in range(0, len(fills), TRADES_A_UNIT):
            await book(ports, fills[start : start + TRADES_A_UNIT])
        heard(ports, (report.key for report in fills))
        for event in events:
            if not isinstance(event, TradeReport):
                await _hear_one(ports, event)
    except StoreFailed as failure:
        # The news is lost here but not at the venue: nothing opens until a sweep has fetched it again.
        ports.doubt(f"news could not be written: {failure}")
    except Exception as failure:
        ports.doubt(f"news could not be booked: {failure}")
        raise


async def _hear_one(ports: Ports, event: OrderReport | Movement | StreamGap) -> None:
    if event.account_id != ports.account_id:
        raise LookupError(f"news of account {event.account_id} came in on account {ports.account_id}'s line")
    match event:
        case StreamGap(_, why):
            repaired(ports, Repair.STREAM_GAP, why)
            ports.doubt(f"the stream lost something: {why}")
        case Movement():
            await take_in(ports, [event])
            heard(ports, [(event.kind, event.reference)])
        case OrderReport(_, told):
            ours = await _take_over(ports, told)
            if ours is None:
                # Somebody trades beside us; reconciliation keeps such orders apart until a person decides.
                log.info("foreign_order", broker_order_id=told.broker_order_id, state=told.state)
            else:
                heard(ports, [ours.client_order_id])


async def book(ports: Ports, reports: Sequence[TradeReport]) -> list[Booking]:
    """Book fills of this account.

    Raises: StoreFailed; then nothing of it was booked
    """
    for report in reports:
        if report.account_id != ports.account_id:
            raise LookupError(f"a fill of account {report.account_id} came in on account {ports.account_id}'s line")
    now, actor = ports.clock.now(), f"venue:{ports.venue.facts.name}"
    asked = tuple(trades.question(report) for report in reports)
    made_by_venue = await stop_opening(ports, reports)
    done: list[Booking] = await ports.books.write(Asking(lambda draft: book_trades(draft, reports, now, actor), asked))
    for said in made_by_venue:
        ports.tell("critical", said)
    if Booking.CONTRADICTED in done:
        ports.doubt("the venue tells a fill otherwise than it is booked")
    return done


async def hear_order(ports: Ports, told: VenueOrder, *, asked: bool = False) -> Order:
    """Take over what a venue answered about an order of ours.

    Shapes: `asked`: in a look-up, and not in the answer to a command. Then it is a repair if it is news, and no doubt
            if fills are still missing: the comparison that asked sees for itself.
    Raises: LookupError when it is none of ours
    """
    name = told.client_order_id
    known: Order | None = None if name is None else ports.books.hot.get(keys.order(ports.account_id, name))
    if asked and known is not None:
        found_by_asking(ports, Repair.ORDER_BY_LOOK_UP, known.client_order_id)
    ours = await _take_over(ports, told, doubts=not asked)
    if ours is None:
        raise LookupError(f"the venue speaks of {name or told.broker_order_id}, which is not in the book")
    if not asked or (known is not None and known.state is ours.state):
        heard(ports, [ours.client_order_id])
    return ours


async def _take_over(ports: Ports, told: VenueOrder, *, doubts: bool = True) -> Order | None:
    ours = await _hear_state(ports, told)
    if ours is None or not _lacks_fills(ours, told):
        return ours
    name = ours.client_order_id
    try:
        await sweep(ports)
        swept: Order | None = await ports.books.write(lambda draft: orders.find(draft, ports.account_id, name))
    except (WorldFailure, UnknownOutcome) as failure:
        ports.doubt(f"fills that the venue spoke of could not be fetched: {failure}")
        return ours
    if swept is None or (doubts and _lacks_fills(swept, told)):
        ports.doubt(f"order {name} is filled otherwise at the venue")
    return swept


def _lacks_fills(ours: Order, told: VenueOrder) -> bool:
    # Less than we have is an older word, or a fill that was booked meanwhile; unless the order has ended there.
    differs = told.filled_quantity != ours.filled_quantity
    return differs and (told.filled_quantity > ours.filled_quantity or told.state.is_final)


async def _hear_state(ports: Ports, told: VenueOrder) -> Order | None:
    now = ports.clock.now()
    client_order_id = told.client_order_id
    if client_order_id is None:
        return None

    def unit(draft: Draft) -> Order | None:
        known = orders.find(draft, ports.account_id, client_order_id)
        if known is None:
            return None
        event = _HEARD.get(told.state)
        if event is None:
            return known
        try:
            changed = known.after(event, now, reason=told.reason, broker_order_id=told.broker_order_id)
        except IllegalTransition as contradiction:
            tell(draft, contradicted(known, contradiction, now))
            changed = known
        if changed != known:
            orders.write(draft, changed)
            details = {"state": str(changed.state), "filled": decimal_text(changed.filled_quantity)}
            details |= {"reason": changed.reason, "told_at": time_text(told.updated_at)}
            details |= {} if changed.broker_order_id is None else {"broker_order_id": changed.broker_order_id}
            actor = f"venue:{ports.venue.facts.name}"
            write_note(draft, Note(ports.account_id, actor, "UPDATE", "ORDER", client_order_id, now, details))
            tell(
                draft,
                Event(EventKind.ORDER_CHANGED, ports.account_id, now, {"client_order_id": client_order_id, **details}),
            )
        return changed

    changed: Order | None = await ports.books.write(unit)
    return changed


async def sweep(ports: Ports) -> int:
    """Fetch every fill since the stored cursor and book it; give how many were new."""
    new = 0
    cursor = kept = trade_cursor(ports)
    while True:
        page = await ports.venue.trades_since(ports.account_id, cursor)
        new += await _book_news(ports, await _without_repetitions(ports, page.trades))
        if page.trades and page.kept > kept:
            # After the trades, never before: a crash in between reads the page again, and it is all duplicates. Where
            # the cursor is the hour it moves without any, and every comparison would be a commit.
            kept = page.kept
            await ports.books.write(partial(_move_cursor, ports.account_id, kept))
        if page.complete:
            return new
        invariant(page.cursor != cursor, "a page that is not the last one leads on to another")
        cursor = page.cursor


def trade_cursor(ports: Ports) -> int:
    """Give up to where the book has every fill that the venue will ever tell."""
    cursor: int | None = ports.books.hot.get(keys.trade_cursor(ports.account_id))
    return cursor or 0


async def _book_news(ports: Ports, news: Sequence[TradeReport]) -> int:
    new = 0
    for start in range(0, len(news), TRADES_A_UNIT):
        piece = news[start : start + TRADES_A_UNIT]
        # Before they are booked: news of them that comes in meanwhile must find what it makes needless.
        facts = [report.key for report in piece]
        for fact in facts:
            found_by_asking(ports, Repair.TRADE_BY_SWEEP, fact)
        try:
            done = await book(ports, piece)
        except BaseException:
            heard(ports, facts)  # nothing of it was booked, so nothing was put right
            raise
        told = [fact for fact, booking in zip(facts, done, strict=True) if booking is not Booking.BOOKED]
        heard(ports, told)
        new += len(facts) - len(told)
    return new


async def _without_repetitions(ports: Ports, page: Sequence[TradeReport]) -> list[TradeReport]:
    # Nearly all of a page was booked with the answers to its orders. Those are left out in few and cheap looks: a desk
    # that is filled faster than it sweeps would sweep for ever.
    news: list[TradeReport] = []
    for start in range(0, len(page), TRADES_A_LOOK):
        look = partial(_not_booked, page[start : start + TRADES_A_LOOK])
        news += await ports.books.write(look)
    return news


def _not_booked(reports: Sequence[TradeReport], draft: Draft) -> list[TradeReport]:
    return [report for report in reports if not is_repetition(draft, report)]


def _move_cursor(account_id: AccountId, cursor: int, draft: Draft) -> None:
    if cursor > (draft.get(keys.trade_cursor(account_id)) or 0):  # two sweeps at once: the other one may be further
        draft.put(keys.trade_cursor(account_id), cursor)
        draft.replace("trade_cursors", account_id, (account_id, cursor))
