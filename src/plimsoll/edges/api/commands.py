"""What a route asks the desk to do: find whose it is, hand it to the use case, say what became of it.

Rule 1. The actor is in every look-up; what is not his is missing.
Rule 2. An order's key is `api:` and what the caller chose. It is his own, over all his accounts: the same key for
        another order is refused wherever that one was placed.
Rule 3. After a failure the caller learns which of the two it is: nothing was written, or nobody knows yet.

What must not enter: a rule of trading. The gate decides, the use cases act.
"""

import re
from decimal import Decimal
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from plimsoll.bots import host as hosting
from plimsoll.bots.catalogue import parameters_of
from plimsoll.desk import flatten as flattening
from plimsoll.desk import halt as halting
from plimsoll.desk import place_order as placing
from plimsoll.desk import stop_trading as stopping
from plimsoll.desk.cancel_order import cancel_order
from plimsoll.desk.close_position import CloseOutcome, CloseResult, close_position
from plimsoll.desk.place_order import OrderAnswer
from plimsoll.desk.preview_order import preview_order
from plimsoll.edges.api.access import Caller
from plimsoll.edges.api.answers import answer
from plimsoll.edges.api.find import (
    find_bot,
    find_instrument,
    find_live_order,
    find_position,
    position_id,
)
from plimsoll.edges.api.present import bots as bots_shown
from plimsoll.edges.api.present import orders as orders_shown
from plimsoll.edges.api.present import safety as safety_shown
from plimsoll.edges.api.problems import (
    Refused,
    missing,
    reasons_of_checks,
    refused_by_gate,
    refused_field,
    unclear,
)
from plimsoll.edges.api.schemas import (
    BotRow,
    Closed,
    Evaluate,
    Evaluation,
    ExecuteTrade,
    Flatten,
    Flattened,
    LiftHalt,
    ManualClose,
    NewBot,
    NewOrder,
    OrderRow,
    PlacedOrder,
    Preview,
    SetHalt,
    Stopped,
)
from plimsoll.ledger import keys
from plimsoll.model import ids, money
from plimsoll.model.account import Portfolio, TradingState
from plimsoll.model.errors import CommandRefused, Illegal, Refusal
from plimsoll.model.ids import IntentKey
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import Intent, Order, OrderState, OrderTerms, Side
from plimsoll.model.position import Position
from plimsoll.people.actor import Via
from plimsoll.store.connection import CommitUnclear, StoreFailed
from plimsoll.store.draft import Draft

if TYPE_CHECKING:
    from plimsoll.edges.served import ServedAccount

_KEY = re.compile(r"[\x21-\x7e]{1,128}")
KEY_HEADER = "Idempotency-Key"
#: The order is in the book, and the venue has not said what it makes of it.
_NOT_KNOWN = frozenset({OrderState.PENDING, OrderState.UNKNOWN})


# Orders ---------------------------------------------------------------------------------------------------------------


async def place(caller: Caller, wish: NewOrder, said_key: str | None) -> Response:
    """Place an order.

    Raises: Refused, CommandRefused, Illegal
    """
    try:
        key, intent, served = _intended(caller, wish, said_key)
    except (Refused, Illegal):
        caller.spend(writes=True)
        raise
    # The word alone makes nothing a close: without a position against it, it is a write like any other.
    if not (wish.reduce_only and _has_something_to_reduce(served, intent)):
        caller.spend(writes=True)
    given, order = await _place(caller, served, intent, key)
    row = orders_shown.order_row(caller, order)
    remarks = orders_shown.checks(given.checks_json)
    return answer(PlacedOrder(order=row, remarks=remarks, repeated=given.repeated), _status(given, order), _named(key))


async def execute(caller: Caller, wish: ExecuteTrade, said_key: str | None) -> Response:
    """Trade at the market for a quote value, and add up what it filled.

    Raises: Refused, CommandRefused, Illegal
    """
    order_wish = NewOrder(symbol=wish.product_id, side=wish.side, quote_value=wish.size_usd, portfolio=wish.portfolio)
    caller.spend(writes=True)
    key, intent, served = _intended(caller, order_wish, said_key)
    # Fills of an order that is new have numbers above the last one before it; those of an old one may be anywhere.
    above: int = caller.desk.books.hot.get(("id", "trades")) or 0
    given, order = await _place(caller, served, intent, key)
    since = 0 if given.repeated else above
    fills = await run_in_threadpool(caller.book.orders.fills_of, order, above=since)
    return answer(orders_shown.executed(caller, order, fills), _status(given, order), _named(key))


async def preview(caller: Caller, wish: NewOrder) -> Preview:
    """Ask what the gate would say, and write nothing.

    Raises: Refused, CommandRefused, Illegal
    """
    _key, intent, served = _intended(caller, wish, None)
    return orders_shown.preview_row(await preview_order(served.ports, intent))


async def cancel(caller: Caller, order_id: str) -> OrderRow:
    """Take an order back.

    Raises: Refused for none of his, CommandRefused for one that has ended
    """
    order = find_live_order(caller, order_id)
    if order is None:
        ended = await run_in_threadpool(caller.book.orders.one, order_id)
        if ended is None:
            raise missing()
        remedy = "nothing is left of it to be taken back"
        raise CommandRefused(Refusal("order_not_live", f"the order is {ended.state}", ended.uid, remedy=remedy))
    served = caller.desk.accounts[order.intent.account_id]
    try:
        cancelled = await cancel_order(served.ports, order.client_order_id, actor=caller.actor.name)
    except (StoreFailed, CommitUnclear):
        raise unclear("the venue may have ended the order, and the book could not be told; look at it again") from None
    return orders_shown.order_row(caller, cancelled)


def _intended(caller: Caller, wish: NewOrder, said_key: str | None) -> tuple[str, Intent, "ServedAccount"]:
    if said_key is not None and not _KEY.fullmatch(said_key):
        raise refused_field(KEY_HEADER, said_key, "use 1 to 128 visible ASCII characters")
    key = said_key or caller.api.ids.uuid7()
    portfolio = caller.estate.chosen(caller.actor, wish.portfolio)
    served = caller.estate.of(portfolio)
    instrument = find_instrument(caller, served, wish.symbol)
    terms = OrderTerms(
        instrument.id,
        wish.side,
        wish.type,
        quantity=wish.quantity,
        quote_value=wish.quote_value,
        price=wish.price,
        stop_price=wish.stop_price,
        time_in_force=wish.time_in_force,
        reduce_only=wish.reduce_only,
        post_only=wish.post_only,
    )
    intent = Intent(
        key=IntentKey(f"api:{key}"),
        account_id=portfolio.account_id,
        portfolio_id=portfolio.id,
        user_id=caller.actor.user.id,
        terms=terms,
        triggered_by=triggered_by(caller),
        made_at=caller.desk.clock.now(),
        allow_smaller=wish.allow_smaller,
        allow_repeat=wish.allow_repeat,
    )
    return key, intent, served


def _has_something_to_reduce(served: "ServedAccount", intent: Intent) -> bool:
    positions: list[Position] = served.ports.books.hot.shelf(keys.POSITION, intent.account_id)
    sells = intent.terms.side is Side.SELL
    return any(
        held.instrument_id == intent.terms.instrument_id
        and held.portfolio_id == intent.portfolio_id
        and (held.quantity > 0 if sells else held.quantity < 0)
        for held in positions
    )


def triggered_by(caller: Caller) -> str:
    """Name the hand: a person's, or a program's with a person's key."""
    return "manual" if caller.actor.via is Via.SESSION else "api"


async def _place(caller: Caller, served: "ServedAccount", intent: Intent, key: str) -> tuple[OrderAnswer, Order]:
    await _refuse_key_of_another_account(caller, intent)
    try:
        given = await placing.place_order(served.ports, intent)
    except CommitUnclear:
        raise _lost(key) from None
    except StoreFailed:
        if not _is_in_the_book(served, intent):
            raise
        # It was written and sent; only what the venue said of it was not. It is looked up, and the same key tells.
        raise _lost(key) from None
    if given.order is None:
        refused = refused_by_gate(reasons_of_checks(given.checks_json, "REFUSE"))
        refused.headers[KEY_HEADER] = key
        raise refused
    return given, given.order


def _lost(key: str) -> Refused:
    lost = unclear(f"ask again with {KEY_HEADER}: {key}, which tells what became of the order")
    lost.headers[KEY_HEADER] = key
    return lost


def _is_in_the_book(served: "ServedAccount", intent: Intent) -> bool:
    name = ids.client_order_id(served.ports.desk_code, intent.account_id, intent.user_id, intent.key)
    return served.ports.books.hot.get(keys.order(intent.account_id, name)) is not None


async def _refuse_key_of_another_account(caller: Caller, intent: Intent) -> None:
    # Each account keeps its own verdicts. Hardly anybody has two accounts, and then nothing is asked.
    others = [number for number in caller.estate.account_ids(caller.actor) if number != intent.account_id]
    if not others:
        return

    def used(draft: Draft) -> bool:
        return any(
            draft.get(keys.verdict(other, intent.user_id, intent.key)) is not None
            or bool(draft.find("verdict_by_intent", other, intent.user_id, intent.key))
            for other in others
        )

    if await caller.desk.books.write(used):
        raise CommandRefused(
            Refusal(
                "intent_key_reused",
                "this key was used before for an order of another account",
                observed=intent.key.removeprefix("api:"),
                remedy="use a new key for a new order",
            )
        )


def _status(given: OrderAnswer, order: Order) -> int:
    if given.repeated:
        return 200
    return 202 if order.state in _NOT_KNOWN else 201


def _named(key: str) -> dict[str, str]:
    return {KEY_HEADER: key}


# Stop and close -------------------------------------------------------------------------------------------------------


async def stop(caller: Caller, wish: SetHalt) -> Stopped:
    """Put a state in force over the accounts that are meant; one that refuses does not keep the others from it.

    Raises: Refused, CommandRefused when none was stopped
    """
    cancelled: list[str] = []
    failures: list[str] = []
    refused: list[Refusal] = []
    meant = _meant(caller, wish.account)
    for served in meant:
        try:
            report = await stopping.stop_trading(
                served.ports, TradingState(wish.state), actor=caller.actor.name, reason=wish.reason
            )
        except CommandRefused as no:
            refused += no.refusals
            continue
        cancelled += report.cancelled
        failures += report.failures
    if len(refused) >= len(meant):
        raise CommandRefused(*refused)
    now = safety_shown.halts(caller)
    failures += [str(refusal) for refusal in refused]
    return Stopped(state=now.state, cancelled=cancelled, failures=failures, items=now.items)


async def lift(caller: Caller, wish: LiftHalt) -> None:
    """Take a halt out of force on the accounts that are meant, wherever it is.

    Raises: Refused, CommandRefused when it was lifted nowhere
    """
    refused: list[Refusal] = []
    meant = _meant(caller, wish.account)
    for served in meant:
        try:
            if wish.source == "guard:drawdown":
                await served.protector.lift(caller.actor.name)
            else:
                await halting.lift(served.ports, wish.source, caller.actor.name)
        except CommandRefused as no:
            refused += no.refusals
    if len(refused) >= len(meant):
        raise CommandRefused(*refused)


async def flatten(caller: Caller, wish: Flatten) -> Flattened:
    """Close everything of the accounts that are meant.

    Raises: Refused
    """
    positions: list[Closed] = []
    failures: list[str] = []
    flat = True
    for served in _meant(caller, wish.account):
        before = {position.key: position.realized_pnl for position in flattening.open_positions(served.ports)}
        report = await flattening.flatten(served.ports, actor=caller.actor.name, reason=wish.reason)
        positions += [_closed(caller, result, before.get(result.position.key, money.ZERO)) for result in report.results]
        failures += report.failures
        flat = flat and report.is_flat
    return Flattened(flat=flat, positions=positions, failures=failures)


async def close(caller: Caller, wish: ManualClose) -> Closed:
    """Close one position, and say what became of it.

    Raises: Refused
    """
    served, position = find_position(caller, wish.position_id)
    episode = f"manual:{caller.api.ids.uuid7()}"
    by, actor = triggered_by(caller), caller.actor.name
    try:
        result = await close_position(
            served.ports, position, episode=episode, triggered_by=by, actor=actor, reason=wish.reason
        )
    except (StoreFailed, CommitUnclear):
        raise unclear("a close may have been sent; closing again adds only what is still missing") from None
    await served.ports.settled()
    now = caller.desk.books.hot.get(keys.position(served.ports.account_id, position.key)) or position
    outcome = CloseOutcome.FLAT if now.is_flat else result.outcome
    return _closed(caller, CloseResult(now, outcome, result.answer), position.realized_pnl)


def _meant(caller: Caller, said: str | None) -> list["ServedAccount"]:
    meant = caller.estate.some(caller.actor, said)
    if not meant:
        raise missing()
    return meant


def _closed(caller: Caller, result: CloseResult, realized_before: Decimal) -> Closed:
    position = result.position
    hot = caller.desk.books.hot
    portfolio: Portfolio = hot.get(keys.portfolio(position.portfolio_id))
    instrument: Instrument = hot.get(keys.instrument(position.instrument_id))
    order = None if result.answer is None else result.answer.order
    return Closed(
        position_id=position_id(portfolio, position),
        symbol=instrument.symbol,
        outcome=result.outcome.value,
        quantity_left=abs(position.quantity),
        order=None if order is None else order.uid,
        realized_pnl=position.realized_pnl - realized_before,
    )


# Bots -----------------------------------------------------------------------------------------------------------------


async def make_bot(caller: Caller, wish: NewBot) -> BotRow:
    """Make a bot, STOPPED.

    Raises: Refused, CommandRefused, Illegal
    """
    portfolio = caller.estate.chosen(caller.actor, wish.portfolio)
    served = caller.estate.of(portfolio)
    instrument = find_instrument(caller, served, wish.symbol)
    new = hosting.NewBot(wish.name, wish.strategy, portfolio.id, instrument.id, wish.params)
    try:
        record = await served.bots.create(new, caller.actor)
    except Illegal as illegal:
        if illegal.field in wish.params and illegal.field not in parameters_of(wish.strategy):
            # Somebody's own word, which no code is made of.
            raise refused_field(
                f"params.{illegal.field}", illegal.value, illegal.remedy, code="illegal_params"
            ) from None
        raise
    return bots_shown.bot_row(caller, served.bots.bot(record.id, caller.actor))


async def start_bot(caller: Caller, said: str) -> BotRow:
    """Let a bot decide.

    Raises: Refused, CommandRefused, Illegal
    """
    served, number = find_bot(caller, said)
    await served.bots.start(number, caller.actor)
    return bots_shown.bot(caller, said)


async def stop_bot(caller: Caller, said: str) -> BotRow:
    """Let a bot rest.

    Raises: Refused, CommandRefused
    """
    served, number = find_bot(caller, said)
    await served.bots.stop(number, caller.actor)
    return bots_shown.bot(caller, said)


async def evaluate_bot(caller: Caller, said: str, wish: Evaluate) -> Evaluation:
    """Have a bot decide now.

    Raises: Refused, CommandRefused
    """
    served, number = find_bot(caller, said)
    made = await served.bots.evaluate(number, caller.actor, forced=wish.forced)
    return bots_shown.evaluation(said, made)
