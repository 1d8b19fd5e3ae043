"""What became of one order, told anew from the chain's notes and its trades: the fold that its states must equal.

A unit brings an order to a state by what its note says, or by the fills it books. A stored state without such a unit
came from nowhere; a change that no stored state tells was taken out.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from plimsoll.model import money
from plimsoll.model.clock import time_text
from plimsoll.model.money import decimal_text
from plimsoll.model.order import Order, OrderEvent, OrderState, next_state


@dataclass(frozen=True, slots=True)
class OrderNote:
    """What a unit's note says of an order."""

    seq: int
    at: str
    action: str
    actor: str
    #: What it tells, by name: `state`, `filled`, `reason`, `terms`, …
    told: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Fill:
    """A trade of an order, as far as it fills it."""

    seq: int
    #: Instrument and the venue's id.
    trade: tuple[int, str]
    revision: int
    #: What it fills, while no higher revision of it is told; nothing where it was busted.
    quantity: Decimal
    broker_order_id: str | None
    #: When its unit was written.
    at: str
    #: Of one that names no order, only another report of the same trade says whose it is.
    names_order: bool


@dataclass(frozen=True, slots=True)
class StoredState:
    """A state as it is stored, and when its unit was written."""

    seq: int
    state: OrderState
    filled: Decimal
    reason: str
    at: str
    #: None where the chain has no such unit.
    unit_at: str | None


@dataclass(slots=True)
class Course:
    """An order on its way, unit by unit."""

    quantity: Decimal
    state: OrderState | None = None
    filled: Decimal = money.ZERO
    #: None where nobody noted it.
    reason: str | None = None
    broker_order_id: str | None = None
    placed_at: str | None = None
    updated_at: str | None = None
    #: None where the note of its making does not say what was held back.
    reserved: Decimal | None = None
    #: The notes tell everything, as they have since this release: what they do not name is not there.
    whole: bool = False
    #: By trade: what was told of it.
    _told: dict[tuple[int, str], list[Fill]] = field(default_factory=dict)

    def fill(self, fill: Fill) -> None:
        """Take one trade in; what is taken back leaves the state as it is."""
        told = self._told.setdefault(fill.trade, [])
        counted = _counts(told)
        told.append(fill)
        more = _counts(told) - counted
        if more == 0 or self.state is None:
            return
        remaining, self.filled = max(self.quantity - self.filled, money.ZERO), self.filled + more
        self.updated_at = fill.at
        if more < 0:
            return
        self.broker_order_id = self.broker_order_id or fill.broker_order_id
        event = OrderEvent.WHOLLY_FILLED if self.filled >= self.quantity else OrderEvent.PART_FILLED
        after = next_state(self.state, event)
        if after is not self.state:
            self.state, self.reason = after, ""
        if self.reserved is not None and not after.is_final:
            self.reserved = money.settle_share(self.reserved, self.quantity - self.filled, remaining)

    def hear(self, note: OrderNote) -> None:
        """Take a note in; it has the last word of its unit."""
        told = note.told
        if note.action == "CREATE":
            self.placed_at = self.updated_at = note.at
            self.reserved = Decimal(told["reserved"]) if "reserved" in told else None
            self.whole = "fixed" in told
        self.broker_order_id = self.broker_order_id or told.get("broker_order_id")
        if "state" in told:
            state = OrderState(told["state"])
            if state is not self.state:
                self.updated_at = note.at
            self.state, self.reason = state, told.get("reason")

    def compared(self, order: Order) -> Iterator[tuple[str, object, object]]:
        """Name what an order says otherwise, where the chain says anything."""
        held = money.ZERO if order.state.is_final else self.reserved
        told = (
            ("reason", order.reason, self.reason),
            ("reserved", decimal_text(order.reserved), None if held is None else decimal_text(held)),
            ("broker_order_id", order.broker_order_id, self.broker_order_id),
            ("placed_at", time_text(order.placed_at), self.placed_at),
            ("updated_at", time_text(order.updated_at), self.updated_at),
        )
        for name, is_, must in told:
            if is_ != must and (must is not None or (self.whole and name == "broker_order_id")):
                yield name, is_, must


def _counts(told: Sequence[Fill]) -> Decimal:
    """Say what a trade fills of its order, once any report of it names the order."""
    if not any(one.names_order for one in told):
        return money.ZERO
    return max(told, key=lambda one: one.revision).quantity


def tell_course(
    quantity: Decimal, notes: Iterable[OrderNote], fills: Iterable[Fill], stored: Sequence[StoredState]
) -> tuple[Course, list[str]]:
    """Tell an order's course anew; give where it ends, and what the stored states say otherwise."""
    course, wrong = Course(quantity), list[str]()
    by_unit = {state.seq: state for state in stored}
    for seq, its_fills, its_notes in _units(notes, fills):
        before, reached = course.state, {course.filled}
        for fill in its_fills:
            course.fill(fill)
            reached.add(course.filled)
        for note in its_notes:
            course.hear(note)
            if "filled" in note.told and Decimal(note.told["filled"]) != course.filled:
                summed = decimal_text(course.filled)
                wrong.append(f"unit {seq} notes {note.told['filled']} filled; its trades sum to {summed}")
        row = by_unit.pop(seq, None)
        if row is not None:
            wrong += _differs(row, course, reached)
        elif course.state is not before:
            wrong.append(f"unit {seq} made it {course.state}, and no state tells")
    wrong += [
        f"unit {seq} made it {row.state}, say the states; no note and no trade does" for seq, row in by_unit.items()
    ]
    return course, wrong


def tell_states(quantity: Decimal, notes: Iterable[OrderNote], fills: Iterable[Fill]) -> Iterator[StoredState]:
    """Tell every state that an order went through, for a book that was written before they were stored."""
    course = Course(quantity)
    for seq, its_fills, its_notes in _units(notes, fills):
        before = course.state
        for fill in its_fills:
            course.fill(fill)
        for note in its_notes:
            course.hear(note)
        if course.state is not None and course.state is not before:
            at = its_notes[-1].at if its_notes else its_fills[-1].at
            yield StoredState(seq, course.state, course.filled, course.reason or "", at, at)


def _units(notes: Iterable[OrderNote], fills: Iterable[Fill]) -> Iterator[tuple[int, list[Fill], list[OrderNote]]]:
    by_unit: dict[int, tuple[list[Fill], list[OrderNote]]] = {}
    for fill in fills:
        by_unit.setdefault(fill.seq, ([], []))[0].append(fill)
    for note in notes:
        by_unit.setdefault(note.seq, ([], []))[1].append(note)
    for seq in sorted(by_unit):
        its_fills, its_notes = by_unit[seq]
        yield seq, its_fills, its_notes


def _differs(row: StoredState, course: Course, reached: set[Decimal]) -> Iterator[str]:
    said = f"the state of unit {row.seq} says"
    if row.state is not course.state:
        yield f"{said} {row.state}; the unit made it {course.state}"
    if row.filled not in reached:
        yield f"{said} {decimal_text(row.filled)} filled; its trades sum to {decimal_text(course.filled)}"
    if course.reason is not None and row.reason != course.reason:
        yield f"{said} {row.reason!r}; the unit {course.reason!r}"
    if row.at != row.unit_at:
        yield f"{said} {row.at}; the unit is of {row.unit_at}"
