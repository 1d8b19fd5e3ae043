"""Value an account: a number that a guard may act on, or blind and why.

Trusted means all of: a deposit was ever made; every holding has a price in time; the ledger was found equal to the
venue since this process started; ledger and venue agree on the equity within 1 %. How far the quotes under it bear it
out is told with it (`risk.guards.sights`).
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from plimsoll.desk.ports import Ports
from plimsoll.desk.snapshot import holdings_of, max_price_age
from plimsoll.ledger import accounts, guarding, keys
from plimsoll.ledger.keys import Nav
from plimsoll.model import money
from plimsoll.model.account import Account
from plimsoll.model.errors import WorldFailure
from plimsoll.model.ids import InstrumentId
from plimsoll.model.quote import Moment
from plimsoll.risk.guards.reading import Blind, Reading, Worth, agrees_with_venue, next_peak
from plimsoll.risk.guards.sights import bounds, noted, priced_by
from plimsoll.risk.limits import Limits
from plimsoll.risk.valuation import Holdings, Prices, Valuation, value_account
from plimsoll.runtime import rare
from plimsoll.runtime.rare import Site

if TYPE_CHECKING:
    from plimsoll.desk.account_figures import Standing


@dataclass(frozen=True, slots=True)
class BookView:
    """What only the books can change of a valuation; kept until they do."""

    version: int
    holdings: Holdings
    nav: Nav
    limits: Limits
    max_price_age: timedelta
    #: The instruments whose prices the worth of the holdings rests on.
    priced_by: tuple[InstrumentId, ...]
    #: What people are shown beside a valuation; read when the first of them asks (`account_figures`).
    standing: "Standing | None" = None


def book_view(ports: Ports) -> BookView:
    """Read what the account has, unless the books are still those of the last time."""
    hot = ports.books.hot
    kept: BookView | None = ports.book_view
    if kept is not None and kept.version == hot.version and not rare.strikes(Site.VIEW_OUTDATED):
        return kept
    with hot.lock:
        account: Account = hot.get(keys.account(ports.account_id))
        limits = accounts.limits_of(hot, account)
        holdings = holdings_of(hot, account, limits)
        age = max_price_age(limits, ports.board.facts)
        nav = guarding.nav_of(hot, account.id)
        view = BookView(hot.version, holdings, nav, limits, age, priced_by(holdings))
    ports.book_view = view
    return view


def worth_of(ports: Ports, now: datetime) -> tuple[Valuation, Nav]:
    """Value the account by our own books, at the prices at hand."""
    view = book_view(ports)
    return value_account(view.holdings, Prices(ports.board.view(), now, view.max_price_age)), view.nav


def why_unfunded(nav: Nav) -> str:
    """Say why an account has no units; empty while it has some."""
    if nav.units > 0:
        return ""
    return "nothing was ever deposited" if nav.peak_at is None else "everything that was deposited went out again"


def _read(ports: Ports, venue_equity: Decimal | None, now: datetime) -> Reading | Blind:
    worth, nav = worth_of(ports, now)
    if not ports.reconciled:
        return Blind(now, "the book has not been found equal to the venue")
    if worth.equity is None:
        return Blind(now, f"no price in time for {', '.join(worth.unpriced)}")
    if unfunded := why_unfunded(nav):
        return Blind(now, unfunded)
    if venue_equity is None and ports.venue.facts.tells_equity:
        return Blind(now, "the venue cannot value the account")
    if not agrees_with_venue(worth.equity, venue_equity):
        theirs = "" if venue_equity is None else money.decimal_text(venue_equity)
        return Blind(now, f"we count {money.decimal_text(worth.equity)}, the venue {theirs}")
    reading = _reading(ports, worth.equity, now)
    ports.peak_seen, ports.higher_seen = next_peak(reading.peak, ports.higher_seen, reading)
    return replace(reading, peak=ports.peak_seen)


def _reading(ports: Ports, equity: Decimal, now: datetime) -> Reading:
    # What was just valued, and not what the scribe's thread may have published since.
    view: BookView = ports.book_view
    nav = view.nav
    # The peak in the books may lag behind by the readings that wait to be written; `Ports` remembers those.
    peak, value = max(nav.peak, ports.peak_seen), money.settle_quotient(equity, nav.units)
    if _bars_only(ports):
        return Reading(now, equity, value, peak, confirmed=True)
    found = bounds(view.holdings, view.priced_by, ports.board.view(), ports.quotes_seen, now)
    if found is None:
        return Reading(now, equity, value, peak, confirmed=False)
    least, most = (Worth(worth, money.settle_quotient(worth, nav.units)) for worth in found)
    return Reading(now, equity, value, peak, confirmed=False, least=least, most=most)


def _bars_only(ports: Ports) -> bool:
    quotes = ports.board.view().values()
    return all(quote.moment is not Moment.LIVE for quote in quotes)


def _note_quotes(ports: Ports, now: datetime) -> None:
    # Of all that is on the board, held or not: what is bought in a second has been seen before.
    for instrument_id, quote in ports.board.view().items():
        if quote.moment is Moment.LIVE:
            seen = ports.quotes_seen
            seen[instrument_id] = noted(seen.get(instrument_id, ()), quote, now)


async def value_now(ports: Ports) -> Reading | Blind:
    """Take a reading, asking the venue for its own figure. A venue that does not answer makes blind, nothing else."""
    try:
        venue_equity = await ports.venue.equity(ports.account_id)
    except WorldFailure as failure:
        return Blind(ports.clock.now(), f"the venue does not answer: {failure}")
    now = ports.clock.now()
    _note_quotes(ports, now)
    return _read(ports, venue_equity, now)
