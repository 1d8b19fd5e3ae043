"""The account as the gate sees it: built inside the unit that reserves, so that no two orders see the same money."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from plimsoll.ledger import accounts, guarding, keys
from plimsoll.ledger.keys import Pending
from plimsoll.model import money
from plimsoll.model.account import Account, Halt, TradingState
from plimsoll.model.clock import EPOCH
from plimsoll.model.ids import AccountId, InstrumentId
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import Intent, Side
from plimsoll.model.position import Position
from plimsoll.model.quote import Quote, SourceFacts
from plimsoll.model.venue import VenueFacts
from plimsoll.risk.conversion import BRIDGES
from plimsoll.risk.gate.snapshot import Snapshot, leg_of
from plimsoll.risk.gate.verdict import leverage_cap
from plimsoll.risk.limits import Limits
from plimsoll.risk.valuation import (
    NOTHING_BOUND,
    Bound,
    Holdings,
    Prices,
    Valuation,
    bound_in,
    rate_of,
    value_account,
)
from plimsoll.store.draft import Draft
from plimsoll.store.hot import Memory


@dataclass(frozen=True, slots=True)
class MarketView:
    """What the desk saw of the world when it asked; the unit may run in another thread and sees nothing newer."""

    now: datetime
    quotes: Mapping[InstrumentId, Quote]
    source: SourceFacts
    venue: VenueFacts
    fee_ratio: Decimal
    reconciled: bool
    parity_difference: int = 0
    #: The guard cannot trust the account's value (ledger and venue differ, a price is too old): nothing opens on it.
    blind: bool = False
    #: What this process holds itself to because it could not be written down.
    memory_state: TradingState = TradingState.ACTIVE


def max_price_age(limits: Limits, source: SourceFacts) -> timedelta:
    """Give how old a price may be for valuing a holding: the class limit, or 1.5 × the declared interval if longer."""
    return limits.max_price_age if source.interval is None else max(limits.max_price_age, source.interval * 3 / 2)


def leverage_of(memory: Memory, account_id: AccountId, instrument: Instrument, limits: Limits) -> Decimal:
    """Give the divisor of a symbol's margin: the leverage chosen, else the profile's; 1 on spot."""
    if not instrument.is_derivative:
        return Decimal(1)
    chosen: Decimal | None = memory.get(keys.leverage(account_id, instrument.id))
    return min(limits.unset_leverage, leverage_cap(instrument, limits)) if chosen is None else chosen


def holdings_of(memory: Memory, account: Account, limits: Limits, *, also: Iterable[str] = ()) -> Holdings:
    """Read what an account has, with the instruments that price it, and `also` some more assets.

    On the published state the caller holds its lock.
    """
    positions: list[tuple[Position, Instrument]] = []
    leverages: dict[InstrumentId, Decimal] = {}
    assets: dict[str, None] = dict.fromkeys(also)
    for position in memory.shelf(keys.POSITION, account.id):
        if position.quantity == 0:
            continue
        instrument: Instrument = memory.get(keys.instrument(position.instrument_id))
        positions.append((position, instrument))
        leverages[instrument.id] = leverage_of(memory, account.id, instrument, limits)
        assets[instrument.settle] = None
    balances = [(balance.asset, balance.amount) for balance in memory.shelf(keys.BALANCE, account.id)]
    assets |= dict.fromkeys(asset for asset, _amount in balances)
    return Holdings(account.base_currency, balances, positions, _priced_by(memory, account, assets), leverages)


def _priced_by(memory: Memory, account: Account, assets: Iterable[str]) -> dict[InstrumentId, Instrument]:
    # By key and not by looking through all: a venue lists thousands, and this is asked for every order.
    base = account.base_currency
    instruments: dict[InstrumentId, Instrument] = {}
    for asset in assets:
        if asset != base:
            pairs = _pairs(memory, account, asset, base)
            instruments.update((pair.id, pair) for pair in pairs or _bridge(memory, account, asset, base))
    return instruments


def _pairs(memory: Memory, account: Account, asset: str, other: str) -> list[Instrument]:
    ways = (keys.spot_pair(account.broker, asset, other), keys.spot_pair(account.broker, other, asset))
    return [pair for way in ways if (pair := memory.get(way)) is not None]


def _bridge(memory: Memory, account: Account, asset: str, base: str) -> list[Instrument]:
    # No pair of the two: over what others are quoted in, where both halves of the way are listed.
    found: list[Instrument] = []
    for between in BRIDGES:
        here, there = _pairs(memory, account, asset, between), _pairs(memory, account, between, base)
        found += [*here, *there] if here and there else []
    return found


def take_snapshot(
    draft: Draft, intent: Intent, market: MarketView, account: Account, limits: Limits, *, key_reused: bool
) -> Snapshot:
    """Put together everything that the gate may look at."""
    instrument: Instrument | None = draft.get(keys.instrument(intent.terms.instrument_id))
    holdings = holdings_of(draft, account, limits, also=() if instrument is None else (instrument.cash_asset,))
    prices = Prices(market.quotes, market.now, max_price_age(limits, market.source))
    worth = value_account(holdings, prices)
    state, state_source = _state(draft, intent, market, account)
    portfolio = draft.get(keys.portfolio(intent.portfolio_id))
    metadata_at: datetime | None = draft.get(keys.metadata_at(intent.terms.instrument_id))
    leg = leg_of(intent, instrument, market.venue)
    position_key = (intent.portfolio_id, intent.terms.instrument_id, intent.strategy_id or 0, leg)
    position: Position | None = draft.get(keys.position(account.id, position_key))
    pending = _pending(draft, account.id, intent)
    cash_rate = None if instrument is None else rate_of(instrument.cash_asset, holdings, prices)
    return Snapshot(
        now=market.now,
        user=draft.get(keys.user(intent.user_id)),
        account=account,
        portfolio=portfolio,
        instrument=instrument,
        metadata_age=None if metadata_at is None else market.now - metadata_at,
        venue=market.venue,
        source=market.source,
        quote=market.quotes.get(intent.terms.instrument_id),
        state=state,
        state_source=state_source,
        reconciled=market.reconciled,
        unknown_orders=pending.unknown,
        key_reused=key_reused,
        equity=None if market.blind else worth.equity,
        cash_rate=cash_rate,
        cash=_balance(holdings, None if instrument is None else instrument.cash_asset),
        coins=_balance(holdings, None if instrument is None else instrument.base),
        reserved_cash=_reserved(draft, account.id, None if instrument is None else instrument.cash_asset),
        reserved_coins=_reserved(draft, account.id, None if instrument is None else instrument.base),
        margin_used=worth.margin_used,
        position_quantity=money.ZERO if position is None else position.quantity,
        closing_quantity=draft.get(keys.closing(account.id, position_key)) or money.ZERO,
        selling_quantity=draft.get(keys.selling(account.id, position_key)) or money.ZERO,
        position_value=_position_value(holdings, instrument, prices, cash_rate),
        pending_value=pending.same_side,
        gross_value=None if worth.gross is None else worth.gross + pending.all_values,
        net_value=None if worth.net is None else worth.net + pending.all_same_side,
        leverage=draft.get(keys.leverage(account.id, intent.terms.instrument_id)),
        has_load=worth.has_derivatives or (instrument is not None and instrument.is_derivative),
        fee_ratio=market.fee_ratio,
        drawdown=None if market.blind else _drawdown(draft, account.id, worth),
        last_same_at=last_same_order(draft, intent, limits.repeat_window, market.now),
        parity_difference=market.parity_difference,
        session_open=None,
        cash_bound=_bound(worth, None if instrument is None else instrument.cash_asset, holdings, prices),
        coins_bound=_bound(worth, None if instrument is None else instrument.base, holdings, prices),
    )


def strictest_halt(memory: Memory, account: Account, intent: Intent | None = None) -> Halt | None:
    """Give the halt that rules over an account, or over one intent of it, if any."""
    part = (None, None) if intent is None else (intent.portfolio_id, intent.strategy_id)
    halts = accounts.halts_over(memory, account, *part)
    return max(halts, key=lambda halt: halt.state.strictness, default=None)


def _state(draft: Draft, intent: Intent, market: MarketView, account: Account) -> tuple[TradingState, str]:
    """Give the strictest state over an intent, and who set it."""
    halt = strictest_halt(draft, account, intent)
    state = TradingState.ACTIVE if halt is None else halt.state
    if market.memory_state.strictness > state.strictness:
        return market.memory_state, "this process, which could not write it down"
    return state, "" if halt is None else halt.source


@dataclass(frozen=True, slots=True)
class _PendingSums:
    unknown: int
    #: Signed: what live opening orders on the intent's side are worth, in its instrument and in all.
    same_side: Decimal
    all_same_side: Decimal
    all_values: Decimal


def _pending(draft: Draft, account_id: AccountId, intent: Intent) -> _PendingSums:
    here: Pending = draft.get(keys.pending(account_id, intent.terms.instrument_id)) or Pending()
    everywhere: list[Pending] = draft.shelf(keys.PENDING, account_id)
    buys = sum((pending.buys for pending in everywhere), money.ZERO)
    sells = sum((pending.sells for pending in everywhere), money.ZERO)
    if intent.terms.side is Side.BUY:
        return _PendingSums(here.unknown, here.buys, buys, buys + sells)
    return _PendingSums(here.unknown, -here.sells, -sells, buys + sells)


def _balance(holdings: Holdings, asset: str | None) -> Decimal:
    return sum((amount for name, amount in holdings.balances if name == asset), money.ZERO)


def _bound(worth: Valuation, asset: str | None, holdings: Holdings, prices: Prices) -> Bound | None:
    # Most accounts hold no derivative, and this runs for every order.
    return bound_in(asset, holdings, prices) if worth.has_derivatives and asset is not None else NOTHING_BOUND


def _reserved(draft: Draft, account_id: AccountId, asset: str | None) -> Decimal:
    if asset is None:
        return money.ZERO
    return draft.get(keys.reserved(account_id, asset)) or money.ZERO


def _position_value(
    holdings: Holdings, instrument: Instrument | None, prices: Prices, cash_rate: Decimal | None
) -> Decimal | None:
    if instrument is None or cash_rate is None:
        return None
    if instrument.is_derivative:
        held = sum((position.quantity for position, of in holdings.positions if of.id == instrument.id), money.ZERO)
    else:
        held = _balance(holdings, instrument.base)
    if held == 0:
        return money.ZERO
    price = prices.of(instrument.id)
    if price is None:
        return None
    value = money.settle_product(instrument.notional(abs(held), price), cash_rate)
    return value if held > 0 else -value


def _drawdown(draft: Draft, account_id: AccountId, worth: Valuation) -> Decimal | None:
    nav = guarding.nav_of(draft, account_id)
    if worth.equity is None or nav.units <= 0:
        return None
    return drawdown_of(worth.equity, nav)


def drawdown_of(equity: Decimal, nav: keys.Nav) -> Decimal:
    """Give the loss of a unit from its peak at an equity; 0 at a new peak."""
    value = money.settle_quotient(equity, nav.units)
    return money.settle_quotient(nav.peak - value, nav.peak) if value < nav.peak else money.ZERO


def fingerprint(intent: Intent) -> tuple[object, ...]:
    """Say what makes two orders the same for control 45."""
    terms = intent.terms
    return (terms.instrument_id, terms.side, terms.quantity, terms.quote_value, terms.price, terms.stop_price)


def last_same_order(draft: Draft, intent: Intent, window: timedelta, now: datetime) -> datetime | None:
    """Find when the same order was approved last, within the window that is remembered."""
    what = fingerprint(intent)
    slot = _slot(now, window)
    at: datetime | None = draft.get(keys.recent_order(intent.account_id, slot, what))
    return at or draft.get(keys.recent_order(intent.account_id, slot - 1, what))


def remember_order(draft: Draft, intent: Intent, window: timedelta, now: datetime) -> None:
    """Keep an approved order in mind for control 45, and forget those well past the window.

    At the desk's own hour: what a caller says of the hour would let a double click through.
    """
    slot = _slot(now, window)
    draft.put(keys.recent_order(intent.account_id, slot, fingerprint(intent)), now)
    newest = keys.recent_slot(intent.account_id)
    before: int | None = draft.get(newest)
    if before != slot:
        draft.put(newest, slot)
        if before is not None:
            for key in draft.shelf_keys(keys.RECENT_ORDER, (intent.account_id, before - 1)):
                draft.put(key, None)


def _slot(at: datetime, window: timedelta) -> int:
    return (at - EPOCH) // window
