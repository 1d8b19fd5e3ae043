"""The first rows of an account, and money that comes in from outside."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from plimsoll.desk.ports import Ports
from plimsoll.desk.snapshot import holdings_of, max_price_age
from plimsoll.ledger import accounts, bots, cash, guarding, keys, tiers
from plimsoll.ledger.bots import BotRecord
from plimsoll.ledger.keys import Nav
from plimsoll.ledger.log import Note, tell, write_note
from plimsoll.model import money
from plimsoll.model.account import Account, Portfolio, User
from plimsoll.model.cash import CashKind, CashLine
from plimsoll.model.errors import CommandRefused, Refusal
from plimsoll.model.event import Event, EventKind
from plimsoll.model.ids import InstrumentId
from plimsoll.model.instrument import Instrument
from plimsoll.model.money import decimal_text
from plimsoll.risk.guards.reading import Reading
from plimsoll.risk.guards.turns import Occasion
from plimsoll.risk.valuation import Prices, Valuation, value_account
from plimsoll.store.draft import Draft


@dataclass(frozen=True, slots=True)
class NewAccount:
    """Everything that an account starts with."""

    user: User
    account: Account
    main: Portfolio
    instruments: Sequence[Instrument]
    leverages: Sequence[tuple[InstrumentId, Decimal]] = ()
    bots: Sequence[BotRecord] = ()


def open_account(draft: Draft, new: NewAccount, now: datetime) -> None:
    """Write an account with its user, portfolio, instruments and bots; one unit, one note."""
    accounts.write_user(draft, new.user)
    accounts.write_account(draft, new.account)
    accounts.write_portfolio(draft, new.main)
    for instrument in new.instruments:
        accounts.write_instrument(draft, instrument, now)
        tiers.write_known(draft, instrument, now)
    for instrument_id, leverage in new.leverages:
        accounts.write_leverage(draft, new.account.id, instrument_id, leverage)
    for bot in new.bots:
        bots.write(draft, bot)
    details = {"name": new.account.name, "broker": new.account.broker, "prices": new.account.price_source}
    note = Note(new.account.id, f"user:{new.user.id}", "CREATE", "ACCOUNT", new.account.uid, now, details)
    write_note(draft, note)


async def deposit(ports: Ports, amount: Decimal, *, pocket: str, reference: str, actor: str) -> bool:
    """Book money in the account's currency that came in; a reference counts once. Say whether it was new.

    The deposit buys units at today's value of one, so it is neither profit nor a new peak.

    Refuses: a deposit into an account that holds something and cannot be valued now
    """
    now, quotes, source = ports.clock.now(), ports.board.quotes(), ports.board.facts

    def unit(draft: Draft) -> Nav | None:
        account: Account = draft.get(keys.account(ports.account_id))
        # Valued in here: a deposit or a fill just before this one has changed what a unit is worth of.
        limits, nav = accounts.limits_of(draft, account), guarding.nav_of(draft, account.id)
        prices = Prices(quotes, now, max_price_age(limits, source))
        worth = value_account(holdings_of(draft, account, limits), prices)
        if nav.units > 0 and worth.equity is None:
            raise _cannot_be_valued(worth)
        main = draft.get(keys.main_portfolio(account.id))
        line = CashLine(account.id, main, pocket, account.base_currency, CashKind.DEPOSIT, amount, reference, now)
        if not cash.post_once(draft, [line]):
            return None
        flowed = with_flow(nav, worth.equity, amount, now)
        guarding.write_nav(draft, account.id, flowed, now)
        after = amount if worth.equity is None else worth.equity + amount
        reading = Reading(now, after, flowed.last, max(flowed.peak, flowed.last), confirmed=False)
        guarding.write_snapshot(draft, account.id, reading, Occasion.FLOW)
        details = {"amount": decimal_text(amount), "currency": account.base_currency, "reference": reference}
        write_note(draft, Note(account.id, actor, "CREATE", "ACCOUNT", account.uid, now, details))
        tell(draft, Event(EventKind.CASH_BOOKED, account.id, now, details))
        return flowed

    flowed: Nav | None = await ports.books.write(unit)
    if flowed is not None and flowed.peak_at == now:
        # The peak began anew: what was read before it would make the first look at the new units a loss.
        ports.peak_seen, ports.higher_seen = flowed.peak, None
    return flowed is not None


def _cannot_be_valued(worth: Valuation) -> CommandRefused:
    return CommandRefused(
        Refusal(
            "cannot_evaluate",
            "the account cannot be valued, so nobody knows how many units the deposit buys",
            observed=", ".join(worth.unpriced),
            remedy="wait for a price of everything it holds",
        )
    )


def with_flow(nav: Nav, equity: Decimal | None, amount: Decimal, now: datetime) -> Nav:
    """Buy units for a deposit (or sell some for a negative amount) at the value of one before the flow.

    Where a unit is worth nothing, none can be bought: what is there after the flow makes units of one each, and the
    peak begins anew. While that is a debt, everything stays as it is.
    """
    if nav.units > 0 and equity is not None and equity > 0:
        value = money.settle_quotient(equity, nav.units)
        return replace(nav, units=nav.units + money.settle_quotient(amount, value), last=value)
    after = amount if equity is None else equity + amount
    return Nav(units=after, peak=Decimal(1), peak_at=now, last=Decimal(1)) if after > 0 else nav
