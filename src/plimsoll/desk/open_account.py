"""The first rows of an account, and money that comes in from outside."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from plimsoll.desk.book_flow import book_flow
from plimsoll.desk.ports import Ports
from plimsoll.ledger import accounts, bots, keys, tiers
from plimsoll.ledger.bots import BotRecord
from plimsoll.ledger.log import Note, write_note
from plimsoll.ledger.trades import Booking
from plimsoll.model.account import Account, Portfolio, User
from plimsoll.model.cash import CashEvent, CashKind
from plimsoll.model.ids import InstrumentId, PortfolioId
from plimsoll.model.instrument import Instrument
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
    hot, now = ports.books.hot, ports.clock.now()
    account: Account = hot.get(keys.account(ports.account_id))
    main: PortfolioId = hot.get(keys.main_portfolio(account.id))
    event = CashEvent(account.id, main, CashKind.DEPOSIT, account.base_currency, amount, reference, now, pocket)
    return await book_flow(ports, event, actor) is Booking.BOOKED
