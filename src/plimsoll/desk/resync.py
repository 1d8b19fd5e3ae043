"""A book that was restored, or woke from an older copy: bring it to what the venue has, and only then let it open.

The venue never forgets. What the book lost is there: fills behind the copy's cursor, and orders of this desk's prefix
that the book does not know.

1. A halt of the source `restored` is in the book before anything is compared: nothing opens, closes pass.
2. Every order of ours that the venue tells of and the book lacks is adopted: to `main`, with what the venue says of it.
   Whose it was is lost. Its fills, swept afterwards, find it. Its id is never used again: a caller who repeats the wish
   that is lost here is refused, instead of ordering twice.
3. When a whole comparison finds nothing that blocks, the halt is lifted, with an event. Money that was moved meanwhile
   is in no history of fills: a venue that tells no movements leaves a break that blocks, and the halt in force, until a
   person has booked it.

What if we crash in here? An order is adopted once, fills are booked once, and the halt is in the book until the end.
What must not enter: how the book came to be old (`bootstrap.backups`).
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from plimsoll.desk.book_trades import hear_order, sweep
from plimsoll.desk.order_news import order_event, write_order_note
from plimsoll.desk.place_order import question_of, view_of
from plimsoll.desk.ports import Ports
from plimsoll.desk.repairs import Repair, repaired
from plimsoll.desk.write_halt import write_halt
from plimsoll.ledger import accounts, external_orders, keys, orders, verdicts
from plimsoll.ledger.log import tell
from plimsoll.model import ids, money
from plimsoll.model.account import Account, Halt, Scope, TradingState
from plimsoll.model.errors import Illegal
from plimsoll.model.event import EventKind
from plimsoll.model.ids import AccountId, BrokerOrderId, ClientOrderId, IntentKey, PortfolioId
from plimsoll.model.order import Intent, Order, OrderState, OrderTerms, OrderType, leg_traded
from plimsoll.model.trade import TradeReport
from plimsoll.model.venue import VenueOrder
from plimsoll.risk.gate.verdict import chosen_leverage, reservation
from plimsoll.runtime.logging import logger
from plimsoll.store.draft import Draft
from plimsoll.store.hot import HotKey, Memory
from plimsoll.venues.protocol import OrderNotFound

log = logger("resync")

#: Whose halt it is, and who adopted.
RESTORED = "restored"
_WHY = "the part of the book that knew it is lost; the venue has it under an id of this desk"


def is_restored(memory: Memory, account_id: AccountId) -> bool:
    """Say whether a book has not been brought to what the venue has since it was restored."""
    return memory.get(_halt_of(account_id)) is not None


def halt_restored(draft: Draft, account_id: AccountId, why: str, now: datetime) -> None:
    """Stop opening until the book was brought to what the venue has; the caller writes the unit's note."""
    accounts.write_halt(draft, Halt(Scope.ACCOUNT, account_id, RESTORED, TradingState.REDUCE_ONLY, why), now)


async def adopt_what_was_lost(ports: Ports) -> int:
    """Take back into the book every order of ours that only the venue knows; give how many.

    Raises: WorldFailure when the venue does not answer; the next comparison tries again
    """
    if not is_restored(ports.books.hot, ports.account_id):
        return 0
    lost = [
        told
        for told in await _orders_lost(ports)
        if await ports.books.write(partial(_adopt, ports, told, ports.clock.now()))
    ]
    for told in lost:
        repaired(ports, Repair.ADOPTED, str(told.client_order_id))
    await sweep(ports)
    for told in lost:
        await hear_order(ports, told, asked=True)
    if lost:
        log.warning("adopted", account=ports.account_id, orders=",".join(str(told.client_order_id) for told in lost))
        ports.tell("warning", f"RESTORED: {len(lost)} orders that the book had lost were taken back from the venue.")
    return len(lost)


async def lift_when_equal(ports: Ports, *, equal: bool) -> None:
    """Let a restored account open again, once a whole comparison has found the book equal to the venue."""
    if not equal or not is_restored(ports.books.hot, ports.account_id):
        return
    now = ports.clock.now()
    lifted = Halt(Scope.ACCOUNT, ports.account_id, RESTORED, TradingState.ACTIVE, "the book is what the venue has")
    await ports.books.write(partial(_lift, ports, lifted, now))
    ports.tell("warning", "RESTORED: the book was brought to what the venue has; opening is allowed again.")


def _halt_of(account_id: AccountId) -> HotKey:
    return keys.halt(Scope.ACCOUNT, account_id, RESTORED)


def _lift(ports: Ports, lifted: Halt, now: datetime, draft: Draft) -> None:
    if is_restored(draft, ports.account_id):
        write_halt(draft, ports, lifted, f"desk:{RESTORED}", now)


async def _orders_lost(ports: Ports) -> list[VenueOrder]:
    """Ask the venue for every order of ours that it tells of and the book does not know, oldest first."""
    fills: dict[ClientOrderId, list[TradeReport]] = {}
    cursor: int = ports.books.hot.get(keys.trade_cursor(ports.account_id)) or 0
    complete = False
    while not complete:
        page = await ports.venue.trades_since(ports.account_id, cursor)
        unknown = await _unknown(ports, [report.client_order_id for report in page.trades])
        for report in page.trades:
            if report.client_order_id in unknown:
                fills.setdefault(report.client_order_id, []).append(report)
        cursor, complete = page.cursor, page.complete
    waiting = {order.client_order_id: order for order in await ports.venue.open_orders(ports.account_id)}
    still = await _unknown(ports, list(waiting))
    ended = [await _ask(ports, name, told) for name, told in fills.items() if name not in still]
    return [*ended, *(waiting[name] for name in still)]


async def _unknown(ports: Ports, names: Sequence[ClientOrderId | None]) -> list[ClientOrderId]:
    ours = list(dict.fromkeys(name for name in names if name and ids.is_ours(ports.desk_code, name)))

    def unit(draft: Draft) -> list[ClientOrderId]:
        return [name for name in ours if orders.find(draft, ports.account_id, name) is None]

    unknown: list[ClientOrderId] = await ports.books.write(unit)
    return unknown


async def _ask(ports: Ports, name: ClientOrderId, fills: Sequence[TradeReport]) -> VenueOrder:
    try:
        return await ports.venue.order(ports.account_id, name)
    except OrderNotFound:
        # A venue that forgets ended orders keeps their fills, and those say enough: its id must not be used again.
        log.warning("order_forgotten", account=ports.account_id, client_order_id=name)
        last, filled = fills[-1], sum((report.quantity for report in fills), money.ZERO)
        return VenueOrder(
            client_order_id=name,
            broker_order_id=last.broker_order_id or BrokerOrderId(f"forgotten:{name}"),
            instrument_id=last.instrument_id,
            side=last.side,
            type=OrderType.MARKET,
            quantity=filled,
            filled_quantity=filled,
            state=OrderState.FILLED,
            updated_at=last.exec_time,
            leg=last.leg,
        )


def _adopt(ports: Ports, told: VenueOrder, now: datetime, draft: Draft) -> bool:
    name = told.client_order_id
    if name is None or orders.find(draft, ports.account_id, name) is not None:
        return False
    order = _order_from(ports, name, told, now, draft)
    if order is None:
        return False
    orders.write_new(draft, order)
    verdicts.write_adopted(draft, order.intent, order.client_order_id, _WHY, now)
    external_orders.write_adopted(draft, ports.account_id, told, RESTORED, now)
    write_order_note(draft, order, "CREATE", f"desk:{RESTORED}", now)
    tell(draft, order_event(order, EventKind.ORDER_WRITTEN, now))
    return True


def _order_from(ports: Ports, name: ClientOrderId, told: VenueOrder, now: datetime, draft: Draft) -> Order | None:
    """Make an order of the book out of what the venue says; None where the book has no place for it."""
    account: Account = draft.get(keys.account(ports.account_id))
    main: PortfolioId | None = draft.get(keys.main_portfolio(ports.account_id))
    if main is None or draft.get(keys.instrument(told.instrument_id)) is None:
        return None  # the comparison tells a person
    try:
        terms = OrderTerms(
            told.instrument_id,
            told.side,
            told.type,
            quantity=told.quantity,
            price=told.price,
            stop_price=told.stop_price,
            reduce_only=told.reduce_only,
        )
    except Illegal as contradiction:
        log.warning("cannot_be_adopted", client_order_id=name, why=str(contradiction))
        return None
    intent = Intent(
        IntentKey(f"adopted:{name}"),
        account.id,
        main,
        account.user_id,
        terms,
        RESTORED,
        told.updated_at,
        # A venue that hedges need not tell the flag: what takes from a leg can do nothing else.
        closes_leg=not told.reduce_only and told.leg == leg_traded(told.side, closes=True),
        leg=told.leg,
    )
    # What it binds at the venue is bound here as well, at what is known now.
    asked = question_of(draft, ports, intent, view_of(ports), key_reused=False)
    instrument, leverage = draft.get(keys.instrument(told.instrument_id)), chosen_leverage(asked.snapshot, asked.limits)
    reserved, asset = reservation(asked.proposal, asked.snapshot, instrument, leverage)
    return Order(
        id=draft.next_id("orders"),
        uid=ports.ids.uuid7(),
        client_order_id=name,
        intent=intent,
        terms=terms,
        state=OrderState.NEW,
        placed_at=now,
        updated_at=now,
        broker_order_id=told.broker_order_id,
        reserved=reserved,
        reserved_asset=asset,
        value=asked.proposal.value or money.ZERO,
        closes=asked.proposal.closes,
        leg=asked.proposal.leg,
    )
