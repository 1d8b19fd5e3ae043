"""Who and what the desk knows: users, accounts, portfolios, instruments, and the small settings that belong to them."""

import json
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache

from plimsoll.ledger import keys
from plimsoll.ledger.cells import text_or_null, time_or_none
from plimsoll.ledger.log import json_text
from plimsoll.model.account import Account, AccountStatus, Halt, Mode, Portfolio, Scope, TradingState, User
from plimsoll.model.clock import time_text
from plimsoll.model.ids import AccountId, InstrumentId, PortfolioId, StrategyId, UserId
from plimsoll.model.instrument import AssetType, Instrument
from plimsoll.model.money import decimal_text
from plimsoll.risk.limits import PROFILES, Limits
from plimsoll.store.draft import Draft, Row
from plimsoll.store.hot import HotKey, Memory

#: Every account has a portfolio of this name; what belongs to nobody goes there.
MAIN = "main"

#: What an imported book is kept at instead of a broker: nobody trades on it.
STATEMENT = "statement"
#: Accounts, portfolios and instruments that imports make are numbered behind this; a desk counts its own from 1.
IMPORTED_BEHIND = 1_000_000


def user_from_row(row: Row) -> User:
    """Read a user back."""
    number, uid, name, role, approved, active, approved_at, approved_by, telegram, deleted_at = row
    return User(
        UserId(int(number or 0)),
        str(uid),
        str(name),
        str(role),
        bool(approved),
        bool(active),
        time_or_none(approved_at),
        UserId(int(approved_by)) if approved_by else None,
        None if telegram is None else str(telegram),
        time_or_none(deleted_at),
    )


def write_user(draft: Draft, user: User) -> None:
    """Write a user."""
    draft.put(keys.user(user.id), user)
    cells = (
        user.id,
        user.uid,
        user.name,
        user.role,
        int(user.approved),
        int(user.active),
        text_or_null(user.approved_at),
        user.approved_by_user_id,
        user.telegram_user_id,
        text_or_null(user.deleted_at),
    )
    draft.replace("users", user.id, cells)


def account_from_row(row: Row) -> Account:
    """Read an account back."""
    number, uid, user, name, broker, mode, base, source, profile, account_uid, status, deleted_at = row
    return Account(
        AccountId(int(number or 0)),
        str(uid),
        UserId(int(user or 0)),
        str(name),
        str(broker),
        Mode(str(mode)),
        str(base),
        str(source),
        str(profile),
        None if account_uid is None else str(account_uid),
        AccountStatus(str(status)),
        time_or_none(deleted_at),
    )


def write_account(draft: Draft, account: Account) -> None:
    """Write an account."""
    draft.put(keys.account(account.id), account)
    cells = (
        account.id,
        account.uid,
        account.user_id,
        account.name,
        account.broker,
        account.mode,
        account.base_currency,
        account.price_source,
        account.profile,
        account.account_uid,
        account.status,
        text_or_null(account.deleted_at),
    )
    draft.replace("accounts", account.id, cells)


def portfolio_from_row(row: Row) -> Portfolio:
    """Read a portfolio back."""
    number, uid, account, user, name, deleted_at = row
    return Portfolio(
        PortfolioId(int(number or 0)),
        str(uid),
        AccountId(int(account or 0)),
        UserId(int(user or 0)),
        str(name),
        time_or_none(deleted_at),
    )


def write_portfolio(draft: Draft, portfolio: Portfolio) -> None:
    """Write a portfolio."""
    draft.put(keys.portfolio(portfolio.id), portfolio)
    if portfolio.name == MAIN:
        draft.put(keys.main_portfolio(portfolio.account_id), portfolio.id)
    ids = (portfolio.id, portfolio.uid, portfolio.account_id, portfolio.user_id)
    draft.replace("portfolios", portfolio.id, (*ids, portfolio.name, text_or_null(portfolio.deleted_at)))


def instrument_from_row(row: Row) -> Instrument:
    """Read an instrument back."""
    number, symbol, venue, asset_type, base, quote, settle = row[:7]
    tick, lot, min_quantity, min_notional, multiplier, inverse, tradable, max_leverage, _updated, pip_size = row[7:]
    return Instrument(
        InstrumentId(int(number or 0)),
        str(symbol),
        str(venue),
        AssetType(str(asset_type)),
        str(base),
        str(quote),
        str(settle),
        Decimal(str(tick)),
        Decimal(str(lot)),
        Decimal(str(min_quantity)),
        Decimal(str(min_notional)),
        Decimal(str(multiplier)),
        bool(inverse),
        bool(tradable),
        Decimal(str(max_leverage)),
        None if pip_size is None else Decimal(str(pip_size)),
    )


def instrument_keys(instrument: Instrument) -> list[HotKey]:
    """Name every place in memory where an instrument is looked for."""
    names = [keys.instrument(instrument.id), keys.instrument_of(instrument.venue, instrument.id)]
    if not instrument.is_derivative:
        names.append(keys.spot_pair(instrument.venue, instrument.base, instrument.quote))
    return names


def write_instrument(draft: Draft, instrument: Instrument, at: datetime) -> None:
    """Write an instrument as its venue described it at a time."""
    for key in instrument_keys(instrument):
        draft.put(key, instrument)
    draft.put(keys.metadata_at(instrument.id), at)
    cells = (
        instrument.id,
        instrument.symbol,
        instrument.venue,
        instrument.asset_type,
        instrument.base,
        instrument.quote,
        instrument.settle,
        decimal_text(instrument.tick_size),
        decimal_text(instrument.lot_size),
        decimal_text(instrument.min_quantity),
        decimal_text(instrument.min_notional),
        decimal_text(instrument.multiplier),
        int(instrument.inverse),
        int(instrument.tradable),
        decimal_text(instrument.max_leverage),
        time_text(at),
        None if instrument.pip_size is None else decimal_text(instrument.pip_size),
    )
    draft.replace("instruments", instrument.id, cells)


def write_leverage(draft: Draft, account_id: AccountId, instrument_id: InstrumentId, leverage: Decimal) -> None:
    """Write the leverage chosen for a symbol."""
    key = keys.leverage(account_id, instrument_id)
    draft.put(key, leverage)
    draft.replace("leverages", key, (account_id, instrument_id, decimal_text(leverage)))


def write_halt(draft: Draft, halt: Halt, since: datetime) -> None:
    """Write one source's state for a scope; ACTIVE takes it out of force."""
    key = keys.halt(halt.scope, halt.scope_id, halt.source)
    draft.put(key, None if halt.state is TradingState.ACTIVE else halt)
    cells = (halt.scope, halt.scope_id, halt.source, halt.state, halt.reason, int(halt.latched), time_text(since))
    draft.replace("halts", key, cells)


def halt_from_row(row: Row) -> Halt:
    """Read a halt back."""
    scope, scope_id, source, state, reason, latched, _since = row
    return Halt(
        Scope(str(scope)), int(scope_id or 0), str(source), TradingState(str(state)), str(reason), bool(latched)
    )


def halts_over(
    memory: Memory, account: Account, portfolio_id: PortfolioId | None = None, strategy_id: StrategyId | None = None
) -> list[Halt]:
    """List every halt in force over an account, its user and the desk, and over the parts of it that are named."""
    binding: list[tuple[Scope, int | None]] = [
        (Scope.DESK, 0),
        (Scope.USER, account.user_id),
        (Scope.ACCOUNT, account.id),
        (Scope.PORTFOLIO, portfolio_id),
        (Scope.STRATEGY, strategy_id),
    ]
    return [halt for scope, scope_id in binding for halt in memory.shelf(keys.HALT, scope) if halt.scope_id == scope_id]


#: Limits changed by policy, as they are written: name to text; seconds for times.
PolicyConfig = dict[str, str | None]
#: (version, the config's items in order), as it is kept in memory.
Policy = tuple[int, tuple[tuple[str, str | None], ...]]


def write_policy(draft: Draft, account_id: AccountId, config: PolicyConfig, version: int) -> None:
    """Write the policy of an account: the limits that differ from its profile's."""
    draft.put(keys.policy(Scope.ACCOUNT, account_id), (version, tuple(sorted(config.items()))))
    row_id = draft.next_id("risk_policies")
    cells = (row_id, Scope.ACCOUNT, account_id, version, json_text(config), None, None)
    draft.replace("risk_policies", row_id, cells)


def policy_from_row(row: Row) -> Policy:
    """Read a policy back."""
    return int(row[3] or 0), tuple(sorted(json.loads(str(row[4])).items()))


def limits_of(memory: Memory, account: Account) -> Limits:
    """Give the limits of an account: its profile, changed by its policy."""
    policy: Policy | None = memory.get(keys.policy(Scope.ACCOUNT, account.id))
    return PROFILES[account.profile] if policy is None else _changed(account.profile, policy)


@lru_cache(maxsize=1024)  # asked for every order, and a policy seldom changes
def _changed(name: str, policy: Policy) -> Limits:
    profile = PROFILES[name]
    changes: dict[str, Decimal | timedelta | None] = {}
    for limit, text in policy[1]:
        if text is None:
            changes[limit] = None
        elif isinstance(getattr(profile, limit, None), timedelta):
            changes[limit] = timedelta(seconds=int(text))
        else:
            changes[limit] = Decimal(text)
    return profile.widened(**changes)
