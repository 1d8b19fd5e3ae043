"""How an account stands, for people: what it is worth, what it binds, how deep it is loaded, position by position.

Every figure is of one moment of the books and of the prices at hand. What the books alone decide is kept until they
change, so that a page may ask every second for every account, and an API at every request.

None is unknown, and `unknown` says why in words. Nothing here decides: a guard acts on its own reading.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from plimsoll.desk.ports import Ports
from plimsoll.desk.snapshot import drawdown_of, holdings_of
from plimsoll.desk.value_account import BookView, book_view, why_unfunded
from plimsoll.ledger import keys
from plimsoll.ledger.keys import Pending
from plimsoll.model import money
from plimsoll.model.account import Account
from plimsoll.model.cash import pocket_of
from plimsoll.model.ids import AccountId
from plimsoll.model.instrument import Instrument
from plimsoll.model.position import Position, PositionKey
from plimsoll.risk.margin import Margin, Waiting, liquidation_prices, margin_of
from plimsoll.risk.valuation import Holdings, Prices, Valuation, add_up, rate_of, unpriced_among, value_account
from plimsoll.store.hot import Memory


@dataclass(frozen=True, slots=True)
class PositionFigures:
    """An open position with what today's price makes of it; amounts in the account's currency."""

    position: Position
    instrument: Instrument
    entry_price: Decimal
    #: What it is valued at; None when the last quote is too old.
    price: Decimal | None
    #: How old the last quote is, whatever its age; None when there never was one.
    price_age: timedelta | None
    #: Unsigned.
    value: Decimal | None
    unrealized_pnl: Decimal | None
    #: Of what the open quantity cost (0.01 = 1 %).
    unrealized_ratio: Decimal | None
    #: The divisor of its margin; 1 on spot.
    leverage: Decimal
    #: Initial margin; on spot nothing is borrowed and nothing bound.
    margin: Decimal | None
    #: Where the account as a whole could no longer carry it; None on spot, where no price does that, and unknown.
    liquidation_price: Decimal | None
    #: A market order that closes it, or some of it, is on its way.
    closing: bool
    #: The last comparison with the venue found nothing wrong with it.
    matched: bool


@dataclass(frozen=True, slots=True)
class AccountFigures:
    """An account at one moment; amounts in its currency."""

    currency: str
    at: datetime
    equity: Decimal | None
    #: Of the account's own currency, in all pockets.
    cash: Decimal
    margin: Margin
    #: Loss from the highest value of a unit, and the equity that this peak would be today.
    drawdown: Decimal | None
    peak_equity: Decimal | None
    unrealized_pnl: Decimal | None
    #: Of all positions ever, and what was paid in fees for them; at today's rates where they were in another asset.
    realized_pnl: Decimal | None
    fees: Decimal | None
    #: Why something is unknown, in words.
    unknown: tuple[str, ...]
    #: Open ones, as they were opened first.
    positions: tuple[PositionFigures, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """What only the books can change of these figures, beside what a valuation needs."""

    #: With the instruments that price whatever was ever realised or paid.
    holdings: Holdings
    cash: Decimal
    waiting: Waiting
    #: The account can hold derivatives: its venue lists some.
    has_load: bool
    #: Profits and fees of all positions ever, by asset.
    realized: tuple[tuple[str, Decimal], ...]
    fees: tuple[tuple[str, Decimal], ...]
    #: Positions that a market order on its way will take from.
    closing: frozenset[PositionKey]


def account_figures(ports: Ports, now: datetime) -> AccountFigures:
    """Tell how the account stands at the prices at hand."""
    view, standing = _standing(ports)
    holdings, nav = standing.holdings, view.nav
    prices = Prices(ports.board.view(), now, view.max_price_age)
    worth = value_account(holdings, prices)
    cap = view.limits.leverage_cap
    margin = margin_of(holdings, prices, worth, standing.waiting, cap, applies=standing.has_load)
    liquidated_at = liquidation_prices(holdings, prices)
    positions = tuple(
        _position(ports, standing, held, prices, liquidated_at.get(held[1].id)) for held in holdings.positions
    )
    drawdown = peak_equity = None
    if nav.units > 0:
        # The peak in the books may lag behind by the readings that wait to be written.
        nav = replace(nav, peak=max(nav.peak, ports.peak_seen))
        peak_equity = money.settle_product(nav.peak, nav.units)
        drawdown = None if worth.equity is None else drawdown_of(worth.equity, nav)
    return AccountFigures(
        currency=holdings.base_currency,
        at=now,
        equity=worth.equity,
        cash=standing.cash,
        margin=margin,
        drawdown=drawdown,
        peak_equity=peak_equity,
        unrealized_pnl=_total(positions),
        realized_pnl=add_up(standing.realized, holdings, prices),
        fees=add_up(standing.fees, holdings, prices),
        unknown=_unknown(standing, worth, positions, prices, why_unfunded(nav)),
        positions=positions,
    )


def waiting_of(memory: Memory, account_id: AccountId, holdings: Holdings) -> Waiting:
    """Read what an account's live orders keep for themselves."""
    settles = [instrument.settle for _position, instrument in holdings.positions]
    assets = dict.fromkeys([*(asset for asset, _amount in holdings.balances), *settles])
    reserved = [(asset, memory.get(keys.reserved(account_id, asset)) or money.ZERO) for asset in assets]
    pending: list[Pending] = memory.shelf(keys.PENDING, account_id)
    return Waiting(reserved, sum((waits.buys + waits.sells for waits in pending), money.ZERO))


def has_load(memory: Memory, account: Account) -> bool:
    """Say whether an account can hold derivatives, and so has a load line."""
    listed: list[Instrument] = memory.shelf(keys.INSTRUMENTS_OF, account.broker)
    return any(instrument.is_derivative for instrument in listed)


def _standing(ports: Ports) -> tuple[BookView, Standing]:
    """Read what the books say, unless they are still those of the last time."""
    view = book_view(ports)
    if view.standing is not None:
        return view, view.standing
    with ports.books.hot.lock:
        view = book_view(ports)  # the books may have moved on while we waited for the lock
        standing = _read(ports, view)
        ports.book_view = replace(view, standing=standing)
    return view, standing


def _read(ports: Ports, view: BookView) -> Standing:
    hot = ports.books.hot
    account: Account = hot.get(keys.account(ports.account_id))
    realized: defaultdict[str, Decimal] = defaultdict(Decimal)
    fees: defaultdict[str, Decimal] = defaultdict(Decimal)
    closing: list[PositionKey] = []
    for position in hot.shelf(keys.POSITION, account.id):
        instrument: Instrument = hot.get(keys.instrument(position.instrument_id))
        realized[instrument.cash_asset] += position.realized_pnl
        for asset, fee in position.fees:
            fees[asset] += fee
        if hot.get(keys.closing(account.id, position.key)):
            closing.append(position.key)
    holdings = holdings_of(hot, account, view.limits, also=[*realized, *fees])
    return Standing(
        holdings=holdings,
        cash=sum((amount for asset, amount in holdings.balances if asset == account.base_currency), money.ZERO),
        waiting=waiting_of(hot, account.id, holdings),
        has_load=has_load(hot, account),
        realized=tuple(realized.items()),
        fees=tuple(fees.items()),
        closing=frozenset(closing),
    )


def _position(
    ports: Ports,
    standing: Standing,
    held: tuple[Position, Instrument],
    prices: Prices,
    liquidation_price: Decimal | None,
) -> PositionFigures:
    position, instrument = held
    holdings = standing.holdings
    quote, price = ports.board.quote(instrument.id), prices.of(instrument.id)
    rate = rate_of(instrument.cash_asset, holdings, prices)
    leverage = holdings.leverages[instrument.id]
    value = earned = ratio = margin = None
    if price is not None:
        unconverted = position.unrealized_pnl(instrument, price)
        ratio = None if position.cost == 0 else money.settle_quotient(unconverted, abs(position.cost))
        if rate is not None:
            value = money.settle_product(instrument.notional(abs(position.quantity), price), rate)
            earned = money.settle_product(unconverted, rate)
            margin = money.settle_quotient(value, leverage) if instrument.is_derivative else money.ZERO
    return PositionFigures(
        position=position,
        instrument=instrument,
        entry_price=position.avg_price(instrument),
        price=price,
        price_age=None if quote is None else prices.now - quote.at,
        value=value,
        unrealized_pnl=earned,
        unrealized_ratio=ratio,
        leverage=leverage,
        margin=margin,
        liquidation_price=liquidation_price,
        closing=position.key in standing.closing,
        matched=_matched(ports, instrument),
    )


def _matched(ports: Ports, instrument: Instrument) -> bool:
    """Say whether the last comparison with the venue found nothing wrong with what is held of an instrument."""
    if ports.sync_told.get("compared") != str(True):
        return False
    held = (
        f"position:{instrument.id}"
        if instrument.is_derivative
        else f"balance:{pocket_of(instrument)}:{instrument.base}"
    )
    wrong = (*ports.breaks_told, *ports.suspicions)
    return not any(key == held or key.startswith(f"trade:{instrument.id}:") for key in wrong)


def _total(positions: Sequence[PositionFigures]) -> Decimal | None:
    total = money.ZERO
    for figures in positions:
        if figures.unrealized_pnl is None:
            return None
        total += figures.unrealized_pnl
    return total


def _unknown(
    standing: Standing, worth: Valuation, positions: Sequence[PositionFigures], prices: Prices, unfunded: str
) -> tuple[str, ...]:
    names = [
        *worth.unpriced,
        *(figures.instrument.symbol for figures in positions if figures.unrealized_pnl is None),
        *unpriced_among((*standing.realized, *standing.fees), standing.holdings, prices),
    ]
    reasons = [f"no price in time for {name}" for name in dict.fromkeys(names)]
    return tuple([*reasons, unfunded] if unfunded else reasons)
