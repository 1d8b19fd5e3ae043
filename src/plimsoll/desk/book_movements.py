"""What moved at the venue without a trade, into the books: from its stream as it is told, from its ledger when we ask.

Every change of a balance at the venue has a fact here, or it is a break (FAILURES C5). Booking is idempotent and
order-free: a reference of one kind counts once, whoever told it first.

Whose is it? A deposit or a withdrawal is the account's, and moves units (`book_flow`). What a position earned or paid
belongs to the one position that the account has of the instrument. The venue knows nothing of portfolios and
strategies, so where several hold it, or none, it is `main`'s, with the instrument named; it is never split.
What if the account cannot be valued when a deposit comes? It waits, nothing of it is booked, and nothing opens. Every
sweep tries it again first, whoever told it, and what comes behind it is booked; the cursor stays before it, so that the
next process is told of it again. What has waited for a minute may wait for ever: people are told once.
What if we crash in a sweep? The cursor moves behind the rows of its page: they are read again, and are repetitions.
What must not enter: an amount of our own counting (FAILURES C7). The venue says what interest was; we book it.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from plimsoll.desk.book_flow import as_booked, book_flow
from plimsoll.desk.ports import Ports
from plimsoll.desk.repairs import Repair, found_by_asking, heard
from plimsoll.ledger import cash, keys, positions
from plimsoll.ledger.book_cash import book_cash
from plimsoll.ledger.trades import Booking
from plimsoll.model.cash import CashEvent, CashKind
from plimsoll.model.errors import CommandRefused, Illegal, invariant
from plimsoll.model.ids import AccountId, PortfolioId, StrategyId
from plimsoll.model.venue import Movement
from plimsoll.reconcile.suspicion import WaitingMovement
from plimsoll.runtime.logging import logger
from plimsoll.store.draft import Draft

log = logger("book_movements")

#: Looking whether a movement is there writes nothing.
MOVEMENTS_A_LOOK = 100

_FLOWS = frozenset({CashKind.DEPOSIT, CashKind.WITHDRAWAL})
_LOANS = frozenset({CashKind.BORROW, CashKind.REPAY})
#: May be told of a position.
_EARNED = frozenset(
    {
        *(CashKind.FUNDING, CashKind.INTEREST, CashKind.DIVIDEND),
        *(CashKind.LIQUIDATION, CashKind.ADL, CashKind.SETTLEMENT),
    }
)
_TOLD = _FLOWS | _LOANS | _EARNED
#: The book wants these above zero, and the venue tells them as what went.
_GOES = frozenset({CashKind.WITHDRAWAL, CashKind.REPAY})

_BOOKED_BEFORE = frozenset({Booking.REPEATED, Booking.CONTRADICTED})

#: Portfolio, strategy, leg.
_Owner = tuple[PortfolioId, StrategyId | None, str]


async def take_in(ports: Ports, movements: Sequence[Movement]) -> list[Booking]:
    """Book what the venue tells of this account.

    Raises: Illegal for what a venue cannot tell, LookupError for what is of another account or of an instrument that
            the book does not know: then nothing of the batch was booked; StoreFailed
    """
    for movement in movements:
        _check(ports, movement)
    done = [await _book(ports, movement) for movement in movements]
    if Booking.CONTRADICTED in done:
        ports.doubt("the venue tells a movement otherwise than it is booked")
    untold = [one for one in ports.waiting.values() if not one.told]
    if untold and Booking.WAITING in done:
        # Later it is no news: while one waits no comparison lets anything open, and nobody asks every second.
        ports.doubt("money came or went that cannot be valued yet")
    return done


async def sweep_movements(ports: Ports) -> int:
    """Fetch every movement since the stored cursor and book it; give how many were new.

    Raises: WorldFailure where the venue does not answer; and as `take_in`
    """
    new = (await take_in(ports, [one.movement for one in ports.waiting.values()])).count(Booking.BOOKED)
    if not ports.venue.facts.tells_movements:
        return new
    kept: int = ports.books.hot.get(keys.movement_cursor(ports.account_id)) or 0
    asked, waits = kept, False
    while True:
        page = await ports.venue.movements_since(ports.account_id, asked)
        waits = waits or any(_fact(movement) in ports.waiting for movement in page.movements)
        unbooked = await _without_repetitions(ports, page.movements)
        news = [movement for movement in unbooked if _fact(movement) not in ports.waiting]
        facts = [_fact(movement) for movement in news]
        for fact in facts:
            found_by_asking(ports, Repair.MOVEMENT_BY_SWEEP, fact)
        done = await take_in(ports, news)
        heard(ports, [fact for fact, booking in zip(facts, done, strict=True) if booking in _BOOKED_BEFORE])
        new += done.count(Booking.BOOKED)
        waits = waits or Booking.WAITING in done
        if page.movements and page.kept > kept and not waits:
            # Behind the movements, never before; and never behind one that waits.
            kept = page.kept
            await ports.books.write(partial(_move_cursor, ports.account_id, kept))
        if page.complete:
            return new
        invariant(page.cursor != asked, "a page that is not the last one leads on to another")
        asked = page.cursor


def _check(ports: Ports, movement: Movement) -> None:
    """Refuse what cannot be booked before anything of its batch is."""
    if movement.account_id != ports.account_id:
        raise LookupError(f"a movement of account {movement.account_id} came in on account {ports.account_id}'s line")
    if movement.kind not in _TOLD:
        raise Illegal("kind", movement.kind, "a venue's ledger tells deposits, loans, and what positions earn or pay")
    if movement.instrument_id is not None and ports.books.hot.get(keys.instrument(movement.instrument_id)) is None:
        raise LookupError(f"{movement.kind} {movement.reference} is of an instrument that the book does not know")
    if movement.amount != 0:
        _event(movement, (PortfolioId(0), None, ""))


async def _book(ports: Ports, movement: Movement) -> Booking:
    if movement.amount == 0:
        return Booking.REPEATED  # a funding rate of nothing: it moves nothing, now or told again
    now, actor = ports.clock.now(), f"venue:{ports.venue.facts.name}"
    if movement.kind in _FLOWS:
        main: PortfolioId = ports.books.hot.get(keys.main_portfolio(ports.account_id))
        try:
            booked = await book_flow(ports, _event(movement, (main, None, "")), actor)
        except CommandRefused as refused:
            _let_wait(ports, movement, refused)
            return Booking.WAITING
        ports.waiting.pop(_fact(movement), None)
        return booked

    def unit(draft: Draft) -> Booking:
        event = _event(movement, _owner(draft, movement))
        before = cash.find(draft, event.account_id, event.reference, event.kind)
        return book_cash(draft, as_booked(event, before) if before else event, actor, now)

    became: Booking = await ports.books.write(unit)
    return became


def _fact(movement: Movement) -> tuple[CashKind, str]:
    return movement.kind, movement.reference


def _let_wait(ports: Ports, movement: Movement, refused: CommandRefused) -> None:
    """Remember what cannot be valued, and tell people once when that has lasted."""
    fact, now, unpriced = _fact(movement), ports.clock.monotonic(), refused.refusals[0].observed
    known = ports.waiting.get(fact)
    if known is None:
        log.warning("movement_waits", reference=movement.reference, kind=movement.kind, why=str(refused))
        ports.waiting[fact] = WaitingMovement(movement, unpriced, now)
        return
    ports.waiting[fact] = waiting = replace(known, unpriced=unpriced, told=known.told or known.is_late(now))
    if waiting.told and not known.told:
        ports.tell("warning", f"{waiting.sentence} {waiting.remedy} Nothing opens until then.")


def _event(movement: Movement, owner: _Owner) -> CashEvent:
    portfolio_id, strategy_id, leg = owner
    return CashEvent(
        movement.account_id,
        portfolio_id,
        movement.kind,
        movement.asset,
        -movement.amount if movement.kind in _GOES else movement.amount,
        movement.reference,
        movement.at,
        movement.pocket,
        movement.instrument_id if movement.kind in _EARNED else None,
        strategy_id,
        leg,
    )


def _owner(draft: Draft, movement: Movement) -> _Owner:
    """Say whose a movement is: the one position's that can have earned it, else `main`'s."""
    main: PortfolioId = draft.get(keys.main_portfolio(movement.account_id))
    if movement.instrument_id is None or movement.kind not in _EARNED:
        return main, None, ""
    known = [
        position
        for position in positions.of_account(draft, movement.account_id)
        if position.instrument_id == movement.instrument_id and movement.leg in ("", position.leg)
    ]
    # What is told a moment after the close is the closed one's, where there never was another.
    held = [position for position in known if not position.is_flat] or known
    if len(held) != 1:
        return main, None, movement.leg
    return held[0].portfolio_id, held[0].strategy_id, held[0].leg


async def _without_repetitions(ports: Ports, page: Sequence[Movement]) -> list[Movement]:
    # A venue whose history lags is asked for the same stretch at every sweep: that costs few and cheap looks.
    news: list[Movement] = []
    for start in range(0, len(page), MOVEMENTS_A_LOOK):
        look = partial(_not_booked, page[start : start + MOVEMENTS_A_LOOK])
        news += await ports.books.write(look)
    return news


def _not_booked(movements: Sequence[Movement], draft: Draft) -> list[Movement]:
    return [movement for movement in movements if not _is_repetition(draft, movement)]


def _is_repetition(draft: Draft, movement: Movement) -> bool:
    told = (movement.pocket, movement.asset, movement.amount)
    before = cash.find(draft, movement.account_id, movement.reference, movement.kind)
    return any((line.pocket, line.asset, line.amount) == told for line in before)


def _move_cursor(account_id: AccountId, cursor: int, draft: Draft) -> None:
    draft.put(keys.movement_cursor(account_id), cursor)
    draft.replace("movement_cursors", account_id, (account_id, cursor))
