"""Value an account: a number that a guard may act on, or blind and why.

Trusted means all of: a deposit was ever made; every holding has a price in time; the ledger was found equal to the
venue since this process started; ledger and venue agree on the equity within 1 %.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from plimsoll.desk.ports import Ports
from plimsoll.desk.snapshot import holdings_of, max_price_age
from plimsoll.ledger import accounts, guarding, keys
from plimsoll.ledger.keys import Nav
from plimsoll.model import money
from plimsoll.model.account import Account
from plimsoll.model.errors import WorldFailure
from plimsoll.model.quote import Moment
from plimsoll.risk.guards.reading import Blind, Reading, agrees_with_venue, next_peak
from plimsoll.risk.limits import Limits
from plimsoll.risk.valuation import Holdings, Prices, Valuation, value_account


@dataclass(frozen=True, slots=True)
class BookView:
    """What only the books can change of a valuation; kept until they do."""

    version: int
    holdings: Holdings
    nav: Nav
    limits: Limits
    max_price_age: timedelta


def book_view(ports: Ports) -> BookView:
    """Read what the account has, unless the books are still those of the last time."""
    hot = ports.books.hot
    kept: BookView | None = ports.book_view
    if kept is not None and kept.version == hot.version:
        return kept
    with hot.lock:
        account: Account = hot.get(keys.account(ports.account_id))
        limits = accounts.limits_of(hot, account)
        holdings = holdings_of(hot, account, limits)
        age = max_price_age(limits, ports.board.facts)
        view = BookView(hot.version, holdings, guarding.nav_of(hot, account.id), limits, age)
    ports.book_view = view
    return view


def worth_of(ports: Ports, now: datetime) -> tuple[Valuation, Nav]:
    """Value the account by our own books, at the prices at hand."""
    view = book_view(ports)
    return value_account(view.holdings, Prices(ports.board.view(), now, view.max_price_age)), view.nav


def read(ports: Ports, worth: Valuation, nav: Nav, venue_equity: Decimal | None, now: datetime) -> Reading | Blind:
    """Turn a valuation into a reading, or say why it may not be trusted."""
    if not ports.reconciled:
        return Blind(now, "the book has not been found equal to the venue")
    if worth.equity is None:
        return Blind(now, f"no price in time for {', '.join(worth.unpriced)}")
    if nav.units <= 0:
        return Blind(now, "nothing was ever deposited")
    if venue_equity is None and ports.venue.facts.tells_equity:
        return Blind(now, "the venue cannot value the account")
    if not agrees_with_venue(worth.equity, venue_equity):
        theirs = "" if venue_equity is None else money.decimal_text(venue_equity)
        return Blind(now, f"we count {money.decimal_text(worth.equity)}, the venue {theirs}")
    value, confirmed = money.settle_quotient(worth.equity, nav.units), _bars_only(ports)
    # The peak in the books may lag behind by the readings that wait to be written; `Ports` remembers those.
    peak = max(nav.peak, ports.peak_seen)
    ports.peak_seen, ports.higher_seen = next_peak(peak, ports.higher_seen, value, now, confirmed=confirmed)
    return Reading(now, worth.equity, value, ports.peak_seen, confirmed)


def _bars_only(ports: Ports) -> bool:
    quotes = ports.board.view().values()
    return all(quote.moment is not Moment.LIVE for quote in quotes)


async def value_now(ports: Ports) -> Reading | Blind:
    """Take a reading, asking the venue for its own figure. A venue that does not answer makes blind, nothing else."""
    try:
        venue_equity = await ports.venue.equity(ports.account_id)
    except WorldFailure as failure:
        return Blind(ports.clock.now(), f"the venue does not answer: {failure}")
    now = ports.clock.now()
    worth, nav = worth_of(ports, now)
    return read(ports, worth, nav, venue_equity, now)
