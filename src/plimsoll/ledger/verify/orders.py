"""Every order beside its verdict, its notes, its trades and its states: nothing left without an approval, and nothing
became of it that the chain does not tell.

Four streams in the order of the orders are read side by side, so that one order is in memory at a time. Notes that name
several orders (those that a process left behind) are few and read before.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, TypeVar

from sqlalchemy import Connection, Select, String, and_, case, exists, literal_column, select, type_coerce, union_all

from plimsoll.ledger import orders, schema, verdicts
from plimsoll.ledger.imported_accounts import imported_accounts
from plimsoll.ledger.recompute import UNREADABLE
from plimsoll.ledger.verify.proof import Proof, whole
from plimsoll.ledger.verify.states import Course, Fill, OrderNote, StoredState, tell_course, tell_states
from plimsoll.model import money
from plimsoll.model.money import decimal_text
from plimsoll.model.order import Order, OrderState
from plimsoll.model.trade import TradeEffect
from plimsoll.store.draft import Row
from plimsoll.store.statements import select_as_stored

T = TypeVar("T")

#: (account, order)
OrderKey = tuple[int, int]

_LOG, _ORDERS, _TRADES, _STATES, _VERDICTS = (
    schema.audit_log.c,
    schema.orders.c,
    schema.trades.c,
    schema.order_states.c,
    schema.verdicts.c,
)
#: A note that names several orders has this key, and their names in its details.
_SEVERAL = "*"


def check_orders(proof: Proof) -> None:
    """Compare every order with its verdict, its notes, its trades and its states."""
    fills, states, notes = (_Beside(proof, question) for question in (_fills(), _states(), _notes()))
    together, count, before = _noted_together(proof), 0, None
    for row in proof.ask(_orders_and_verdicts()):
        key = (whole(row[0]), whole(row[1]))
        if key == before:
            continue  # its verdict is there twice, which was found where facts are numbered
        count, before = count + 1, key
        its_fills = _read(proof, "trades", fills.of(key), _fill)
        its_states = _read(proof, "order_states", states.of(key), _state)
        its_notes = _read(proof, "audit_log", notes.of(key), _note)
        try:
            order = orders.from_row(row[:-1])
        except UNREADABLE as error:
            proof.find_unreadable(schema.orders, row[:-1], error)
            continue
        its_notes += together.pop((key[0], order.client_order_id), ())
        _compare(proof, order, row[-1], its_notes, its_fills, its_states)
    for table, left in (("trades", fills.left()), ("order_states", states.left())):
        for account_id, order_id in left:
            sentence = f"its {table.replace('_', ' ')} are there, the order is not"
            proof.find("missing_order", "orders", f"account {account_id}, order {order_id}", sentence)
    proof.checked["orders"] = count
    _check_approvals(proof)


def states_anew(connection: Connection) -> Iterator[Row]:
    """Tell the states of every order, as rows, for a book that was written before they were stored."""
    proof = Proof(connection, None)
    fills, notes = _Beside(proof, _fills()), _Beside(proof, _notes())
    together = _noted_together(proof)
    for row in proof.ask(select_as_stored(schema.orders)):
        order = orders.from_row(row)
        key = (order.intent.account_id, order.id)
        told = [*map(_note, notes.of(key)), *together.pop((key[0], order.client_order_id), ())]
        for state in tell_states(order.quantity, told, map(_fill, fills.of(key))):
            # Where nobody noted why, the order itself knows of its last state.
            reason = state.reason or (order.reason if state.state is order.state else "")
            yield (*key, state.seq, state.state.value, decimal_text(state.filled), reason, state.at)
    for beside in (fills, notes):
        beside.left()  # an answer that is read halfway stays open


def _read(proof: Proof, table: str, rows: Sequence[Row], make: Callable[[Row], T]) -> list[T]:
    """Read what lies beside an order; what is no value of ours is found and left out."""
    values = []
    for row in rows:
        try:
            values.append(make(row))
        except UNREADABLE as error:
            place = f"account {row[0]}, order {row[1]}, unit {row[2]}"
            proof.find("unreadable_row", table, place, f"no value of ours: {error}")
    return values


# What lies beside an order --------------------------------------------------------------------------------------------


class _Beside:
    """Rows that lead with an account and an order, handed out order by order."""

    def __init__(self, proof: Proof, question: Select[Any]) -> None:
        self._rows = proof.ask(question)
        self._next = next(self._rows, None)
        self._left: list[OrderKey] = []

    def of(self, key: OrderKey) -> list[Row]:
        """Give the rows of an order; those before it are of orders that are not there."""
        found = []
        while self._next is not None and (at := (whole(self._next[0]), whole(self._next[1]))) <= key:
            if at == key:
                found.append(self._next)
            elif not self._left or self._left[-1] != at:
                self._left.append(at)
            self._next = next(self._rows, None)
        return found

    def left(self) -> list[OrderKey]:
        """Name the orders that have rows here and are not there."""
        behind_all = (2**63, 0)
        self.of(behind_all)
        return self._left


def _orders_and_verdicts() -> Select[Any]:
    approved = and_(
        _VERDICTS.account_id == _ORDERS.account_id,
        _VERDICTS.user_id == _ORDERS.user_id,
        _VERDICTS.intent_key == _ORDERS.intent_key,
        _VERDICTS.client_order_id == _ORDERS.client_order_id,
        _VERDICTS.outcome == "APPROVED",
    )
    return (
        select_as_stored(schema.orders)
        .add_columns(_VERDICTS.body_hash)
        .select_from(schema.orders.outerjoin(schema.verdicts, approved))
    )


def _fills() -> Select[Any]:
    """Ask for the trades of every order, and for what was told under their ids by somebody who named no order.

    What was brought along was ordered elsewhere, whatever it names.
    """
    other = schema.trades.alias()
    same = and_(
        other.c.account_id == _TRADES.account_id,
        other.c.instrument_id == _TRADES.instrument_id,
        other.c.broker_trade_id == _TRADES.broker_trade_id,
        # True of every row, and what makes SQLite go by the natural key: by the account alone it would look through
        # all of its trades for each, and a million that name no order would never end.
        other.c.revision >= literal_column("0"),
    )
    named = select(_TRADES.account_id, _TRADES.id, _TRADES.order_id).where(_TRADES.order_id != 0)
    unnamed = (
        select(_TRADES.account_id, _TRADES.id, other.c.order_id)
        .select_from(schema.trades.join(other, same))
        .where(_TRADES.order_id == 0, other.c.order_id != 0, _TRADES.account_id.not_in(imported_accounts()))
        .distinct()
    )
    its = union_all(named, unnamed).subquery()
    # What a venue corrects to the other side is no fill of the order any more.
    counts = case((_ORDERS.side == _TRADES.side, type_coerce(_TRADES.quantity, String)), else_=None)
    told = (_TRADES.link_seq, _TRADES.instrument_id, _TRADES.broker_trade_id, _TRADES.revision, _TRADES.effect, counts)
    return (
        select(its.c.account_id, its.c.order_id, *told, _TRADES.broker_order_id, _TRADES.order_id)
        .add_columns(type_coerce(_LOG.at, String))
        .select_from(
            its.join(schema.trades, and_(_TRADES.account_id == its.c.account_id, _TRADES.id == its.c.id))
            .outerjoin(schema.orders, and_(_ORDERS.account_id == its.c.account_id, _ORDERS.id == its.c.order_id))
            .outerjoin(schema.audit_log, and_(_LOG.account_id == its.c.account_id, _LOG.seq == _TRADES.link_seq))
        )
        .order_by(its.c.account_id, its.c.order_id, its.c.id)
    )


def _fill(row: Row) -> Fill:
    seq, instrument, trade_id, revision, effect, counts, broker_order_id, order_id, at = row[2:]
    return Fill(
        whole(seq),
        (whole(instrument), str(trade_id)),
        whole(revision),
        money.ZERO if counts is None or effect == TradeEffect.BUST else Decimal(str(counts)),
        None if broker_order_id is None else str(broker_order_id),
        str(at),
        names_order=order_id != 0,
    )


def _states() -> Select[Any]:
    unit = and_(_LOG.account_id == _STATES.account_id, _LOG.seq == _STATES.link_seq)
    return (
        select_as_stored(schema.order_states)
        .add_columns(type_coerce(_LOG.at, String))
        .select_from(schema.order_states.outerjoin(schema.audit_log, unit))
    )


def _state(row: Row) -> StoredState:
    seq, state, filled, reason, at, unit_at = row[2:]
    return StoredState(
        whole(seq),
        OrderState(str(state)),
        Decimal(str(filled)),
        str(reason),
        str(at),
        None if unit_at is None else str(unit_at),
    )


def _notes() -> Select[Any]:
    named = and_(_ORDERS.account_id == _LOG.account_id, _ORDERS.client_order_id == _LOG.entity_key)
    said = (_LOG.seq, type_coerce(_LOG.at, String), _LOG.action, _LOG.actor, _LOG.details_json)
    return (
        select(_ORDERS.account_id, _ORDERS.id, *said)
        .select_from(schema.audit_log.join(schema.orders, named))
        .where(_LOG.entity == "ORDER")
        .order_by(_ORDERS.account_id, _ORDERS.id, _LOG.seq)
    )


def _note(row: Row) -> OrderNote:
    seq, at, action, actor, details = row[2:]
    return OrderNote(whole(seq), str(at), str(action), str(actor), json.loads(str(details)))


def _noted_together(proof: Proof) -> dict[tuple[int, str], list[OrderNote]]:
    """Collect the notes that name several orders."""
    said = (_LOG.seq, type_coerce(_LOG.at, String), _LOG.action, _LOG.actor, _LOG.details_json)
    question = select(_LOG.account_id, _LOG.entity_key, *said).where(
        _LOG.entity == "ORDER", _LOG.entity_key == _SEVERAL
    )
    noted: defaultdict[tuple[int, str], list[OrderNote]] = defaultdict(list)
    for row in proof.ask(question.order_by(_LOG.account_id, _LOG.seq)):
        try:
            note = _note(row)
        except UNREADABLE:
            continue  # found as a broken link; nothing can be made of it here
        for name in note.told.get("orders", "").split(","):
            noted[whole(row[0]), name].append(note)
    return noted


# One order ------------------------------------------------------------------------------------------------------------


def _compare(  # noqa: PLR0917  an order, and what lies beside it
    proof: Proof,
    order: Order,
    body_hash: object,
    notes: Sequence[OrderNote],
    fills: Sequence[Fill],
    states: Sequence[StoredState],
) -> None:
    place = f"account {order.intent.account_id}, order {order.client_order_id}"
    if body_hash is None:
        proof.find("order_without_approval", "verdicts", place, "no verdict approved it")
    elif body_hash not in tuple(_wishes(order)):
        proof.find("wish_not_approved", "orders", place, "what is wished is not what the verdict was given for")
    otherwise = _says_otherwise(order, notes)
    if otherwise is not None:
        proof.find("terms_not_noted", "orders", place, otherwise)
    course, wrong = tell_course(order.quantity, notes, fills, states)
    for sentence in wrong:
        proof.find("state_not_noted", "order_states", place, sentence)
    _compare_end(proof, order, place, course)


def _wishes(order: Order) -> Iterator[str]:
    # Whether a leg of its own was closed, and whether the wish named it, is in the hash and not in the row.
    for closes_leg in (False, True):
        for leg in dict.fromkeys(("", order.leg)):
            yield verdicts.body_hash(replace(order.intent, closes_leg=closes_leg, leg=leg))


def _says_otherwise(order: Order, notes: Sequence[OrderNote]) -> str | None:
    """Compare what never changes of an order with the note of its making."""
    made = next((note.told for note in notes if note.action == "CREATE"), None)
    if made is None:
        return "the chain does not say that it was made"
    terms = orders.terms_text(order)
    if made.get("terms", terms) != terms:
        return f"it says {terms}; the chain says {made['terms']}"
    fixed = orders.fixed_hash(order)
    if made.get("fixed", fixed) != fixed:
        return "a cell that never changes is not what it was when the order was made"
    return None


def _compare_end(proof: Proof, order: Order, place: str, course: Course) -> None:
    """Compare an order with where its course ends."""
    if order.filled_quantity != course.filled:
        is_, must = decimal_text(order.filled_quantity), decimal_text(course.filled)
        proof.find("filled_not_fold", "orders", place, f"{is_} is stored, its trades sum to {must}")
    if course.state is not None and order.state is not course.state:
        proof.find("state_not_noted", "orders", place, f"{order.state} is stored; the chain says {course.state}")
    for name, stored, said in course.compared(order):
        proof.find("order_not_fold", "orders", place, f"{name} {stored!r} is stored; the chain says {said!r}")


def _check_approvals(proof: Proof) -> None:
    """See that every approval has its order."""
    its_order = exists().where(
        _ORDERS.account_id == _VERDICTS.account_id, _ORDERS.client_order_id == _VERDICTS.client_order_id
    )
    approved = select(_VERDICTS.account_id, _VERDICTS.client_order_id).where(_VERDICTS.outcome == "APPROVED")
    for account_id, name in proof.ask(approved.where(~its_order).order_by(_VERDICTS.account_id, _VERDICTS.id)):
        place = f"account {account_id}, order {name}"
        proof.find("approval_without_order", "orders", place, "it was approved and is not there")
