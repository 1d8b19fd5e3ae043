"""The laws that must hold of one account at rest: what the desk's file says against what the venue truly has.

Each check carries the id of its invariant (the catalogue's), reads the file by plain SQL (`files`) and the venue's own
truth, and never the product's comparison, which is on trial too. Tolerance is zero: what differs in the last digit
differs.

What must not enter: when a law is asked (`oracle`), and whether a repair had a reason (`repairs`).
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from tests.simulation.exchange.truth import TrueFill, TrueOrder, Truth
from tests.simulation.hours.files import DOUBTFUL, LIVE, Book, BookedFill, Row
from tests.simulation.world import Broken

D = Decimal


@dataclass(slots=True)
class Scene:
    """One account, seen from both sides."""

    name: str
    book: Book
    truth: Truth
    #: What the client ids of this desk begin with.
    code: str
    #: Ended orders are forgotten by look-ups: how one ended may be known from its fills alone.
    forgets: bool = False
    #: The book was set back: its verdicts of the lost time are gone, and so are its orders.
    restored: bool = False
    _revised: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._revised = {fill.order_id for fill in self.truth.fills if fill.revision}

    def is_ours(self, client_order_id: str | None) -> bool:
        return client_order_id is not None and client_order_id.startswith(self.code)

    def is_revised(self, order: TrueOrder) -> bool:
        """Say whether a fill of it was taken back or told otherwise: a filled one stays so, one that heard late not."""
        return order.order_id in self._revised


Check = Callable[[Scene], None]


# I1, I2, I11: orders --------------------------------------------------------------------------------------------------


def one_order_an_intent(scene: Scene) -> None:
    """I1: the venue took at most one order for an intent."""
    intents = {row["client_order_id"]: (row["user_id"], row["intent_key"]) for row in scene.book.orders}
    taken = Counter[object]()
    for name, count in scene.truth.accepted.items():
        if not scene.is_ours(name):
            continue
        taken[intents.get(name, name)] += count
    for intent, count in taken.items():
        if count > 1:
            raise Broken("I1", f"{scene.name}: {count} orders at the venue for the intent {intent}")


def every_order_known(scene: Scene) -> None:
    """I2: an order at the venue with our prefix is in the book; another that waits there is on the list of those."""
    known = set(scene.book.order_by_id)
    external = {(row["broker_order_id"]) for row in scene.book.external_orders}
    for order in scene.truth.orders:
        name = order.client_order_id
        # Of a part that is lost nobody can find again what ended without a trace: it filled nothing.
        left_no_trace = scene.restored and not order.is_open and not order.filled
        if scene.is_ours(name) and name not in known and order.order_id not in external and not left_no_trace:
            raise Broken("I2", f"{scene.name}: {name} is at the venue ({order.status}) and not in the book")
        if not scene.is_ours(name) and order.is_open and order.order_id not in external:
            raise Broken("I2", f"{scene.name}: {order.order_id} waits at the venue, not ours, and is not on the list")


def approved_before(scene: Scene) -> None:
    """I11: what is at the venue and ours was approved; without a verdict it may be only in a book that was set back."""
    if scene.restored:
        return
    approved = {row["client_order_id"] for row in scene.book.verdicts if row["outcome"] == "APPROVED"}
    for order in scene.truth.orders:
        if scene.is_ours(order.client_order_id) and order.client_order_id not in approved:
            raise Broken("I11", f"{scene.name}: {order.client_order_id} is at the venue and no verdict approved it")


# I3, I4, I5: fills, quantities, money ---------------------------------------------------------------------------------


def facts_once(scene: Scene) -> None:
    """I3, I5: each fill that counts at the venue counts in the book, once, with the venue's own numbers."""
    counts: defaultdict[tuple[str, str], list[BookedFill]] = defaultdict(list)
    for report, times in Counter(fill.key for fill in scene.book.fills).items():
        if times > 1:
            raise Broken("I3", f"{scene.name}: {report} is booked {times} times")
    for fill in scene.book.fills:
        counts[fill.symbol, fill.trade_id].append(fill)
    ours = {key: last for key, told in counts.items() if (last := _effective(told)) is not None}
    theirs = {(fill.symbol, fill.trade_id): fill for fill in scene.truth.fills if fill.counts}
    for key in sorted({*ours, *theirs}):
        mine, his = ours.get(key), theirs.get(key)
        if his is None:
            raise Broken("I3", f"{scene.name}: {key} counts in the book and not at the venue")
        if mine is None:
            raise Broken("I5", f"{scene.name}: {key} counts at the venue and not in the book")
        if _booked(mine) != _true(his):
            raise Broken("I5", f"{scene.name}: {key} is {_booked(mine)} in the book and {_true(his)} at the venue")


def _effective(told: Iterable[BookedFill]) -> BookedFill | None:
    last = max(told, key=lambda fill: fill.revision)
    return None if last.effect == "BUST" else last


def _booked(fill: BookedFill) -> tuple[object, ...]:
    return fill.side, fill.quantity, fill.price, fill.fee, fill.fee_asset, fill.realized, fill.time_us


def _true(fill: TrueFill) -> tuple[object, ...]:
    return fill.side, fill.quantity, fill.price, fill.fee, fill.fee_asset, fill.realized, fill.at_us


def nothing_overfilled(scene: Scene) -> None:
    """I4: no order is filled beyond its quantity, unless people were told."""
    told = {row["subject"] for row in scene.book.breaks}
    for row in scene.book.orders:
        if D(row["filled_quantity"]) > D(row["quantity"]) and row["client_order_id"] not in told:
            raise Broken(
                "I4", f"{scene.name}: {row['client_order_id']} is filled {row['filled_quantity']} of {row['quantity']}"
            )


def filled_is_its_fills(scene: Scene) -> None:
    """I9: what an order says it is filled is the sum of its fills that count."""
    sums: defaultdict[int, Decimal] = defaultdict(Decimal)
    told: defaultdict[tuple[object, object], list[Row]] = defaultdict(list)
    for row in scene.book.trade_ids:
        told[row["instrument_id"], row["broker_trade_id"]].append(row)
    for rows in told.values():
        last = max(rows, key=lambda row: int(row["revision"]))
        home = min(rows, key=lambda row: (row["order_id"] == 0, row["revision"]))
        if last["effect"] != "BUST":
            sums[home["order_id"]] += D(last["quantity"])
    for row in scene.book.orders:
        if D(row["filled_quantity"]) != sums[row["id"]]:
            says = f"{row['client_order_id']} says filled {row['filled_quantity']}"
            raise Broken("I9", f"{scene.name}: {says}, its fills {sums[row['id']]}")


def money_agrees(scene: Scene) -> None:
    """I5: every pocket and asset, to the last digit."""
    theirs = {key: amount for key, amount in sorted(scene.truth.balances.items()) if amount}
    if scene.book.balances != theirs:
        raise Broken("I5", f"{scene.name}: the book has {_plain(scene.book.balances)}, the venue {_plain(theirs)}")


def positions_agree(scene: Scene) -> None:
    """I5: every derivative and leg."""
    theirs = {key: quantity for key, quantity in sorted(scene.truth.positions.items()) if quantity}
    ours = {key: quantity for key, quantity in scene.book.positions.items() if ":" in key[0]}
    if ours != theirs:
        raise Broken("I5", f"{scene.name}: the book holds {_plain(ours)}, the venue {_plain(theirs)}")


def balances_are_their_lines(scene: Scene) -> None:
    """I10: a balance is the sum of its lines."""
    lines = scene.book.lines_of()
    if scene.book.balances != lines:
        raise Broken("I10", f"{scene.name}: balances {_plain(scene.book.balances)}, their lines {_plain(lines)}")


def _plain(amounts: dict[tuple[str, str], Decimal]) -> str:
    return ", ".join(f"{' '.join(key)} {amount}" for key, amount in amounts.items()) or "nothing"


# I6, I7, I12, I14: orders at their end --------------------------------------------------------------------------------


def every_fate_known(scene: Scene) -> None:
    """I6: at rest no order is of unknown fate."""
    for row in scene.book.orders:
        if row["state"] in DOUBTFUL:
            raise Broken("I6", f"{scene.name}: {row['client_order_id']} of {row['intent_key']} is still {row['state']}")


def ends_agree(scene: Scene) -> None:
    """I7: what lives at the venue lives in the book, and what ended did so in the same way as far as that shows."""
    there = {order.client_order_id: order for order in scene.truth.orders if order.client_order_id is not None}
    for row in scene.book.orders:
        name, state = row["client_order_id"], row["state"]
        order = there.get(name)
        if order is None:
            if scene.is_ours(name) and state not in ("REJECTED", "EXPIRED"):
                raise Broken("I7", f"{scene.name}: {name} is {state} in the book, and the venue never took it")
            continue
        if (state in LIVE) != (order.is_open):
            raise Broken("I7", f"{scene.name}: {name} is {state} in the book and {order.status} at the venue")
        if scene.is_revised(order):
            continue
        if D(row["filled_quantity"]) != order.filled:
            raise Broken(
                "I7", f"{scene.name}: {name} is filled {row['filled_quantity']} in the book, {order.filled} there"
            )
        if state != order.status and not scene.forgets:
            raise Broken("I7", f"{scene.name}: {name} is {state} in the book and {order.status} at the venue")


def no_end_too_early(scene: Scene) -> None:
    """I7: what has ended in the book is not alive at the venue; it was told that it ended, or it waited long enough."""
    alive = {order.client_order_id for order in scene.truth.orders if order.is_open and not scene.is_revised(order)}
    for row in scene.book.orders:
        if row["state"] not in LIVE and row["client_order_id"] in alive:
            why = f"{row['client_order_id']} is {row['state']} in the book ({row['reason']})"
            raise Broken("I7", f"{scene.name}: {why} and alive at the venue")


def nobody_rises(scene: Scene) -> None:
    """I7: an order that had ended does not live again, whatever older word of it comes."""
    ended: dict[int, Row] = {}
    for row in scene.book.order_states:
        before = ended.get(row["order_id"])
        if before is not None and row["state"] in LIVE:
            raise Broken(
                "I7", f"{scene.name}: order {row['order_id']} was {before['state']}, then {row['state']} again"
            )
        if row["state"] not in LIVE:
            ended[row["order_id"]] = row


def reservations_hold(scene: Scene) -> None:
    """I12: what ended holds nothing back, and what lives holds at least what it can cost."""
    there = {order.client_order_id: order for order in scene.truth.orders if order.client_order_id is not None}
    for row in scene.book.orders:
        name, held = row["client_order_id"], D(row["reserved"])
        if row["state"] not in LIVE:
            if held:
                raise Broken("I12", f"{scene.name}: {name} is {row['state']} and holds {held} back")
            continue
        order = there.get(name)
        if order is not None and not row["closes"] and held < _least_cost(order):
            raise Broken("I12", f"{scene.name}: {name} holds {held} back and can cost {_least_cost(order)}")


def _least_cost(order: TrueOrder) -> Decimal:
    # Of spot alone: what a derivative needs is a matter of leverage, which is the gate's own business.
    left = order.quantity - order.filled
    if ":" in order.symbol:
        return D(0)
    if order.side == "SELL":
        return left
    return left * order.price if order.price is not None else D(0)


def closes_are_let_through(scene: Scene) -> None:
    """I14: the gate never refuses what closes a position, unless another close was quicker and nothing is left."""
    legs = {leg for _symbol, leg in scene.book.positions}
    for row in scene.book.verdicts:
        if row["outcome"] != "REFUSED" or not row["intent_key"].startswith("close:"):
            continue
        why = {check["code"] for check in json.loads(row["checks_json"]) if check["outcome"] == "REFUSE"}
        if why != {"nothing_to_close"} or legs - {""}:
            raise Broken("I14", f"{scene.name}: the gate refused {row['intent_key']}: {row['checks_json']}")


#: The nearest to the cause first: a doubled order also shows as a position that nobody wanted.
AT_REST: tuple[Check, ...] = (
    one_order_an_intent,
    approved_before,
    facts_once,
    filled_is_its_fills,
    nothing_overfilled,
    balances_are_their_lines,
    every_order_known,
    every_fate_known,
    nobody_rises,
    ends_agree,
    positions_agree,
    money_agrees,
    reservations_hold,
    closes_are_let_through,
)
#: What must hold at every moment, whatever is on its way: asked of the file alone.
ALWAYS: tuple[Check, ...] = (
    one_order_an_intent,
    approved_before,
    filled_is_its_fills,
    balances_are_their_lines,
    no_end_too_early,
    closes_are_let_through,
)


def hold(scene: Scene, checks: Iterable[Check]) -> None:
    """Ask laws, one after the other.

    Raises: Broken
    """
    for check in checks:
        check(scene)
