"""The desk's books as the scribe sees them: which tables there are, how memory is filled, how a unit is sealed."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from plimsoll.ledger import (
    accounts,
    bots,
    breaks,
    brokers,
    cash,
    entries,
    external_orders,
    guarding,
    instrument_names,
    keys,
    log,
    orders,
    people,
    positions,
    strategies,
    tiers,
    venue_positions,
)
from plimsoll.ledger.accounts import IMPORTED_BEHIND, STATEMENT
from plimsoll.ledger.keys import ChainHead
from plimsoll.ledger.queries import NUMBERED, NUMBERED_BY_DESK
from plimsoll.ledger.schema import WRITE_ORDER
from plimsoll.model.account import Scope, TradingState
from plimsoll.model.clock import parse_time
from plimsoll.model.ids import AccountId, InstrumentId
from plimsoll.store.connection import WriterConnection
from plimsoll.store.draft import Draft
from plimsoll.store.hot import HotKey
from plimsoll.store.scribe import HEADS, Heads

Hot = dict[HotKey, Any]


class LedgerBooks:
    """The desk's books. The chain's key comes from outside the database."""

    tables: Sequence[str] = WRITE_ORDER

    def __init__(self, chain_key: bytes) -> None:
        self._chain_key = chain_key

    def seal(self, draft: Draft) -> None:
        """Link the unit and number its events."""
        log.seal(draft)

    def load(self, connection: WriterConnection) -> Mapping[HotKey, Any]:
        """Read everything that lives in memory: small tables whole, orders only while they live."""
        hot: Hot = {keys.chain_key(): self._chain_key}
        heads = connection.find("all_heads", ())
        hot[HEADS] = Heads(int(heads[0][1] or 0), int(heads[0][2] or 0)) if heads else Heads()
        _load_people_and_things(hot, connection)
        _load_catalogues(hot, connection)
        _load_ways_in(hot, connection)
        _load_venues_word(hot, connection)
        _load_books(hot, connection)
        _load_risk(hot, connection)
        _load_counters(hot, connection)
        return hot


def _load_people_and_things(hot: Hot, connection: WriterConnection) -> None:
    for row in connection.find("all_users", ()):
        user = accounts.user_from_row(row)
        hot[keys.user(user.id)] = user
    for row in connection.find("all_accounts", ()):
        account = accounts.account_from_row(row)
        hot[keys.account(account.id)] = account
    for row in connection.find("all_portfolios", ()):
        portfolio = accounts.portfolio_from_row(row)
        hot[keys.portfolio(portfolio.id)] = portfolio
        if portfolio.name == accounts.MAIN:
            hot[keys.main_portfolio(portfolio.account_id)] = portfolio.id
        if portfolio.deleted_at is None and hot[keys.account(portfolio.account_id)].broker == STATEMENT:
            hot[keys.imported(portfolio.user_id, portfolio.id)] = portfolio
    for row in connection.find("all_instruments", ()):
        instrument = accounts.instrument_from_row(row)
        hot.update(dict.fromkeys(accounts.instrument_keys(instrument), instrument))
        if instrument.id > IMPORTED_BEHIND:
            hot[keys.told_of(instrument.symbol, instrument.id)] = instrument
        hot[keys.metadata_at(instrument.id)] = parse_time(str(row[15]))
    for row in connection.find("all_bots", ()):
        bot = bots.from_row(row)
        owner = hot[keys.portfolio(bot.portfolio_id)].user_id
        hot[keys.bot(bot.id)] = hot[keys.bot_of(owner, bot.id)] = bot
        hot[("id", "bots")] = bot.id  # they come in the order of their ids
    for row in connection.find("all_meta", ()):
        hot[keys.meta(str(row[0]))] = str(row[1])


def _load_catalogues(hot: Hot, connection: WriterConnection) -> None:
    for row in connection.find("all_brokers", ()):
        listed = brokers.from_row(row)
        hot[keys.broker(listed.broker.slug)] = listed
    for row in connection.find("all_strategies", ()):
        made = strategies.from_row(row)
        hot[keys.strategy(made.user_id, made.name, made.version)] = made
    for row in connection.find("all_instrument_aliases", ()):
        alias = instrument_names.alias_from_row(row)
        hot[keys.alias(alias.venue, alias.symbol, alias.id)] = alias
    for row in connection.find("all_margin_tiers", ()):
        instrument_id, number, tier = tiers.from_row(row)
        hot[keys.tier(instrument_id, number)] = (number, tier)


def _load_venues_word(hot: Hot, connection: WriterConnection) -> None:
    for row in connection.find("all_venue_positions", ()):
        held = venue_positions.from_row(row)
        hot[keys.venue_position(held.account_id, held.instrument_id, held.leg)] = held
    for row in connection.find("external_orders_in_memory", ()):
        order = external_orders.from_row(row)
        hot[keys.external_order(order.account_id, order.instrument_id, order.broker_order_id)] = order
    for row in connection.find("open_breaks", ()):
        found = breaks.from_row(row)
        hot[keys.found_break(found.account_id, found.found.name)] = found


def _load_ways_in(hot: Hot, connection: WriterConnection) -> None:
    for row in connection.find("all_passwords", ()):
        password = people.password_from_row(row)
        hot[keys.password(password.user_id)] = password
    for row in connection.find("live_sign_in_links", ()):
        hot.update(people.places(keys.SIGN_IN_LINK, people.link_from_row(row)))
    for row in connection.find("live_sessions", ()):
        hot.update(people.places(keys.SESSION, people.session_from_row(row)))
    for row in connection.find("live_api_keys", ()):
        hot.update(people.places(keys.API_KEY, people.key_from_row(row)))


def _load_books(hot: Hot, connection: WriterConnection) -> None:
    live = [orders.from_row(row) for row in connection.find("live_orders", ())]
    for order in live:
        hot[keys.order(order.intent.account_id, order.client_order_id)] = order
    hot.update(orders.sums(live))
    for row in connection.find("all_positions", ()):
        position = positions.from_row(row)
        hot[keys.position(position.account_id, position.key)] = position
    for row in connection.find("all_balances", ()):
        balance = cash.balance_from_row(row)
        hot[keys.balance(balance.account_id, balance.portfolio_id, balance.pocket, balance.asset)] = balance
    for row in connection.find("splits", ()):
        split = entries.from_row(row)
        place = keys.last_split(split.account_id, split.instrument_id)
        hot[place] = max(hot.get(place, split.fold_key), split.fold_key)
    for account, cursor in connection.find("all_trade_cursors", ()):
        hot[keys.trade_cursor(AccountId(int(account or 0)))] = cursor
    for account, cursor in connection.find("all_movement_cursors", ()):
        hot[keys.movement_cursor(AccountId(int(account or 0)))] = cursor


def _load_risk(hot: Hot, connection: WriterConnection) -> None:
    for account, instrument, leverage in connection.find("all_leverages", ()):
        key = keys.leverage(AccountId(int(account or 0)), InstrumentId(int(instrument or 0)))
        hot[key] = Decimal(str(leverage))
    for row in connection.find("all_nav", ()):
        hot[keys.nav(AccountId(int(row[0] or 0)))] = guarding.nav_from_row(row)
    for row in connection.find("all_halts", ()):
        halt = accounts.halt_from_row(row)
        if halt.state is not TradingState.ACTIVE:
            hot[keys.halt(halt.scope, halt.scope_id, halt.source)] = halt
    for row in connection.find("guard_episodes", ()):
        kind, episode = guarding.episode_from_row(row)
        hot[keys.guard(AccountId(int(row[0] or 0)), kind)] = episode
    for row in connection.find("policies", ()):
        hot[keys.policy(Scope(str(row[1])), int(row[2] or 0))] = accounts.policy_from_row(row)


def _load_counters(hot: Hot, connection: WriterConnection) -> None:
    every = [accounts.account_from_row(row) for row in connection.find("all_accounts", ())]
    # The rows of what was brought along are numbered, and linked, by themselves: nothing goes on behind them.
    account_ids = [account.id for account in every if account.broker != STATEMENT]
    for table in ("accounts", "portfolios", "instruments"):
        numbers = (int(row[0] or 0) for row in connection.find(f"all_{table}", ()))
        hot[("id", table)] = max([IMPORTED_BEHIND, *numbers])
    for table in NUMBERED:
        largest = [connection.find(f"max_{table}_id", (account_id,))[0][0] for account_id in account_ids]
        hot[("id", table)] = max((int(number) for number in largest if number is not None), default=0)
    for table in NUMBERED_BY_DESK:
        hot[("id", table)] = int(connection.find(f"max_{table}_id", ())[0][0] or 0)
    for account_id in (0, *account_ids):
        for seq, link in connection.find("chain_head", (account_id,)):
            hot[keys.chain(account_id)] = ChainHead(int(seq or 0), str(link))


def write_meta(draft: Draft, name: str, value: str) -> None:
    """Write a named fact about the desk itself."""
    draft.put(keys.meta(name), value)
    draft.replace("meta", name, (name, value))
