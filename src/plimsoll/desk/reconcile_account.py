"""The book against the venue: ask, compare, decide, apply, until they are equal or a person is needed.

The questions are a sandwich (account, trades and orders, account again), so that a fill between two answers is not
taken for a difference. Everything is asked before anything is concluded: one failed question ends the attempt and
concludes nothing.

What if the venue's history is behind its balances? Then a difference may explain itself: it waits, nothing opens, and
it is a break and told when it has stood for longer than the venue may lag (`weigh_differences`).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from decimal import Decimal
from functools import partial

from plimsoll.desk.book_movements import sweep_movements
from plimsoll.desk.book_trades import hear_order, sweep, trade_cursor
from plimsoll.desk.comparison_log import Seen, Sight, record_of
from plimsoll.desk.ports import Ports
from plimsoll.desk.repairs import count_unheard
from plimsoll.desk.resolve_unknown import end_what_is_gone, resolve_unknown
from plimsoll.desk.resync import adopt_what_was_lost, lift_when_equal
from plimsoll.desk.weigh_differences import undecided, weigh
from plimsoll.ledger import keys, orders, trades
from plimsoll.ledger.comparisons import Compared
from plimsoll.ledger.keys import ChainHead
from plimsoll.ledger.log import Note, tell, write_note
from plimsoll.model.account import Account
from plimsoll.model.event import Event, EventKind
from plimsoll.model.ids import AccountId, ClientOrderId, InstrumentId
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import Order, OrderState
from plimsoll.model.trade import TradeKey, TradeReport
from plimsoll.model.venue import VenueOrder
from plimsoll.reconcile.compare import LedgerView, Moved, VenueView, compare
from plimsoll.reconcile.decide import AdoptOrder, Decision, LookUpOrder, OpenBreak, SweepTrades, decide
from plimsoll.reconcile.differences import OrderNotAtVenue
from plimsoll.runtime.logging import logger
from plimsoll.store.draft import Draft
from plimsoll.store.hot import Memory
from plimsoll.venues.protocol import OrderNotFound

log = logger("reconcile_account")

#: A comparison that finds the account moving is made again this often before it is left to the next round.
TRIES = 3
#: Fills behind the cursor are read over so many pages at most; a history that lags is read anew at each comparison.
PAGES = 100
#: What is added to the time in which a venue's list may lack an order that it has taken.
YOUNG_SECONDS = 1.0

#: What has to be asked before anything is concluded.
Question = SweepTrades | LookUpOrder


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """How the book stands to the venue."""

    #: Both were asked at one moment and everything was answered.
    compared: bool
    #: The last comparison asked for nothing more: no sweep and no look-up is due.
    settled: bool = False
    breaks: tuple[OpenBreak, ...] = ()
    #: Orders of the venue that are not ours; kept apart until a person decides.
    external: tuple[AdoptOrder, ...] = ()
    #: Orders whose fate is still not known.
    unknown: int = 0
    #: What differs and may still explain itself, in sentences: a history is behind the balances, an order is nowhere.
    waiting: tuple[str, ...] = ()
    #: A difference has not stood for long enough to be told, and is to be looked at again soon.
    unsure: bool = False

    @property
    def may_open(self) -> bool:
        return (
            self.compared
            and self.settled
            and self.unknown == 0
            and not self.waiting
            and not any(found.blocks_opening for found in self.breaks)
        )


@dataclass(frozen=True, slots=True)
class _Look:
    """One comparison."""

    decisions: tuple[Decision, ...]
    sight: Sight
    #: What waits at the venue under an id of ours.
    listed: dict[ClientOrderId, VenueOrder]
    #: By the stopwatch: before the histories were read, and after the venue's last answer.
    began: float
    ended: float


async def reconcile_account(ports: Ports) -> Reconciliation:
    """Bring book and venue together as far as evidence goes, and say what is left.

    Raises: WorldFailure when the venue does not answer; nothing is concluded from that
    """
    # What an earlier process or a dropped stream believed is worth nothing until the comparison below says so.
    began, doubts = ports.clock.monotonic(), ports.doubts
    await adopt_what_was_lost(ports)
    result, sight, alarms = await _attempt(ports)
    if result.compared or ports.doubts != doubts:
        # News that was lost behind the last question is in neither side of the comparison. An account that is never
        # still long enough to be compared keeps its last word; who attends it doubts that word when it grows old.
        ports.reconciled = result.may_open and ports.doubts == doubts
    count_unheard(ports)
    took = round((ports.clock.monotonic() - began) * 1_000)
    await _write_down(ports, result, Seen(_outcome(result), took, result.breaks, result.waiting, sight), alarms)
    await lift_when_equal(ports, equal=ports.reconciled)
    return result


async def _attempt(ports: Ports) -> tuple[Reconciliation, Sight | None, dict[str, str]]:
    """Ask and compare until nothing more is to be asked; give what came of it, and what people are to be told."""
    seen: _Look | None = None
    asked: list[Question] = []
    due: list[Question] = []
    not_found: set[ClientOrderId] = set()
    unknown: list[Order] = []
    for _ in range(TRIES):
        at = ports.clock.monotonic()
        await sweep(ports)
        await sweep_movements(ports)
        unknown = await resolve_unknown(ports)
        seen = await _compare(ports, asked, at)
        if seen is None:
            continue
        # What was asked in this attempt and changed nothing is not asked again: it waits, or it is a break.
        due = [item for item in seen.decisions if isinstance(item, Question) and item not in asked]
        if not due:
            break
        asked += due
        for question in due:
            if isinstance(question, LookUpOrder) and not await _look_up(ports, question.client_order_id, seen.listed):
                not_found.add(question.client_order_id)
    if seen is None:
        return Reconciliation(compared=False), None, {}
    if not seen.sight.whole:
        # A fill came into the history between the last sweep and the last look: what it explains is seen next time.
        found = tuple(undecided(ports, seen.decisions))
        return Reconciliation(compared=True, breaks=found, unknown=len(unknown), unsure=True), seen.sight, {}
    weighed = weigh(ports, seen.decisions, not_found, seen.began, seen.ended)
    for name in weighed.gone:
        await end_what_is_gone(ports, name)
    result = Reconciliation(
        compared=True,
        settled=not due,
        breaks=weighed.breaks,
        external=tuple(item for item in seen.decisions if isinstance(item, AdoptOrder)),
        unknown=len(unknown),
        waiting=weighed.waiting,
        unsure=weighed.unsure,
    )
    return result, seen.sight, weighed.alarms


def _outcome(result: Reconciliation) -> Compared:
    if not result.compared:
        return Compared.UNKNOWN
    is_equal = result.settled and not result.breaks and not result.waiting and result.unknown == 0
    return Compared.EQUAL if is_equal else Compared.DIFFERENT


async def _compare(ports: Ports, asked: Sequence[Question], began: float) -> _Look | None:
    """Ask, compare, decide; None while the account moves, at the venue or in the book."""
    noted = _notes(ports.books.hot, ports.account_id)
    before = await ports.venue.account(ports.account_id)
    cursor = trade_cursor(ports)
    told = await _trades_after(ports, cursor)
    open_orders = await ports.venue.open_orders(ports.account_id)
    after = await ports.venue.account(ports.account_id)
    if told is None:
        return None  # more than a few pages came in meanwhile: sweep again first
    # One unit reads the book and what of the page it has: the stream may book a fill at any moment between two.
    side = await ports.books.write(partial(_ledger_side, ports, told, noted))
    if side is None:
        return None
    ours, instruments, unbooked = side
    theirs = VenueView(before, open_orders, told, unbooked, cursor, before.cursor, after.cursor)
    found = compare(ours, theirs, instruments)
    if isinstance(found, Moved):
        return None
    too_early = _too_early(ports, ours.orders)
    found = tuple(one for one in found if not (isinstance(one, OrderNotAtVenue) and one.client_order_id in too_early))
    decisions = decide(found)
    whole = not any(isinstance(item, SweepTrades) and item not in asked for item in decisions)
    if whole:
        decisions = decide(found, swept=True)
    foreign = tuple(item.order for item in decisions if isinstance(item, AdoptOrder))
    doubted = tuple(item.sentence for item in decisions if isinstance(item, LookUpOrder))
    listed = {order.client_order_id: order for order in open_orders if order.client_order_id is not None}
    sight = Sight(before, len(open_orders), foreign, doubted, whole)
    return _Look(decisions, sight, listed, began, ports.clock.monotonic())


async def _trades_after(ports: Ports, cursor: int) -> tuple[TradeReport, ...] | None:
    """Read the venue's fills behind a cursor to their end; None where that is too far."""
    told: list[TradeReport] = []
    for _ in range(PAGES):
        page = await ports.venue.trades_since(ports.account_id, cursor)
        told += page.trades
        if page.complete:
            return tuple(told)
        cursor = page.cursor
    return None


def _too_early(ports: Ports, live: Sequence[Order]) -> set[ClientOrderId]:
    """Name the orders that the venue's list need not show: taken a moment ago, or of a fate that is asked about."""
    now, lag = ports.clock.now(), ports.venue.facts.lookup_lag.total_seconds()
    young = lag + YOUNG_SECONDS if lag else 0.0
    return {
        order.client_order_id
        for order in live
        if order.state is OrderState.UNKNOWN or 0 <= (now - order.updated_at).total_seconds() < young
    }


def _notes(memory: Memory, account_id: AccountId) -> int:
    """Count what was written of an account: every order, fill and movement of its money leaves a note in its chain."""
    head: ChainHead | None = memory.get(keys.chain(account_id))
    return 0 if head is None else head.seq


def _ledger_side(
    ports: Ports, page: Sequence[TradeReport], noted: int, draft: Draft
) -> tuple[LedgerView, dict[InstrumentId, Instrument], frozenset[TradeKey]] | None:
    """Read the book; None when it moved since the venue was asked, or an order is on its way there.

    An order that was sent behind the venue's last answer, or filled behind it, would look like one that it lost.
    """
    if _notes(draft, ports.account_id) != noted or any(
        order.state is OrderState.PENDING for order in orders.live(draft, ports.account_id)
    ):
        return None
    account: Account = draft.get(keys.account(ports.account_id))
    instruments = {instrument.id: instrument for instrument in draft.shelf(keys.INSTRUMENTS_OF, account.broker)}
    positions: dict[InstrumentId, Decimal] = defaultdict(Decimal)
    balances: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for position in draft.shelf(keys.POSITION, account.id):
        if instruments[position.instrument_id].is_derivative:
            positions[position.instrument_id] += position.quantity
    for balance in draft.shelf(keys.BALANCE, account.id):
        balances[balance.pocket, balance.asset] += balance.amount
    live = tuple(orders.live(draft, account.id))
    cursor: int = draft.get(keys.trade_cursor(account.id)) or 0
    view = LedgerView(account.id, ports.desk_code, live, dict(positions), dict(balances), cursor)
    unbooked = frozenset(report.key for report in page if not _is_booked(draft, report))
    return view, instruments, unbooked


def _is_booked(draft: Draft, report: TradeReport) -> bool:
    booked = trades.revisions(draft, report)
    return any(one.trade.report.key == report.key for one in booked)


async def _look_up(ports: Ports, name: ClientOrderId, listed: Mapping[ClientOrderId, VenueOrder]) -> bool:
    """Ask for one order, and take over how it stands; say whether the venue has it anywhere."""
    try:
        told = await ports.venue.order(ports.account_id, name)
    except OrderNotFound:
        log.warning("order_not_found", client_order_id=name)
        if name not in listed:
            return False
        told = listed[name]
    await sweep(ports)
    await hear_order(ports, told, asked=True)
    return True


async def _write_down(ports: Ports, result: Reconciliation, seen: Seen, alarms: Mapping[str, str]) -> None:
    # A difference that stands is found at every round for as long as nobody decides; it is written and told once, and
    # again by the next process. A comparison that could not be made knows of no break, nor that one is gone.
    now, record = ports.clock.now(), record_of(ports, seen)
    keys_found = frozenset(found.key for found in result.breaks) if result.compared else ports.breaks_told
    new = [found for found in result.breaks if found.key not in ports.breaks_told]
    details = {
        "compared": str(result.compared),
        "may_open": str(result.may_open),
        "breaks": str(len(result.breaks)),
        "external_orders": str(len(result.external)),
        "unknown_orders": str(result.unknown),
        "waiting": str(len(result.waiting)),
        "repairs": str(ports.repairs.total()),
    }
    if details == ports.sync_told and keys_found == ports.breaks_told:
        if record:
            ports.books.post(record.write)
    else:

        def unit(draft: Draft) -> None:
            record.write(draft)
            tell(draft, Event(EventKind.ACCOUNT_RECONCILED, ports.account_id, now, details))
            for found in new:
                words = {"key": found.key, "sentence": found.sentence, "proposal": found.proposal}
                tell(draft, Event(EventKind.BREAK_FOUND, ports.account_id, now, words))
            write_note(draft, Note(ports.account_id, "desk", "SYNC", "ACCOUNT", str(ports.account_id), now, details))

        await ports.books.write(unit)
        ports.breaks_told, ports.sync_told = keys_found, details
    _alarm(ports, alarms, keys_found)


def _alarm(ports: Ports, alarms: Mapping[str, str], found: Set[str]) -> None:
    """Tell people what has stood for long enough, once for as long as it stands."""
    for name, message in alarms.items():
        if name not in ports.alarmed:
            ports.tell("warning", message)
    ports.alarmed = frozenset({*ports.alarmed, *alarms} & {*found, *ports.suspicions})
