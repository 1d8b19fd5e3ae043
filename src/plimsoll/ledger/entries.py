"""Entries in the book: what changed a position and is no trade, each under its natural key once.

A split is the instrument's and not one position's: it stands once per account, in portfolio `main`, and every position
of the account in that instrument has it in its fold, also one that a late fill from before it makes.
"""

from decimal import Decimal

from plimsoll.ledger import keys
from plimsoll.ledger.cells import number_or_none, number_or_null
from plimsoll.model.clock import parse_time, time_text
from plimsoll.model.entry import Entry, EntryKind
from plimsoll.model.ids import AccountId, InstrumentId, PortfolioId, StrategyId
from plimsoll.model.money import decimal_text
from plimsoll.model.trade import FoldKey
from plimsoll.store.draft import Draft, Row


def to_row(entry: Entry, row_id: int, link_seq: int) -> Row:
    """Write an entry as its row, columns in the table's order."""
    return (
        entry.account_id,
        row_id,
        link_seq,
        entry.portfolio_id,
        entry.instrument_id,
        entry.strategy_id or 0,
        entry.leg,
        entry.kind.value,
        decimal_text(entry.quantity),
        number_or_null(entry.per),
        number_or_null(entry.cost),
        entry.reference,
        time_text(entry.at),
        entry.sequence,
    )


def from_row(row: Row) -> Entry:
    """Read an entry back."""
    account, _id, _seq, portfolio, instrument, strategy, leg, kind, quantity, per, cost, reference, at, sequence = row
    return Entry(
        account_id=AccountId(int(account or 0)),
        portfolio_id=PortfolioId(int(portfolio or 0)),
        instrument_id=InstrumentId(int(instrument or 0)),
        strategy_id=StrategyId(int(strategy)) if strategy else None,
        leg=str(leg),
        kind=EntryKind(str(kind)),
        quantity=Decimal(str(quantity)),
        reference=str(reference),
        at=parse_time(str(at)),
        sequence=int(sequence or 0),
        per=number_or_none(per),
        cost=number_or_none(cost),
    )


def find(draft: Draft, entry: Entry) -> Entry | None:
    """Find what was booked under an entry's key."""
    booked: Entry | None = draft.get(keys.entry(entry))
    if booked is not None:
        return booked
    rows = draft.find("entry_by_key", *entry.key)
    return from_row(rows[0]) if rows else None


def write(draft: Draft, entry: Entry, link_seq: int) -> None:
    """Write an entry."""
    draft.add("position_entries", to_row(entry, draft.next_id("position_entries"), link_seq))
    draft.put_fleeting(keys.entry(entry), entry)
    if entry.kind is EntryKind.SPLIT:
        key = keys.last_split(entry.account_id, entry.instrument_id)
        known: FoldKey | None = draft.get(key)
        draft.put(key, entry.fold_key if known is None else max(known, entry.fold_key))


def of_instrument(draft: Draft, account_id: AccountId, instrument_id: InstrumentId) -> list[Entry]:
    """Read all entries of an account in an instrument; this group's and this unit's own included."""
    rows = draft.find_with_group("entries_of_instrument", account_id, instrument_id)
    own = [
        row for row in draft.rows.added.get("position_entries", ()) if (row[0], row[4]) == (account_id, instrument_id)
    ]
    return [from_row(row) for row in (*rows, *own)]
