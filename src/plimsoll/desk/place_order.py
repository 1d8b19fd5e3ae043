"""Place an order: check → write down → send → record. The only way to a venue's `place`, for everybody.

1. *Check and write*, one unit: the gate judges the intent on a snapshot of the draft; an approved order is written as
   PENDING with its verdict and its reservation, a refused one as a verdict and a breach. Then the commit.
2. *Send*, only after that commit, and only what the commit says.
3. *Record*, one unit: acknowledged, rejected, or of unknown fate; fills that came with the answer are booked with it.

What if we crash before 1 is committed? Nothing happened; the caller may come again with the same key.
Between 1 and 3? The order may have been sent. The next start finds it PENDING, calls it UNKNOWN and looks it up
(`recover`). It is never sent a second time: not by us, and not by a caller with the same key, who gets the first
answer.
What if the answer is lost? UNKNOWN, the same way, without waiting for a restart (`resolve_unknown`).
What if we slept between 1 and 2, and another process owns the books by now? Nothing leaves unless they are certain to
be ours (`Ports.may_send`); where they are not any more, the new owner finds the order PENDING and looks it up.
What if step 3 cannot be written, or the caller gives up on us? The venue may have it and the book says PENDING: nothing
opens until the next comparison, which calls it UNKNOWN and looks it up. Nobody is told that the order was placed before
the book says so.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from plimsoll.desk.halt import halt_for_broken_parity
from plimsoll.desk.order_news import contradicted, order_event, write_order_note
from plimsoll.desk.ports import Doors, Ports
from plimsoll.desk.pulse import is_awake
from plimsoll.desk.repairs import heard
from plimsoll.desk.snapshot import MarketView, remember_order, take_snapshot
from plimsoll.ledger import accounts, external_orders, keys, orders, verdicts
from plimsoll.ledger.book_trade import book_trade
from plimsoll.ledger.log import Note, tell, write_note
from plimsoll.ledger.verdicts import GivenVerdict
from plimsoll.model import ids
from plimsoll.model.account import Account
from plimsoll.model.errors import CommandRefused, Refusal, UnknownOutcome, WorldFailure, invariant
from plimsoll.model.event import Event, EventKind
from plimsoll.model.ids import ClientOrderId
from plimsoll.model.order import IllegalTransition, Intent, Order, OrderEvent, OrderState
from plimsoll.risk.gate.controls import CONTROLS
from plimsoll.risk.gate.parity import compare_with_wire
from plimsoll.risk.gate.snapshot import Proposal, Snapshot, propose
from plimsoll.risk.gate.verdict import Approved, Refused, Verdict, judge
from plimsoll.risk.limits import Limits
from plimsoll.runtime import rare
from plimsoll.runtime.logging import bind_correlation, logger
from plimsoll.runtime.rare import Site
from plimsoll.store.connection import CommitUnclear
from plimsoll.store.draft import Draft
from plimsoll.store.scribe import Asking
from plimsoll.venues.protocol import OrderRejected, Placed

log = logger("place_order")

#: A verdict older than this was given for another market: an opening order is not sent on it.
VERDICT_FRESH_SECONDS = 1.0
#: How the keys of a closer's attempts begin (`close_position`).
CLOSE_KEYS = "close:"


@dataclass(frozen=True, slots=True)
class OrderAnswer:
    """What became of an intent, as its caller is told and told again."""

    client_order_id: ClientOrderId
    #: The order as the book has it; None when the gate refused.
    order: Order | None
    #: Every reason of a refusal, and what an approval remarked, as JSON.
    checks_json: str
    #: This intent was answered before; nothing was done now.
    repeated: bool = False

    @property
    def approved(self) -> bool:
        return self.order is not None


@dataclass(frozen=True, slots=True)
class Question:
    """What the gate is asked: a proposal, what is known of its account at that moment, and what is allowed there."""

    account: Account
    proposal: Proposal
    snapshot: Snapshot
    limits: Limits


@dataclass(frozen=True, slots=True)
class _Admission:
    given: GivenVerdict
    order: Order | None
    #: Present only when this very call was approved, and so is the one that sends.
    approved: Approved | None
    repeated: bool = False
    #: The key was used before, for another wish.
    refused: Refusal | None = None


async def place_order(ports: Ports, intent: Intent) -> OrderAnswer:
    """Take an intent through the gate and, if it passes, to the venue.

    Refuses: an intent key that was used before with another body; everything but closes while the desk stops
    Raises:  CommandRefused; StoreFailed or CommitUnclear: ask again with the same key, which answers what became of it
    """
    _refuse_while_stopping(ports, intent)
    wish = (intent.user_id, intent.key)
    ports.placing[wish] += 1
    try:
        return await _place(ports, intent)
    finally:
        ports.placing[wish] -= 1
        if not ports.placing[wish]:
            del ports.placing[wish]


def _refuse_while_stopping(ports: Ports, intent: Intent) -> None:
    closes = intent.terms.reduce_only or intent.closes_leg
    if ports.doors is Doors.OPEN or (ports.doors is Doors.CLOSING and closes):
        return
    raise CommandRefused(
        Refusal(
            "desk_stopping",
            "the desk is being stopped; nothing was written",
            observed=intent.key,
            remedy="ask again with the same key when it is up again",
        )
    )


async def _place(ports: Ports, intent: Intent) -> OrderAnswer:
    market = view_of(ports)
    try:
        admission: _Admission = await ports.books.write(
            Asking(lambda draft: _admit(draft, ports, intent, market), (verdicts.question(intent),))
        )
    except CommitUnclear:
        ports.doubt("an intent may have been written that nobody will send")
        raise
    if admission.refused is not None:
        raise CommandRefused(admission.refused)
    if admission.approved is None or admission.order is None:
        return OrderAnswer(
            admission.given.client_order_id, admission.order, admission.given.checks_json, admission.repeated
        )
    ids_of_it = {"intent_key": intent.key, "client_order_id": admission.order.client_order_id}
    try:
        with bind_correlation(account=ports.account_id, **ids_of_it):
            order = await _send(ports, admission.order, admission.approved, market.now)
    except BaseException as failure:
        # The answer could not be written, or the caller gave up before it came: the venue may have what the book has
        # not, and the order stands there PENDING. Nothing opens until it was looked up.
        ports.doubt(f"an order was left on its way: {type(failure).__name__}")
        raise
    return OrderAnswer(order.client_order_id, order, admission.given.checks_json)


def view_of(ports: Ports) -> MarketView:
    """Take what the desk sees of the world at this moment."""
    return MarketView(
        now=ports.clock.now(),
        quotes=ports.board.quotes(),
        source=ports.board.facts,
        venue=ports.venue.facts,
        fee_ratio=ports.fee_ratio,
        reconciled=ports.reconciled and is_awake(ports),
        parity_difference=ports.parity_difference,
        blind=bool(ports.blind),
        memory_state=ports.memory_state,
    )


# 1. Check and write ---------------------------------------------------------------------------------------------------


def _admit(draft: Draft, ports: Ports, intent: Intent, market: MarketView) -> _Admission:
    body = verdicts.body_hash(intent)
    before = verdicts.find(draft, intent)
    if before is not None and before.body_hash == body:
        order = orders.find(draft, intent.account_id, before.client_order_id) if before.approved else None
        return _Admission(before, order, None, repeated=True)
    if before is None:
        _refuse_what_was_forgotten(draft, ports, intent)
    verdict, snapshot = _judge(draft, ports, intent, market, key_reused=before is not None)
    observed = _observed(snapshot)
    if before is not None:
        return _refuse_reused_key(draft, verdict, before, observed, market.now)
    given = verdicts.write(draft, verdict, body, verdicts.input_hash(observed), market.now)
    if isinstance(verdict, Refused):
        _write_refusal(draft, verdict, given, verdicts.observed_text(observed), market.now)
        return _Admission(given, None, None)
    order = _write_pending(draft, ports, verdict, market.now)
    if verdict.reduced_from is not None:
        text = verdicts.observed_text(observed)
        verdicts.write_breach(draft, intent.account_id, "REDUCED_SIZE", intent.key, given.checks_json, text, market.now)
    return _Admission(given, order, verdict)


def _refuse_what_was_forgotten(draft: Draft, ports: Ports, intent: Intent) -> None:
    """Refuse a key whose order the venue has, or had, and the book does not: a part of the book was lost.

    Where a venue forgets the ids of ended orders, it would take the same order a second time.
    """
    forgotten = external_orders.sent_once(draft, intent.account_id)
    if not forgotten:
        return
    name = ids.client_order_id(ports.desk_code, intent.account_id, intent.user_id, intent.key)
    if name in forgotten:
        raise CommandRefused(
            Refusal(
                "intent_key_reused",
                "the venue knows an order of this key, and the book does not",
                observed=name,
                remedy="look at the breaks of the account; use a new key for a new order",
            )
        )


def _refuse_reused_key(
    draft: Draft, verdict: Verdict, before: GivenVerdict, observed: dict[str, object], now: datetime
) -> _Admission:
    """Refuse a key that stands for another wish: a breach like any other, but the first verdict stays the key's."""
    intent = verdict.intent
    invariant(isinstance(verdict, Refused), "control 8 refuses a key that was used for another order")
    # A closer asks for its attempts of an earlier process by their keys; that one of them stands is no breach.
    if isinstance(verdict, Refused) and not intent.key.startswith(CLOSE_KEYS):
        given = replace(before, checks_json=verdicts.checks_json(verdict.remarks))
        _write_refusal(draft, verdict, given, verdicts.observed_text(observed), now)
    refusal = Refusal(
        "intent_key_reused",
        "this key was used before for another order",
        observed=intent.key,
        remedy="use a new key for a new order, and the same key only to ask for the same one again",
    )
    return _Admission(before, None, None, refused=refusal)


def _judge(
    draft: Draft, ports: Ports, intent: Intent, market: MarketView, *, key_reused: bool
) -> tuple[Verdict, Snapshot]:
    asked = question_of(draft, ports, intent, market, key_reused=key_reused)
    return judge(asked.proposal, asked.snapshot, asked.limits, CONTROLS), asked.snapshot


def question_of(draft: Draft, ports: Ports, intent: Intent, market: MarketView, *, key_reused: bool) -> Question:
    """Put together what the gate is asked about an intent, by whoever places it and by whoever only previews it.

    Raises: CommandRefused for an account that is not this one
    """
    account: Account | None = draft.get(keys.account(intent.account_id))
    if account is None or account.id != ports.account_id:
        raise CommandRefused(Refusal("account_unknown", "there is no such account", observed=str(intent.account_id)))
    limits = accounts.limits_of(draft, account)
    snapshot = take_snapshot(draft, intent, market, account, limits, key_reused=key_reused)
    client_order_id = ids.client_order_id(ports.desk_code, intent.account_id, intent.user_id, intent.key)
    proposal = propose(intent, client_order_id, snapshot, limits.market_slack_ratio)
    return Question(account, proposal, snapshot, limits)


def _write_pending(draft: Draft, ports: Ports, approved: Approved, now: datetime) -> Order:
    intent = approved.intent
    order = Order(
        id=draft.next_id("orders"),
        uid=ports.ids.uuid7(),
        client_order_id=approved.client_order_id,
        intent=intent,
        terms=approved.terms,
        state=OrderState.PENDING,
        placed_at=now,
        updated_at=now,
        reserved=approved.reserved,
        reserved_asset=approved.reserved_asset,
        value=approved.value,
        closes=approved.closes,
        leg=approved.leg,
    )
    known = draft.get(keys.order(intent.account_id, order.client_order_id))
    invariant(known is None, "two intents never make the same client order id")
    orders.write_new(draft, order)
    limits = accounts.limits_of(draft, draft.get(keys.account(intent.account_id)))
    remember_order(draft, intent, limits.repeat_window, now)
    write_order_note(draft, order, "CREATE", intent.actor, now)
    tell(draft, order_event(order, EventKind.ORDER_WRITTEN, now))
    return order


def _write_refusal(draft: Draft, refused: Refused, given: GivenVerdict, observed: str, now: datetime) -> None:
    intent = refused.intent
    verdicts.write_breach(draft, intent.account_id, "BLOCKED", intent.key, given.checks_json, observed, now)
    codes = ",".join(item.finding.refusal.code for item in refused.reasons if item.finding.refusal is not None)
    numbers = ",".join(str(item.control.number) for item in refused.reasons)
    details = {"intent": intent.key, "controls": numbers, "codes": codes}
    note = Note(intent.account_id, intent.actor, "BREACH", "ORDER", refused.client_order_id, now, details)
    write_note(draft, note)
    tell(draft, Event(EventKind.ORDER_REFUSED, intent.account_id, now, details))


def _observed(snapshot: Snapshot) -> dict[str, object]:
    """Name the numbers that a verdict rests on: an approval keeps their hash, a breach keeps them."""
    quote = snapshot.quote
    return {
        "now": snapshot.now,
        "state": snapshot.state.value,
        "reconciled": snapshot.reconciled,
        "unknown_orders": snapshot.unknown_orders,
        "equity": snapshot.equity,
        "cash": snapshot.cash,
        "coins": snapshot.coins,
        "reserved_cash": snapshot.reserved_cash,
        "reserved_coins": snapshot.reserved_coins,
        "margin_used": snapshot.margin_used,
        "position_quantity": snapshot.position_quantity,
        "closing_quantity": snapshot.closing_quantity,
        "gross_value": snapshot.gross_value,
        "net_value": snapshot.net_value,
        "drawdown": snapshot.drawdown,
        "bid": None if quote is None else quote.bid,
        "ask": None if quote is None else quote.ask,
        "quote_at": None if quote is None else quote.at,
    }


# 2. Send --------------------------------------------------------------------------------------------------------------


async def _send(ports: Ports, order: Order, approved: Approved, judged_at: datetime) -> Order:
    too_old = (ports.clock.now() - judged_at).total_seconds() > VERDICT_FRESH_SECONDS
    if not approved.closes and (too_old or rare.strikes(Site.VERDICT_TOO_OLD)):
        # Slept through: a laptop lid, a stopped process. Nothing has left, so the order can be ended for certain.
        return await record(ports, order, OrderEvent.EXPIRED, "the verdict was too old to send on")
    # What leaves is what was approved; it must also be what the book says leaves, now that it was committed.
    written: Order = ports.books.hot.get(keys.order(ports.account_id, order.client_order_id)) or order
    broken = compare_with_wire(approved, written.terms, written.client_order_id, written.leg)
    if broken is not None:
        await halt_for_broken_parity(ports, broken)
        return await record(ports, order, OrderEvent.EXPIRED, broken.sentence)
    # Last of all, for what is above may have taken its time. A close is no exception: the new owner's it is to send.
    not_ours = ports.may_send()
    if not_ours is not None:
        return await record(ports, order, OrderEvent.EXPIRED, f"not sent: {not_ours}")
    try:
        placed = await ports.venue.place(approved)
    except OrderRejected as refusal:
        return await record(ports, order, OrderEvent.REJECTED, f"{refusal.code}: {refusal.sentence}")
    except UnknownOutcome as lost:
        return await record(ports, order, OrderEvent.OUTCOME_LOST, str(lost))
    except WorldFailure as failure:
        # The adapter vouches that nothing left; see `venues.protocol`.
        return await record(ports, order, OrderEvent.REJECTED, f"not sent: {failure}")
    except Exception as bug:
        # An adapter that breaks after sending must not make us believe that it did not send.
        await record(ports, order, OrderEvent.OUTCOME_LOST, f"{type(bug).__name__}: {bug}")
        raise
    return await _record_placed(ports, order, placed)


# 3. Record ------------------------------------------------------------------------------------------------------------


async def _record_placed(ports: Ports, order: Order, placed: Placed) -> Order:
    now = ports.clock.now()

    def unit(draft: Draft) -> Order:
        known = _as_booked(draft, order)
        name = placed.order.broker_order_id
        orders.write(draft, known.after(OrderEvent.ACKNOWLEDGED, now, broker_order_id=name))
        for report in placed.trades:
            book_trade(draft, report, now)
        booked = hear_end(draft, _as_booked(draft, order), placed.order.state, placed.order.reason, now)
        write_order_note(draft, booked, "UPDATE", f"venue:{ports.venue.facts.name}", now)
        tell(draft, order_event(booked, EventKind.ORDER_CHANGED, now))
        return booked

    booked: Order = await ports.books.write(unit)
    heard(ports, (order.client_order_id, *(report.key for report in placed.trades)))
    return booked


async def record(
    ports: Ports, order: Order, event: OrderEvent, reason: str, *, only_from: OrderState | None = None
) -> Order:
    """Write down what was learnt about an order; `only_from` drops it where the order has meanwhile gone on."""
    now = ports.clock.now()
    if event is OrderEvent.OUTCOME_LOST:
        # Its settle window begins when we give up on it, and runs by the stopwatch.
        ports.unknown_since[order.client_order_id] = ports.clock.monotonic()

    def unit(draft: Draft) -> Order:
        known = _as_booked(draft, order)
        if only_from not in (None, known.state):
            return known
        try:
            changed = known.after(event, now, reason=reason)
        except IllegalTransition as contradiction:
            tell(draft, contradicted(known, contradiction, now))
            return known
        if changed is not known:
            orders.write(draft, changed)
            write_order_note(draft, changed, "UPDATE", f"venue:{ports.venue.facts.name}", now)
            tell(draft, order_event(changed, EventKind.ORDER_CHANGED, now))
        return changed

    changed: Order = await ports.books.write(unit)
    log.info("order", client_order_id=changed.client_order_id, state=changed.state, reason=changed.reason)
    return changed


def hear_end(draft: Draft, order: Order, state: OrderState, reason: str, now: datetime) -> Order:
    """Take over a venue's word that an order ended without being filled whole; fills speak for themselves."""
    event = _ENDS.get(state)
    if event is None:
        return order
    ended = order.after(event, now, reason=reason)
    if ended is not order:
        orders.write(draft, ended)
    return ended


_ENDS = {
    OrderState.CANCELED: OrderEvent.CANCELED,
    OrderState.REJECTED: OrderEvent.REJECTED,
    OrderState.EXPIRED: OrderEvent.EXPIRED,
}


def _as_booked(draft: Draft, order: Order) -> Order:
    known = orders.find(draft, order.intent.account_id, order.client_order_id)
    if known is None:
        raise LookupError(f"order {order.client_order_id} was written and is not in the book")
    return known
