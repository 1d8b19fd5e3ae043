"""Names in the hot state: one key per noun, so that nobody spells one by hand, and small values that live only here."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from plimsoll.model import money
from plimsoll.model.account import Scope
from plimsoll.model.entry import Entry
from plimsoll.model.ids import AccountId, BrokerOrderId, ClientOrderId, InstrumentId, PortfolioId, UserId
from plimsoll.model.position import Position, PositionKey
from plimsoll.model.trade import LateFee, TradeReport
from plimsoll.store.chain import GENESIS
from plimsoll.store.hot import HotKey

USER, ACCOUNT, PORTFOLIO, INSTRUMENT = "user", "account", "portfolio", "instrument"
ORDER, POSITION, BALANCE, HALT, BOT, META = "order", "position", "balance", "halt", "bot", "meta"
POLICY, PENDING, MAIN_PORTFOLIO, INSTRUMENTS_OF = "policy", "pending", "main", "instruments_of"
RECENT_ORDER, BOTS_OF = "recent_order", "bots_of"
#: What a token stands for; these are also the nouns under which the tokens' hashes are found.
SIGN_IN_LINK, SESSION, API_KEY = "sign_in_link", "session", "api_key"
BROKER, STRATEGY, ALIAS, TIER = "broker", "strategy", "alias", "tier"
IMPORTED, TOLD_OF = "imported", "told_of"
BREAK, EXTERNAL_ORDER, VENUE_POSITION = "break", "external_order", "venue_position"


def user(user_id: UserId) -> HotKey:
    return (USER, user_id)


def password(user_id: UserId) -> HotKey:
    return ("password", user_id)


def with_token(noun: str, user_id: UserId, uid: str) -> HotKey:
    """Name a link, a session or an API key, which stand together by their user."""
    return (noun, user_id, uid)


def token(noun: str, token_hash: str) -> HotKey:
    """In memory only: which link, session or API key has a token of this hash."""
    return ("token", noun, token_hash)


def account(account_id: AccountId) -> HotKey:
    return (ACCOUNT, account_id)


def portfolio(portfolio_id: PortfolioId) -> HotKey:
    return (PORTFOLIO, portfolio_id)


def instrument(instrument_id: InstrumentId) -> HotKey:
    return (INSTRUMENT, instrument_id)


def instrument_of(venue: str, instrument_id: InstrumentId) -> HotKey:
    """In memory only: the instruments of one venue, for listing."""
    return (INSTRUMENTS_OF, venue, instrument_id)


def spot_pair(venue: str, base: str, quote: str) -> HotKey:
    """In memory only: the spot instrument that prices one asset in another."""
    return ("spot_pair", venue, base, quote)


def metadata_at(instrument_id: InstrumentId) -> HotKey:
    return ("metadata_at", instrument_id)


def leverage(account_id: AccountId, instrument_id: InstrumentId) -> HotKey:
    return ("leverage", account_id, instrument_id)


def order(account_id: AccountId, client_order_id: ClientOrderId) -> HotKey:
    return (ORDER, account_id, client_order_id)


def position(account_id: AccountId, key: PositionKey) -> HotKey:
    return (POSITION, account_id, *key)


def balance(account_id: AccountId, portfolio_id: PortfolioId, pocket: str, asset: str) -> HotKey:
    return (BALANCE, account_id, portfolio_id, pocket, asset)


def halt(scope: Scope, scope_id: int, source: str) -> HotKey:
    return (HALT, scope, scope_id, source)


def broker(slug: str) -> HotKey:
    return (BROKER, "all", slug)


def strategy(user_id: UserId, name: str, version: int) -> HotKey:
    """Name a version of a strategy; all of one name stand together."""
    return (STRATEGY, (user_id, name), version)


def alias(venue: str, symbol: str, number: int) -> HotKey:
    """Name an alias; all that one name ever meant stand together."""
    return (ALIAS, (venue, symbol), number)


def tier(instrument_id: InstrumentId, number: int) -> HotKey:
    return (TIER, instrument_id, number)


def found_break(account_id: AccountId, what: str) -> HotKey:
    """Name an open break by its kind and subject; what ended is in the database."""
    return (BREAK, account_id, what)


def external_order(account_id: AccountId, instrument_id: InstrumentId, broker_order_id: BrokerOrderId) -> HotKey:
    """Name an order that is none of the book's, while it waits at the venue; one of our own prefix for ever."""
    return (EXTERNAL_ORDER, account_id, instrument_id, broker_order_id)


def venue_position(account_id: AccountId, instrument_id: InstrumentId, leg: str) -> HotKey:
    return (VENUE_POSITION, account_id, instrument_id, leg)


def bot(bot_id: int) -> HotKey:
    return (BOT, bot_id)


def bot_of(user_id: UserId, bot_id: int) -> HotKey:
    """In memory only: the bots of one user, for listing."""
    return (BOTS_OF, user_id, bot_id)


def chain(account_id: AccountId | int) -> HotKey:
    return ("chain", account_id)


def trade_cursor(account_id: AccountId) -> HotKey:
    return ("trade_cursor", account_id)


def movement_cursor(account_id: AccountId) -> HotKey:
    return ("movement_cursor", account_id)


def pnl_day(position: Position, day: str) -> HotKey:
    """In memory only: what a position earned on its latest day; older days are in the database."""
    return ("pnl_day", position.account_id, *position.key, day)


def pnl_latest(position: Position) -> HotKey:
    """In memory only: the latest day that a position has a row of, as far as it was asked for."""
    return ("pnl_latest", position.account_id, *position.key)


def nav(account_id: AccountId) -> HotKey:
    return ("nav", account_id)


def guard(account_id: AccountId, kind: str) -> HotKey:
    return ("guard", account_id, kind)


def policy(scope: Scope, scope_id: int) -> HotKey:
    return (POLICY, scope, scope_id)


def meta(name: str) -> HotKey:
    return (META, name)


def verdict(account_id: AccountId, user_id: UserId, intent_key: str) -> HotKey:
    """Fleeting: a verdict written by this group; older ones are in the database."""
    return ("verdict", account_id, user_id, intent_key)


def booked(told: TradeReport | LateFee) -> HotKey:
    """Fleeting: a trade with all its revisions, written by this group; older ones are in the database."""
    return ("booked", told.account_id, told.instrument_id, told.broker_trade_id)


def entry(entry: Entry) -> HotKey:
    """Fleeting: an entry written by this group; older ones are in the database."""
    return ("entry", *entry.key)


def posted(account_id: AccountId, reference: str, kind: str) -> HotKey:
    """Fleeting: the cash lines written by this group under a reference and kind; older ones are in the database."""
    return ("posted", account_id, reference, kind)


def last_split(account_id: AccountId, instrument_id: InstrumentId) -> HotKey:
    """In memory only: where the last split of an instrument stands in the fold, for trades that come after it."""
    return ("last_split", account_id, instrument_id)


def waiting_fees(account_id: AccountId) -> HotKey:
    """Name the late fees of an account whose trades have not come yet."""
    return meta(waiting_fees_name(account_id))


def waiting_fees_name(account_id: AccountId) -> str:
    return f"waiting_fees:{account_id}"


def recent_order(account_id: AccountId, slot: int, what: tuple[object, ...]) -> HotKey:
    """In memory only: when an order like this was made last, for control 45. A restart takes longer than its window."""
    return (RECENT_ORDER, (account_id, slot), what)


def recent_slot(account_id: AccountId) -> HotKey:
    """In memory only: the newest slot of recent orders."""
    return ("recent_slot", account_id)


def pending(account_id: AccountId, instrument_id: InstrumentId) -> HotKey:
    """In memory only: what live orders of an instrument add up to."""
    return (PENDING, account_id, instrument_id)


def reserved(account_id: AccountId, asset: str) -> HotKey:
    """In memory only: what live orders hold back of an asset."""
    return ("reserved", account_id, asset)


def closing(account_id: AccountId, key: PositionKey) -> HotKey:
    """In memory only: what closing orders in flight will take from a position."""
    return ("closing", account_id, *key)


def selling(account_id: AccountId, key: PositionKey) -> HotKey:
    """In memory only: what all live sales of a position may still take from it."""
    return ("selling", account_id, *key)


def main_portfolio(account_id: AccountId) -> HotKey:
    """In memory only: which portfolio of an account is `main`."""
    return (MAIN_PORTFOLIO, account_id)


def imported(user_id: UserId, portfolio_id: PortfolioId) -> HotKey:
    """In memory only: the imported portfolios that a user is shown, for listing."""
    return (IMPORTED, user_id, portfolio_id)


def told_of(symbol: str, instrument_id: InstrumentId) -> HotKey:
    """In memory only: the instruments that imported books know under a symbol, whatever their venue."""
    return (TOLD_OF, symbol, instrument_id)


def chain_key() -> HotKey:
    """In memory only: the key of the chain, which the database must not hold."""
    return ("chain_key",)


#: Kinds that have no table: not compared with the database.
IN_MEMORY_ONLY = frozenset(
    {
        "recent_order",
        "recent_slot",
        "pending",
        "reserved",
        "closing",
        "selling",
        "chain_key",
        "main",
        "instruments_of",
        "imported",
        "told_of",
        "bots_of",
        "spot_pair",
        "pnl_day",
        "pnl_latest",
        "token",
        "last_split",
    }
)


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The last link of an account's chain."""

    seq: int = 0
    link: str = GENESIS


@dataclass(frozen=True, slots=True)
class Nav:
    """Equity as units of a fund: a deposit buys units at today's value, so it is neither profit nor a new peak."""

    units: Decimal = money.ZERO
    #: The highest value of one unit that a trusted reading ever saw.
    peak: Decimal = Decimal(1)
    peak_at: datetime | None = None
    #: The value of one unit at the last trusted reading.
    last: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class Pending:
    """What the live orders of one account and instrument add up to."""

    #: Values of what opening orders may still fill, in the account's currency, unsigned.
    buys: Decimal = money.ZERO
    sells: Decimal = money.ZERO
    #: How many live orders there are, and how many of them are of unknown fate.
    live: int = 0
    unknown: int = 0
