"""The book against the venue: ask, compare, decide, apply, until they are equal or a person is needed.

The questions are a sandwich (account, trades and orders, account again), so that a fill between two answers is not
taken for a difference. Everything is asked before anything is concluded: one failed question ends the attempt,
concludes nothing and moves no cursor.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial

from plimsoll.desk.book_trades import hear_order, sweep
from plimsoll.desk.comparison_log import Seen, Sight, record_of
from plimsoll.desk.ports import Ports
from plimsoll.desk.resolve_unknown import resolve_unknown
from plimsoll.desk.resync import adopt_what_was_lost, lift_when_equal
from plimsoll.ledger import external_orders, keys, orders, trades
from plimsoll.ledger.comparisons import Compared
from plimsoll.ledger.keys import ChainHead
from plimsoll.ledger.log import Note, tell, write_note
from plimsoll.model.account import Account
from plimsoll.model.event import Event, EventKind
from plimsoll.model.ids import AccountId, InstrumentId
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import OrderState
from plimsoll.model.trade import TradeKey, TradeReport
from plimsoll.reconcile.compare import LedgerView, Moved, VenueView, compare
from plimsoll.reconcile.decide import AdoptOrder, Decision, LookUpOrder, OpenBreak, SweepTrades, decide
from plimsoll.reconcile.differences import Origin, UnknownOrder
from plimsoll.runtime.logging import logger
from plimsoll.store.draft import Draft
from plimsoll.store.hot import Memory
from plimsoll.venues.protocol import OrderNotFound

log = logger("reconcile_account")

#: A comparison that finds the account moving is made again this often before it is left to the next round.
TRIES = 3


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

    @property
    def may_open(self) -> bool:
        return (
            self.compared
            and self.settled
            and self.unknown == 0
            and not any(found.blocks_opening for found in self.breaks)
        )


async def reconcile_account(ports: Ports) -> Reconciliation:
    """Bring book and venue together as far as evidence goes, and say what is left.

    Raises: WorldFailure when the venue does not answer; nothing is concluded from that
    """
    # What an earlier process or a dropped stream believed is worth nothing until the comparison below says so.
    result, sight, began = Reconciliation(compared=False), None, ports.clock.monotonic()
    await adopt_what_was_lost(ports)
    swept, doubts = False, ports.doubts
    for _ in range(TRIES):
        await sweep(ports)
        unknown = await resolve_unknown(ports)
        found = await _compare(ports, swept=swept)
        if found is None:
            result, sight = Reconciliation(compared=False), None
            continue
        decisions, sight = found
        look_ups = [item for item in decisions if isinstance(item, LookUpOrder)]
        swept = any(isinstance(item, SweepTrades) for item in decisions)
        result = Reconciliation(
            compared=True,
            settled=not look_ups and not swept,
            breaks=tuple(item for item in decisions if isinstance(item, OpenBreak) and not _was_decided(ports, item)),
            external=tuple(item for item in decisions if isinstance(item, AdoptOrder)),
            unknown=len(unknown),
        )
        if result.settled:
            break
        for look_up in look_ups:
            await _look_up(ports, look_up)
    if result.compared or ports.doubts != doubts:
        # News that was lost behind the last question is in neither side of the comparison. An account that is never
        # still long enough to be compared keeps its last word; who attends it doubts that word when it grows old.
        ports.reconciled = result.may_open and ports.doubts == doubts
    took = round((ports.clock.monotonic() - began) * 1_000)
    await _write_down(ports, result, Seen(_outcome(result), took, result.breaks, sight))
    await lift_when_equal(ports, equal=ports.reconciled)
    return result


def _outcome(result: Reconciliation) -> Compared:
    if not result.compared:
        return Compared.UNKNOWN
    is_equal = result.settled and not result.breaks and result.unknown == 0
    return Compared.EQUAL if is_equal else Compared.DIFFERENT


def _was_decided(ports: Ports, found: OpenBreak) -> bool:
    """Say whether a person has said already what an order of somebody else's is: it is on no work-list any more."""
    match found.difference:
        case UnknownOrder(order, Origin.FOREIGN):
            return external_orders.was_decided(ports.books.hot, ports.account_id, order)
        case _:
            return False


async def _compare(ports: Ports, *, swept: bool) -> tuple[tuple[Decision, ...], Sight] | None:
    """Ask, compare, decide; None while the account moves, at the venue or in the book."""
    noted = _notes(ports.books.hot, ports.account_id)
    before = await ports.venue.account(ports.account_id)
    cursor: int = ports.books.hot.get(keys.trade_cursor(ports.account_id)) or 0
    page = await ports.venue.trades_since(ports.account_id, cursor)
    open_orders = await ports.venue.open_orders(ports.account_id)
    after = await ports.venue.account(ports.account_id)
    if not page.complete:
        return None  # more than a page came in meanwhile: sweep again first
    # One unit reads the book and what of the page it has: the stream may book a fill at any moment between two.
    side = await ports.books.write(partial(_ledger_side, ports, page.trades, noted))
    if side is None:
        return None
    ours, instruments, unbooked = side
    theirs = VenueView(before, open_orders, page.trades, unbooked, cursor, before.cursor, after.cursor)
    found = compare(ours, theirs, instruments)
    if isinstance(found, Moved):
        return None
    decisions = decide(found, swept=swept)
    foreign = tuple(item.order for item in decisions if isinstance(item, AdoptOrder))
    whole = swept or not any(isinstance(item, SweepTrades) for item in decisions)
    doubted = tuple(item.sentence for item in decisions if isinstance(item, LookUpOrder))
    return decisions, Sight(before, len(open_orders), foreign, doubted, whole)


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


async def _look_up(ports: Ports, look_up: LookUpOrder) -> None:
    try:
        told = await ports.venue.order(ports.account_id, look_up.client_order_id)
    except OrderNotFound:
        log.warning("order_not_found", client_order_id=look_up.client_order_id)
        return
    await sweep(ports)
    await hear_order(ports, told)


async def _write_down(ports: Ports, result: Reconciliation, seen: Seen) -> None:
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
    }
    if details == ports.sync_told and keys_found == ports.breaks_told:
        if record:
            ports.books.post(record.write)
        return

    def unit(draft: Draft) -> None:
        record.write(draft)
        tell(draft, Event(EventKind.ACCOUNT_RECONCILED, ports.account_id, now, details))
        for found in new:
            words = {"key": found.key, "sentence": found.sentence, "proposal": found.proposal}
            tell(draft, Event(EventKind.BREAK_FOUND, ports.account_id, now, words))
        write_note(draft, Note(ports.account_id, "desk", "SYNC", "ACCOUNT", str(ports.account_id), now, details))

    await ports.books.write(unit)
    ports.breaks_told, ports.sync_told = keys_found, details
    for found in new:
        ports.tell("warning", f"{found.sentence} {found.proposal}")
