"""Book what changes a holding and is no trade: coins deposited, withdrawn or handed on, splits, new names.

The coins move as cash lines, their cost as an entry of the position; both under one reference, in one unit.

What if nobody knows what deposited coins had cost? They come in at unknown cost: what their share of a later sale
brings is neither profit nor loss.
What if a holding goes to another portfolio and a late fill changes later what it had cost? What went out and came in
is a fact of its own and stays: the portfolio that gave it realises the difference, and both together lose nothing.
What if a fill from before a split comes after it? The position is folded anew, and the split's pieces are corrected
with it. The split is the instrument's, so a position that only this fill makes has it too.
What if the instrument is called otherwise from today? It stays the same instrument, under the same id; the old name is
kept with the time until which it meant it.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from plimsoll.ledger import accounts, cash, entries, keys, positions
from plimsoll.ledger.book_cash import post_event
from plimsoll.ledger.fold import position_of_entry
from plimsoll.ledger.instrument_names import write_alias
from plimsoll.ledger.log import next_link_seq, tell
from plimsoll.ledger.refold import Cause, happen, split_line, stored_position
from plimsoll.ledger.trades import Booking
from plimsoll.model.cash import SPOT, Arrival, CashEvent, CashKind
from plimsoll.model.entry import Entry, EntryKind
from plimsoll.model.errors import Illegal
from plimsoll.model.event import Event, EventKind
from plimsoll.model.ids import AccountId, InstrumentId, PortfolioId, StrategyId
from plimsoll.model.instrument import Instrument
from plimsoll.model.money import decimal_text
from plimsoll.model.position import Position, share_of
from plimsoll.store.draft import Draft


@dataclass(frozen=True, slots=True)
class Holding:
    """Coins or shares of one position, as somebody brings, takes or hands them on."""

    account_id: AccountId
    portfolio_id: PortfolioId
    instrument_id: InstrumentId
    quantity: Decimal
    #: With the kind it is unique in its account.
    reference: str
    at: datetime
    strategy_id: StrategyId | None = None


def book_entry(draft: Draft, entry: Entry, now: datetime) -> Booking:
    """Book one entry of one position; the caller writes the unit's note.

    Raises: Illegal for coins of an instrument that has none
    """
    instrument = _instrument(draft, entry.instrument_id)
    if instrument.is_derivative and entry.kind is not EntryKind.SPLIT:
        raise Illegal("instrument_id", entry.instrument_id, f"{instrument.symbol} is no holding; close it and open it")
    became = _known(draft, entry, now)
    if became is None:
        entries.write(draft, entry, next_link_seq(draft, entry.account_id))
        cause = Cause(f"{entry.kind}:{entry.reference}", entry.at)
        for position in _positions_of(draft, entry):
            refolded = happen(draft, position, entry, instrument, cause)
            pieces = refolded.now[entry.key].quantity
            if entry.kind is EntryKind.SPLIT and pieces != 0 and not instrument.is_derivative:
                cash.post(draft, [split_line(entry, position, instrument, pieces)])
    return Booking.BOOKED if became is None else became


def deposit_coins(draft: Draft, holding: Holding, cost: Decimal | None, now: datetime) -> Booking:
    """Book coins that came into a portfolio at what they had cost; None where nobody knows it."""
    entry = _entry(holding, EntryKind.IN, cost)
    return _both(draft, entry, _movement(draft, holding, CashKind.DEPOSIT), now)


def withdraw_coins(draft: Draft, holding: Holding, now: datetime) -> Booking:
    """Book coins that left a portfolio for good; their share of the cost goes with them, and nothing is earned."""
    return _both(draft, _entry(holding, EntryKind.OUT, None), _movement(draft, holding, CashKind.WITHDRAWAL), now)


def transfer_holding(draft: Draft, holding: Holding, to: PortfolioId, now: datetime) -> Booking:
    """Hand coins on to another portfolio of the account, at the cost that they have now.

    Raises: Illegal when the position does not hold them, or the other portfolio is not another of the account
    """
    portfolio = draft.get(keys.portfolio(to))
    if portfolio is None or portfolio.account_id != holding.account_id or to == holding.portfolio_id:
        raise Illegal("to", to, "name another portfolio of the same account")
    booked = entries.find(draft, _entry(holding, EntryKind.OUT, None))
    if booked is not None:
        # What it carried was settled then; the same wish again is the same transfer.
        same = (booked.quantity, booked.at) == (holding.quantity, holding.at)
        return Booking.REPEATED if same else _told_otherwise(draft, booked, holding.quantity, now)
    held = stored_position(draft, position_of_entry(_entry(holding, EntryKind.OUT, None)))
    if holding.quantity > held.quantity:
        raise Illegal("quantity", holding.quantity, f"the position holds {decimal_text(held.quantity)}")
    cost, unknown = share_of(held.amounts, holding.quantity)
    movement = _movement(draft, holding, CashKind.TRANSFER, to)
    became = _both(draft, _entry(holding, EntryKind.OUT, cost), movement, now)
    there = replace(holding, portfolio_id=to)
    if became is Booking.BOOKED and holding.quantity > unknown:
        book_entry(draft, _entry(replace(there, quantity=holding.quantity - unknown), EntryKind.IN, cost), now)
    if became is Booking.BOOKED and unknown > 0:
        unknown_part = replace(there, quantity=unknown, reference=f"{holding.reference}:unknown")
        book_entry(draft, _entry(unknown_part, EntryKind.IN, None), now)
    return became


def split_holdings(
    draft: Draft, account_id: AccountId, instrument_id: InstrumentId, split: "Split", now: datetime
) -> Booking:
    """Split what an account holds of an instrument, in every portfolio: quantities change, costs stay."""
    main: PortfolioId | None = draft.get(keys.main_portfolio(account_id))
    if main is None:
        raise LookupError(f"split {split.reference} is of account {account_id}, which has no portfolio main")
    entry = Entry(
        account_id,
        main,
        instrument_id,
        None,
        "",
        EntryKind.SPLIT,
        split.new,
        split.reference,
        split.at,
        per=split.per,
    )
    return book_entry(draft, entry, now)


@dataclass(frozen=True, slots=True)
class Split:
    """`per` pieces became `new`: 4 for 1, or 1 for 10."""

    new: Decimal
    per: Decimal
    reference: str
    at: datetime


def rename_instrument(draft: Draft, instrument_id: InstrumentId, renamed: Instrument, until: datetime) -> Instrument:
    """Call an instrument otherwise from a moment on; its id, its trades and its positions stay.

    Raises: Illegal when more than its name and assets would change, or the new name is taken
    """
    known = _instrument(draft, instrument_id)
    if replace(renamed, symbol=known.symbol, base=known.base, quote=known.quote, settle=known.settle) != known:
        raise Illegal("renamed", renamed.symbol, "a new name changes symbol, base, quote and settle, and nothing else")
    listed: list[Instrument] = draft.shelf(keys.INSTRUMENTS_OF, known.venue)
    if any(other.symbol == renamed.symbol and other.id != known.id for other in listed):
        raise Illegal("symbol", renamed.symbol, "another instrument has this name")
    if renamed == known:
        return known
    if not known.is_derivative:
        draft.put(keys.spot_pair(known.venue, known.base, known.quote), None)
    write_alias(draft, known.id, known.venue, known.symbol, until)
    accounts.write_instrument(draft, renamed, until)
    return renamed


def unassigned(draft: Draft, account_id: AccountId, asset: str) -> Decimal:
    """Give the coins of an account that stand in no position: its spot balance less its spot positions."""
    balance = sum(
        (one.amount for one in draft.shelf(keys.BALANCE, account_id) if (one.pocket, one.asset) == (SPOT, asset)),
        Decimal(0),
    )
    for position in positions.of_account(draft, account_id):
        instrument = _instrument(draft, position.instrument_id)
        if not instrument.is_derivative and instrument.base == asset:
            balance -= position.quantity
    return balance


def _both(draft: Draft, entry: Entry, movement: CashEvent, now: datetime) -> Booking:
    # Whichever of the two contradicts what is booked, neither is written.
    became = _known(draft, entry, now)
    if became is Booking.CONTRADICTED:
        return became
    posted = post_event(draft, movement, now)
    return posted if posted is Booking.CONTRADICTED or became is not None else book_entry(draft, entry, now)


def _known(draft: Draft, entry: Entry, now: datetime) -> Booking | None:
    booked = entries.find(draft, entry)
    if booked is None:
        return None
    return Booking.REPEATED if booked == entry else _told_otherwise(draft, booked, entry.quantity, now)


def _told_otherwise(draft: Draft, booked: Entry, told: Decimal, now: datetime) -> Booking:
    details = {
        "entry": booked.reference,
        "what": f"another {booked.kind} was booked under this reference",
        "told": decimal_text(told),
        "booked": decimal_text(booked.quantity),
    }
    tell(draft, Event(EventKind.BREAK_FOUND, booked.account_id, now, details))
    return Booking.CONTRADICTED


def _positions_of(draft: Draft, entry: Entry) -> list[Position]:
    """List, empty, the positions that an entry is of: of a split all that something ever happened to."""
    if entry.kind is not EntryKind.SPLIT:
        return [position_of_entry(entry)]
    return [
        Position(held.account_id, held.portfolio_id, held.instrument_id, strategy_id=held.strategy_id, leg=held.leg)
        for held in positions.of_account(draft, entry.account_id)
        if held.instrument_id == entry.instrument_id and held.folded_to is not None
    ]


def _entry(holding: Holding, kind: EntryKind, cost: Decimal | None) -> Entry:
    place = (holding.account_id, holding.portfolio_id, holding.instrument_id, holding.strategy_id, "")
    return Entry(*place, kind, holding.quantity, holding.reference, holding.at, cost=cost)


def _movement(draft: Draft, holding: Holding, kind: CashKind, to: PortfolioId | None = None) -> CashEvent:
    asset = _instrument(draft, holding.instrument_id).base
    arrival = None if to is None else Arrival(to, SPOT, asset, holding.quantity)
    return CashEvent(
        holding.account_id,
        holding.portfolio_id,
        kind,
        asset,
        holding.quantity,
        holding.reference,
        holding.at,
        arrival=arrival,
    )


def _instrument(draft: Draft, instrument_id: InstrumentId) -> Instrument:
    instrument: Instrument | None = draft.get(keys.instrument(instrument_id))
    if instrument is None:
        raise Illegal("instrument_id", instrument_id, "name an instrument that the book knows")
    return instrument
