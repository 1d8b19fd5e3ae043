"""Money and coins that come in from outside or go there: they buy and sell units, so they are no profit and no loss.

How many units a flow moves is known only where the account and the flow can be valued, at the moment when it is booked.
Where they cannot, nothing is booked: the caller comes again. Money in the account's own currency needs no price of its
own; it waits only while the account holds something that has none, for then nobody knows what a unit costs.

What if more goes out than the book knows of? It went, so it is booked. No unit is left then, the account cannot be
valued in units, and what comes in next begins anew: a drawdown that nobody suffered would close everything.
What if coins come in? They stand in the position of their pair with the account's currency at a cost that nobody knows,
and those that go leave it, as far as it has them; what strategies hold is theirs. A position below zero would be
bought back by whoever closes it.
"""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from plimsoll.desk.ports import Ports
from plimsoll.desk.snapshot import holdings_of, max_price_age
from plimsoll.ledger import accounts, cash, guarding, keys
from plimsoll.ledger.book_cash import post_event
from plimsoll.ledger.corporate import book_entry
from plimsoll.ledger.fold import position_of_entry
from plimsoll.ledger.keys import Nav
from plimsoll.ledger.log import Note, write_note
from plimsoll.ledger.refold import stored_position
from plimsoll.ledger.trades import Booking
from plimsoll.model import money
from plimsoll.model.account import Account
from plimsoll.model.cash import SPOT, CashEvent, CashLine
from plimsoll.model.entry import Entry, EntryKind
from plimsoll.model.errors import CommandRefused, Refusal
from plimsoll.model.instrument import Instrument
from plimsoll.model.money import decimal_text
from plimsoll.risk.guards.reading import Reading
from plimsoll.risk.guards.turns import Occasion
from plimsoll.risk.valuation import Prices, rate_of, value_account
from plimsoll.store.draft import Draft


async def book_flow(ports: Ports, event: CashEvent, actor: str) -> Booking:
    """Book a deposit or a withdrawal; a reference counts once.

    Refuses: a flow of an account that cannot be valued now, or of an asset that has no price
    """
    now, quotes, source = ports.clock.now(), ports.board.quotes(), ports.board.facts

    def unit(draft: Draft) -> tuple[Booking, Nav | None]:
        before = cash.find(draft, event.account_id, event.reference, event.kind)
        if before:
            return _told_again(draft, event, before, actor, now), None
        account: Account = draft.get(keys.account(event.account_id))
        # Valued in here: a deposit or a fill just before this one has changed what a unit is worth.
        limits = accounts.limits_of(draft, account)
        prices = Prices(quotes, now, max_price_age(limits, source))
        flowed = _units_moved(draft, account, event, prices)
        post_event(draft, event, now)
        _move_coins(draft, account, event, now)
        details = {"kind": event.kind.value, "amount": decimal_text(event.amount), "currency": event.asset}
        details |= {"reference": event.reference}
        write_note(draft, Note(account.id, actor, "CREATE", "ACCOUNT", account.uid, now, details))
        return Booking.BOOKED, flowed

    became: Booking
    flowed: Nav | None
    became, flowed = await ports.books.write(unit)
    if flowed is not None and flowed.peak_at == now:
        # The peak began anew: what was read before it would make the first look at the new units a loss.
        ports.peak_seen, ports.higher_seen = flowed.peak, None
    return became


def as_booked(event: CashEvent, before: tuple[CashLine, ...]) -> CashEvent:
    """Give an event to whom it was booked first, and when: what must not differ is what moved.

    Whose it is was decided by what was held at that moment; a venue's stream and its history may tell its time with
    another precision.
    """
    first = before[0]
    return replace(event, portfolio_id=first.portfolio_id, strategy_id=first.strategy_id, leg=first.leg, at=first.at)


def _told_again(draft: Draft, event: CashEvent, before: tuple[CashLine, ...], actor: str, now: datetime) -> Booking:
    became = post_event(draft, as_booked(event, before), now)
    if became is Booking.CONTRADICTED:
        details = {"kind": event.kind.value, "amount": decimal_text(event.amount), "currency": event.asset}
        write_note(draft, Note(event.account_id, actor, "REJECT", "CASH", event.reference, now, details))
    return became


def _units_moved(draft: Draft, account: Account, event: CashEvent, prices: Prices) -> Nav:
    """Value the account without the flow, and write what it has of units with it."""
    nav = guarding.nav_of(draft, account.id)
    holdings = holdings_of(draft, account, accounts.limits_of(draft, account), also=(event.asset,))
    worth, rate = value_account(holdings, prices), rate_of(event.asset, holdings, prices)
    if rate is None or (nav.units > 0 and worth.equity is None):
        raise _cannot_be_valued(event, worth.unpriced if rate is not None else (event.asset,))
    (line,) = event.lines()
    amount = line.amount if rate == 1 else money.settle_product(line.amount, rate)
    flowed = with_flow(nav, worth.equity, amount, prices.now)
    guarding.write_nav(draft, account.id, flowed, prices.now)
    after = amount if worth.equity is None else worth.equity + amount
    reading = Reading(prices.now, after, flowed.last, max(flowed.peak, flowed.last), confirmed=False)
    guarding.write_snapshot(draft, account.id, reading, Occasion.FLOW)
    return flowed


def with_flow(nav: Nav, equity: Decimal | None, amount: Decimal, now: datetime) -> Nav:
    """Buy units for a deposit (or sell some for a negative amount) at the value of one before the flow.

    Where a unit is worth nothing, none can be bought: what is there after the flow makes units of one each, and the
    peak begins anew. While that is a debt, everything stays as it is. Where all that is there goes out, or more, no
    unit is left.
    """
    if nav.units > 0 and equity is not None and equity > 0:
        value = money.settle_quotient(equity, nav.units)
        units = nav.units + money.settle_quotient(amount, value)
        # Of the last rounded place of a unit nothing is left either.
        left = units if equity + amount > 0 else money.ZERO
        return replace(nav, units=max(left, money.ZERO), last=value)
    after = amount if equity is None else equity + amount
    return Nav(units=after, peak=Decimal(1), peak_at=now, last=Decimal(1)) if after > 0 else nav


def _move_coins(draft: Draft, account: Account, event: CashEvent, now: datetime) -> None:
    """Let coins stand in the position of their pair, or leave it."""
    if event.asset == account.base_currency or event.pocket != SPOT:
        return
    pair: Instrument | None = draft.get(keys.spot_pair(account.broker, event.asset, account.base_currency))
    if pair is None:
        return
    (line,) = event.lines()
    kind = EntryKind.IN if line.amount > 0 else EntryKind.OUT
    place = (account.id, event.portfolio_id, pair.id, event.strategy_id, "")
    entry = Entry(*place, kind, event.amount, event.reference, event.at)
    if kind is EntryKind.OUT:
        held = stored_position(draft, position_of_entry(entry)).quantity
        if held <= 0:
            return
        entry = replace(entry, quantity=min(held, event.amount))
    book_entry(draft, entry, now)


def _cannot_be_valued(event: CashEvent, unpriced: tuple[str, ...]) -> CommandRefused:
    return CommandRefused(
        Refusal(
            "cannot_evaluate",
            f"the account cannot be valued, so nobody knows how many units the {event.kind.lower()} moves",
            observed=", ".join(dict.fromkeys(unpriced)),
            remedy="wait for a price of everything it holds",
        )
    )
