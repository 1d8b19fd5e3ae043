"""Imported books in the one writer: begun, taken in piece by piece while nobody sees them, and shown by one last unit.

    know_instruments, know_strategies ─► begin ─► take(1), take(2), … ─► finish
       what the book names                hidden account                  shown; the making before it is deleted

Rule 1. An imported book is made anew with every statement, as a new account (a *making*) that is hidden: its
        `deleted_at` is set from the beginning. Nobody trades on it, and no chain but its own has a link of its facts.
Rule 2. A chunk is taken in its order, once; how far a making has come is written in the unit that takes it in. Whoever
        does not know whether a chunk was taken says it again.
Rule 3. `finish` takes the hidden mark away and hands over the public ids: name and uid of account and portfolio stay
        what they were. It counts only if the making before is still the one that this one began from.
Rule 4. Nothing is removed: a making that was cut off, or replaced, stays where it is, and is shown to nobody.
Rule 5. The chain of the desk tells of each begin and each finish, and who said so.

What if two imports of one portfolio run at once? The one that finishes first counts, and the other is refused: it does
not know what the first one brought.
What if we crash? Before `finish` the book is what it was; what was taken in stays hidden, and the next import begins a
making of its own.

What must not enter: where the rows come from, and what they mean. Their maker (`ledger.imported`) answers for them, and
`verify` proves it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from plimsoll.ledger import accounts, keys, strategies
from plimsoll.ledger.accounts import STATEMENT
from plimsoll.ledger.books import write_meta
from plimsoll.ledger.log import Note, json_text, tell, write_note
from plimsoll.model.account import Account, AccountStatus, Mode, Portfolio, User
from plimsoll.model.clock import time_text
from plimsoll.model.errors import CommandRefused, Illegal, Refusal
from plimsoll.model.event import Event, EventKind
from plimsoll.model.ids import AccountId, InstrumentId, PortfolioId, UserId
from plimsoll.model.instrument import Instrument
from plimsoll.store.draft import Brought, Draft, Row

#: The desk's own chain tells of imports: nothing of a making's chain is written by the desk.
_DESK = 0
_ENTITY = "IMPORT"
_LONGEST_NAME = 64
#: What a practice venue of ours is called, now or later: its instruments are priced and traded.
_PRACTICE = "paper"
#: What a making consists of; a file that offers anything else is none of ours.
TABLES = frozenset(
    ("trades", "cash_lines", "position_entries", "import_lines", "audit_log", "positions", "pnl_days", "balances")
)
#: Most makings that a note names.
_NAMED = 20
#: (venue, symbol).
Named = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Making:
    """An imported book on its way, as the desk remembers it."""

    account_id: AccountId
    portfolio_id: PortfolioId
    #: The name that the book will be shown under.
    name: str
    #: The making that is shown now; 0 for none.
    made_from: AccountId
    #: How many chunks are in, and how many there are; 0 before the first.
    taken: int = 0
    chunks: int = 0
    done: bool = False


@dataclass(frozen=True, slots=True)
class Begin:
    """What a making begins with."""

    user_id: UserId
    #: The name of its portfolio.
    name: str
    #: What its account counts in.
    currency: str
    account_uid: str
    portfolio_uid: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of a making's rows, ready in a file."""

    account_id: AccountId
    #: Counts from 1.
    number: int
    #: How many chunks the making has.
    chunks: int
    pieces: tuple[Brought, ...]


@dataclass(frozen=True, slots=True)
class Finish:
    """The end of a making."""

    account_id: AccountId
    chunks: int
    #: Rows of `imports`, in the columns' order: the statements that the book consists of. None: all were taken back.
    statements: tuple[Row, ...]
    #: For the making before, which hands over its own.
    fresh_uids: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Finished:
    """An imported book that is shown now."""

    account_id: AccountId
    portfolio_id: PortfolioId
    #: The public id of its portfolio; empty where nothing is shown any more.
    portfolio_uid: str
    #: The making that was shown before; 0 for none.
    replaced: AccountId


# What a book names ----------------------------------------------------------------------------------------------------


def know_instruments(draft: Draft, wanted: Sequence[Instrument], now: datetime) -> Mapping[Named, InstrumentId]:
    """Find instruments by venue and symbol, and write those that are new; the ids they come with mean nothing.

    Refuses: a venue that is traded at, whose instruments are priced there; an instrument that is known otherwise
    """
    venues = dict.fromkeys(one.venue for one in wanted)
    for venue in venues:
        _refuse_traded_venue(draft, venue)
    known = {(one.venue, one.symbol): one for venue in venues for one in _listed(draft, venue)}
    for one in wanted:
        before = known.get((one.venue, one.symbol))
        if before is None:
            made = replace(one, id=InstrumentId(draft.next_id("instruments")), tradable=False)
            accounts.write_instrument(draft, made, now)
            draft.put(keys.told_of(made.symbol, made.id), made)
            known[made.venue, made.symbol] = made
        elif _counts(before) != _counts(one):
            remedy = f"it is known as {_told(before)}; name another venue with --venue"
            raise Illegal("symbol", f"{one.symbol} at {one.venue}: {_told(one)}", remedy)
    return {(one.venue, one.symbol): known[one.venue, one.symbol].id for one in wanted}


def know_strategies(draft: Draft, user_id: UserId, names: Mapping[str, str], now: datetime) -> Mapping[str, int]:
    """Find strategies of a user by their name, and write those that are new.

    Shapes: `names` -> a public id for each, if it has to be made
    """
    _owner(draft, user_id)
    return {
        name: strategies.version_for(draft, user_id, name, STATEMENT, {}, uid, now).id for name, uid in names.items()
    }


def _listed(draft: Draft, venue: str) -> list[Instrument]:
    return draft.shelf(keys.INSTRUMENTS_OF, venue)


def _refuse_traded_venue(draft: Draft, venue: str) -> None:
    if not venue or not venue.isprintable() or len(venue) > _LONGEST_NAME:
        raise Illegal(
            "venue", venue, f"give the name of a venue, such as kraken, of at most {_LONGEST_NAME} characters"
        )
    if venue.startswith(_PRACTICE) or (venue != STATEMENT and draft.find("accounts_at_broker", venue)):
        raise Illegal("venue", venue, "this desk trades there itself; name the venue that the statement is of")


def _counts(instrument: Instrument) -> tuple[object, ...]:
    return (instrument.asset_type.value, instrument.settle, instrument.multiplier, instrument.inverse)


def _told(instrument: Instrument) -> str:
    how = " inverse" if instrument.inverse else ""
    return f"{instrument.asset_type} of {instrument.multiplier} settled in {instrument.settle}{how}"


# Begin ----------------------------------------------------------------------------------------------------------------


def begin(draft: Draft, wish: Begin, actor: str, now: datetime) -> Making:
    """Write the hidden account of a new making, and its portfolio.

    Refuses: a name that is none, and the name of a portfolio that is traded on
    """
    _owner(draft, wish.user_id)
    check_name(wish.name)
    current = _shown(draft, wish.user_id, wish.name)
    account_id = AccountId(draft.next_id("accounts"))
    portfolio_id = PortfolioId(draft.next_id("portfolios"))
    account = Account(
        account_id,
        wish.account_uid,
        wish.user_id,
        f"{wish.name} (in the making, {account_id})",
        STATEMENT,
        Mode.PAPER,
        wish.currency,
        "none",
        "standard",
        status=AccountStatus.PAUSED,
        deleted_at=now,
    )
    accounts.write_account(draft, account)
    portfolio = Portfolio(portfolio_id, wish.portfolio_uid, account_id, wish.user_id, wish.name, deleted_at=now)
    accounts.write_portfolio(draft, portfolio)
    making = Making(account_id, portfolio_id, wish.name, AccountId(0) if current is None else current.account_id)
    _remember(draft, making)
    details = {"account": str(account_id), "made_from": str(making.made_from), "portfolio": wish.name}
    cut_off = [str(row[0]) for row in draft.find("unfinished_imports", wish.user_id)]
    if cut_off:
        details["never_finished"] = ", ".join(cut_off[-_NAMED:])
    write_note(draft, Note(_DESK, actor, "CREATE", _ENTITY, account.uid, now, details))
    return making


def check_name(name: str) -> None:
    """Refuse what is no name for an imported portfolio.

    Raises: Illegal
    """
    if not name.strip() or name != name.strip() or len(name) > _LONGEST_NAME or not name.isprintable():
        raise Illegal("portfolio", name, f"give a name of 1 to {_LONGEST_NAME} characters, without spaces around it")


def _shown(draft: Draft, user_id: UserId, name: str) -> Portfolio | None:
    """Find the imported portfolio that a user is shown under a name.

    Refuses: a name under which he trades
    """
    # With what the group has written: the import before may have been finished a moment ago.
    rows = draft.find_with_group("portfolios_of_user", user_id)
    named = {
        str(row[-1]): portfolio for row in rows if (portfolio := accounts.portfolio_from_row(row[:-1])).name == name
    }
    # A book that was imported before the desk made its own of this name stays the book that it is.
    if not named or STATEMENT in named:
        return named.get(STATEMENT)
    raise CommandRefused(traded(name, next(iter(named))))


def traded(name: str, broker: str) -> Refusal:
    """Say that a portfolio takes no imports."""
    sentence = f"`{name}` is traded at {broker}: a book that is traded and one that was imported stay apart"
    return Refusal("portfolio_traded", sentence, observed=name, remedy="name another portfolio")


# Take -----------------------------------------------------------------------------------------------------------------


def take(draft: Draft, user_id: UserId, chunk: Chunk) -> Making:
    """Take in the next chunk; one that is in already is left as it is."""
    making = _making(draft, user_id, chunk.account_id)
    if not making.done and chunk.number > making.taken:
        _refuse_another(making, chunk.chunks)
        if chunk.number != making.taken + 1 or chunk.number > chunk.chunks:
            remedy = f"chunk {making.taken + 1} of {chunk.chunks} is the next"
            raise CommandRefused(
                Refusal("chunk_out_of_order", f"chunk {chunk.number} was sent; {remedy}", remedy="import again")
            )
        for piece in chunk.pieces:
            if piece.table not in TABLES or piece.owner != making.account_id:
                raise Illegal("chunk", f"{piece.table} of {piece.owner}", "this is no making of ours; import again")
            draft.bring(piece)
        making = replace(making, taken=chunk.number, chunks=chunk.chunks)
        _remember(draft, making)
    return making


def _refuse_another(making: Making, chunks: int) -> None:
    if making.chunks not in (0, chunks):
        raise CommandRefused(
            Refusal(
                "another_making",
                f"{making.chunks} chunks were to come, and now it is {chunks}: the prepared file is another one",
                remedy="import again",
            )
        )


# Finish ---------------------------------------------------------------------------------------------------------------


def finish(draft: Draft, user_id: UserId, ending: Finish, actor: str, now: datetime) -> Finished:
    """Show a making that is whole, in the place of the one before it; said again, it changes nothing.

    Refuses: a making of which something is missing, and one that another import was faster than
    """
    making = _making(draft, user_id, ending.account_id)
    account: Account = draft.get(keys.account(making.account_id))
    portfolio: Portfolio = draft.get(keys.portfolio(making.portfolio_id))
    if making.done:
        return _finished(making, portfolio)
    _refuse_another(making, ending.chunks)
    if making.taken != ending.chunks:
        missing = f"{making.taken} of {ending.chunks} chunks were taken in"
        raise CommandRefused(Refusal("import_incomplete", missing, remedy="import again"))
    current = _shown(draft, user_id, making.name)
    if (AccountId(0) if current is None else current.account_id) != making.made_from:
        raise CommandRefused(
            Refusal(
                "import_overtaken",
                f"another import of `{making.name}` was finished since this one began",
                observed=making.name,
                remedy="import again",
            )
        )
    for row in ending.statements:
        if row[0] != making.account_id:
            raise Illegal("imports", row[0], f"these statements are of another making than {making.account_id}")
        draft.add("imports", row)
    if current is not None:
        account, portfolio = _hand_over(draft, current, account, portfolio, ending.fresh_uids, now)
    if ending.statements:
        shown = replace(account, name=_account_name(making.name), deleted_at=None)
        accounts.write_account(draft, shown)
        portfolio = replace(portfolio, deleted_at=None)
        draft.put(keys.imported(user_id, portfolio.id), portfolio)
    else:
        accounts.write_account(draft, account)
    accounts.write_portfolio(draft, portfolio)
    done = replace(making, done=True)
    _remember(draft, done)
    _tell(draft, done, portfolio, len(ending.statements), actor, now)
    return _finished(done, portfolio)


def _hand_over(  # noqa: PLR0917  both makings, and what changes hands
    draft: Draft,
    before: Portfolio,
    account: Account,
    portfolio: Portfolio,
    fresh_uids: tuple[str, str],
    now: datetime,
) -> tuple[Account, Portfolio]:
    """Hide the making before, and give the new one its public ids. First who lets go of a name, then who takes it."""
    shown: Account = draft.get(keys.account(before.account_id))
    until = f"{shown.name}, until {time_text(now)} ({shown.id})"
    accounts.write_account(draft, replace(shown, uid=fresh_uids[0], name=until, deleted_at=now))
    accounts.write_portfolio(draft, replace(before, uid=fresh_uids[1], deleted_at=now))
    draft.put(keys.imported(before.user_id, before.id), None)
    return replace(account, uid=shown.uid), replace(portfolio, uid=before.uid)


def _tell(  # noqa: PLR0917  what a note says
    draft: Draft, done: Making, portfolio: Portfolio, statements: int, actor: str, now: datetime
) -> None:
    details = {
        "account": str(done.account_id),
        "instead_of": str(done.made_from),
        "portfolio": done.name,
        "statements": str(statements),
    }
    write_note(draft, Note(_DESK, actor, "UPDATE", _ENTITY, portfolio.uid, now, details))
    tell(draft, Event(EventKind.BOOK_IMPORTED, done.account_id, now, details))


def _account_name(portfolio: str) -> str:
    # Unlike every name that the desk gives to an account of its own.
    return f"{portfolio} (imported)"


def _finished(making: Making, portfolio: Portfolio) -> Finished:
    is_shown = portfolio.deleted_at is None
    return Finished(making.account_id, portfolio.id, portfolio.uid if is_shown else "", making.made_from)


# What is remembered ---------------------------------------------------------------------------------------------------


def _owner(draft: Draft, user_id: UserId) -> User:
    user: User | None = draft.get(keys.user(user_id))
    if user is None or user.deleted_at is not None:
        raise CommandRefused(Refusal("user_unknown", "there is nobody of this id", str(user_id)))
    return user


def _making(draft: Draft, user_id: UserId, account_id: AccountId) -> Making:
    account: Account | None = draft.get(keys.account(account_id))
    told: str | None = draft.get(keys.meta(_memo(account_id)))
    if account is None or account.user_id != user_id or told is None:
        raise CommandRefused(Refusal("import_unknown", "no import of this number was begun", str(account_id)))
    return Making(**json.loads(told))


def _remember(draft: Draft, making: Making) -> None:
    write_meta(draft, _memo(making.account_id), json_text(asdict(making)))


def _memo(account_id: AccountId) -> str:
    return f"import:{account_id}"
