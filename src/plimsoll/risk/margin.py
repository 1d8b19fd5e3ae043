"""Margin: how deep an account is loaded, what its positions and waiting orders bind, and where a venue would take them.

Rule 1. One position without a price in time makes every sum over it unknown: None, never a part of the sum.
Rule 2. The load is counted at the account's leverage cap, the margin at the leverage chosen for each symbol.
Rule 3. Legs of one account in one instrument are one net position: that is what a venue liquidates.
Rule 4. A derivative is margined by the asset that it settles in and by nothing else. Coins bought on spot are worth
        something and margin nothing; control 34 and the paper venue count the same way.

What must not enter: a venue's own figures, which stand beside ours, and any decision about what to close.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from plimsoll.model import money
from plimsoll.model.ids import InstrumentId
from plimsoll.model.instrument import AssetType, Instrument
from plimsoll.risk.valuation import Holdings, Prices, Valuation, add_up

#: Shares of the buying power at which the levels begin.
WARNING_LOAD, CRITICAL_LOAD, EMERGENCY_LOAD = Decimal("0.70"), Decimal("0.80"), Decimal("0.90")

#: Equity that a derivative must keep, as a share of its value, while instruments carry no tiers of their venue. One
#: number per class, the higher where venues differ: a liquidation price that is too near is a warning, one that is too
#: far is a loss.
#: Source: perpetuals: Bybit help centre, "How to calculate liquidation price (inverse contract)": at least 0.5 % for
#:         BTC, 1 % for ETH, EOS and XRP. CFDs: ESMA product intervention of 1 August 2018: closed out at 50 % of the
#:         initial margin, which is 1/5 of the value at our highest leverage. Dated futures take the CFDs' number until
#:         a venue that lists them is linked. Read 2026-11-21.
MAINTENANCE_RATIOS: Mapping[AssetType, Decimal] = {
    AssetType.PERPETUAL: Decimal("0.01"),
    AssetType.FUTURE: Decimal("0.1"),
    AssetType.CFD: Decimal("0.1"),
}


class LoadLevel(StrEnum):
    """How near the water is to the deck."""

    SAFE = "SAFE"
    WARNING = "WARNING"
    CRITICAL = "CRITICAL"
    EMERGENCY = "EMERGENCY"
    #: Something that is held has no price in time.
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Load:
    """How much of its buying power an account uses."""

    #: Gross value / (equity × cap); None where it is unknown, and where no equity is left to carry what is open.
    ratio: Decimal | None
    level: LoadLevel
    #: The account can borrow or hold derivatives. Where it cannot, the ratio is gross / equity and the level SAFE:
    #: coins that are paid for cannot be called in.
    applies: bool
    #: Value of all positions and of what waiting orders may still open, unsigned.
    gross: Decimal | None
    #: The leverage that equity is multiplied by; 1 where no load applies.
    cap: Decimal


def load_of(gross: Decimal | None, equity: Decimal | None, leverage_cap: Decimal, *, applies: bool) -> Load:
    """Say how deep an account is loaded.

    Source: SPEC §7, the load line
    """
    cap = leverage_cap if applies else Decimal(1)
    if gross is None or equity is None:
        return Load(None, LoadLevel.UNKNOWN, applies, gross, cap)
    power = money.settle_product(equity, cap)
    if gross == 0:
        ratio: Decimal | None = money.ZERO
    else:
        ratio = money.settle_quotient(gross, power) if power > 0 else None
    return Load(ratio, _level(gross, power) if applies else LoadLevel.SAFE, applies, gross, cap)


def _level(gross: Decimal, power: Decimal) -> LoadLevel:
    # Compared as products, as control 32 does: a quotient that was rounded might lie on the other side of a line.
    for line, level in (
        (EMERGENCY_LOAD, LoadLevel.EMERGENCY),
        (CRITICAL_LOAD, LoadLevel.CRITICAL),
        (WARNING_LOAD, LoadLevel.WARNING),
    ):
        if gross > 0 and gross >= money.settle_product(power, line):
            return level
    return LoadLevel.SAFE


@dataclass(frozen=True, slots=True)
class Waiting:
    """What an account's live orders keep for themselves."""

    #: (asset, amount) held back until they end.
    reserved: Sequence[tuple[str, Decimal]] = ()
    #: What they may still open is worth, unsigned, in the account's currency.
    value: Decimal = money.ZERO


@dataclass(frozen=True, slots=True)
class Margin:
    """What an account binds and what is left, in its currency; None where something has no price in time."""

    load: Load
    #: Initial margin of the positions, and what waiting orders hold back.
    used: Decimal | None
    #: What can be bound at all: equity without the coins that margin nothing. `available` is this less `used`.
    total: Decimal | None
    available: Decimal | None
    #: used / total; None also where nothing can be bound and something is.
    utilization: Decimal | None
    #: Equity that the positions must keep.
    maintenance: Decimal | None
    #: Equity / used; None also while no position binds margin.
    level: Decimal | None
    #: Equity × cap − gross: what could still be opened before the load is 1. Below zero when it is above.
    buying_power: Decimal | None


def margin_of(
    holdings: Holdings,
    prices: Prices,
    worth: Valuation,
    waiting: Waiting,
    leverage_cap: Decimal,
    *,
    applies: bool,
) -> Margin:
    """Add up what an account binds.

    Shapes: `worth` -> the valuation of the same holdings at the same prices
    Source: SPEC §7
    """
    gross = None if worth.gross is None else worth.gross + waiting.value
    load = load_of(gross, worth.equity, leverage_cap, applies=applies)
    margins = _margin_assets(holdings)
    held_back = add_up([item for item in waiting.reserved if item[0] in margins], holdings, prices)
    maintenance = add_up(
        [(net.instrument.settle, net.maintenance) for net in _nets(holdings, prices).values()], holdings, prices
    )
    useless = add_up(_margins_nothing(holdings, margins), holdings, prices)
    if (
        (worth.equity is None or worth.margin_used is None or gross is None)  # all or none of them
        or (held_back is None or maintenance is None or useless is None)  # of priced holdings all are known
    ):
        return Margin(load, None, None, None, None, None, None, None)
    used, total = worth.margin_used + held_back, worth.equity - useless
    utilization: Decimal | None = money.ZERO
    if used > 0:
        utilization = money.settle_quotient(used, total) if total > 0 else None
    return Margin(
        load=load,
        used=used,
        total=total,
        available=total - used,
        utilization=utilization,
        maintenance=maintenance,
        level=money.settle_quotient(worth.equity, used) if worth.margin_used > 0 else None,
        buying_power=money.settle_product(worth.equity, load.cap) - gross,
    )


def _margin_assets(holdings: Holdings) -> list[str]:
    """Name the assets that margin something here: the account's own currency, and those that its derivatives pay in."""
    settles = [instrument.settle for _position, instrument in holdings.positions if instrument.is_derivative]
    return list(dict.fromkeys([holdings.base_currency, *settles]))


def _margins_nothing(holdings: Holdings, margins: Sequence[str]) -> list[tuple[str, Decimal]]:
    """Give what is held and margins nothing. What is owed is no such thing: it lowers what can be bound."""
    held: dict[str, Decimal] = {}
    for asset, amount in holdings.balances:
        held[asset] = held.get(asset, money.ZERO) + amount
    return [(asset, amount) for asset, amount in held.items() if amount > 0 and asset not in margins]


# Liquidation ----------------------------------------------------------------------------------------------------------


def maintenance_ratio(instrument: Instrument) -> Decimal:
    """Give the share of its value that a derivative must keep as equity."""
    return MAINTENANCE_RATIOS[instrument.asset_type]


def isolated_liquidation_price(instrument: Instrument, entry: Decimal, leverage: Decimal, *, is_long: bool) -> Decimal:
    """Give the price at which a position that carries only its own initial margin is down to its maintenance margin.

    Units:  quote currency; without fees and funding, which bring it nearer
    Source: SPEC §7: long: entry × (1 − 1/L + m), short: entry × (1 + 1/L − m). Inverse, where the value in coins is
            what moves: entry / (1 + 1/L − m) and entry / (1 − 1/L + m), Bybit help centre, "Liquidation Price
            Calculation under Isolated Mode (Unified Trading Account)", read 2026-11-21
    """
    kept = money.settle_product(maintenance_ratio(instrument), leverage) - 1
    falls = leverage + kept if is_long != instrument.inverse else leverage - kept
    if instrument.inverse:
        return money.settle_share(entry, leverage, falls)
    return money.settle_share(entry, falls, leverage)


def cross_liquidation_price(
    instrument: Instrument, quantity: Decimal, price: Decimal, cushion: Decimal
) -> Decimal | None:
    """Give the price at which a position that the whole account carries brings equity down to maintenance.

    Shapes: quantity -> signed, not zero; cushion -> equity of the settle asset at `price`, less the maintenance margin
            of everything else that settles in it. None: no price above zero does it. `price` itself: none saves it
    Units:  cushion in the settle asset, prices in quote currency; the prices of everything else stay as they are
    Source: solved for P from  cushion + gain(P) = m × value(P),  with value(P) = q × P, inverse q / P
    """
    units, kept = abs(quantity) * instrument.multiplier, maintenance_ratio(instrument)
    value = instrument.notional(abs(quantity), price)
    is_long = quantity > 0
    if instrument.inverse:
        # A long has lost everything but its maintenance where q / P = (value + cushion) / (1 + m); mirrored.
        coins = value + cushion if is_long else value - cushion
        if coins <= 0:
            return price if is_long else None
        return money.settle_quotient(units * (1 + kept if is_long else 1 - kept), coins)
    cash = value - cushion if is_long else value + cushion
    if cash <= 0:
        return None if is_long else price
    return money.settle_quotient(cash, units * (1 - kept if is_long else 1 + kept))


@dataclass(slots=True)
class _Net:
    """An account's legs in one instrument, as a venue sees them."""

    instrument: Instrument
    quantity: Decimal = money.ZERO
    #: Open profit or loss of all legs, and value and maintenance of the net, in the settle asset; None without a price.
    price: Decimal | None = None
    earned: Decimal = money.ZERO
    maintenance: Decimal = money.ZERO


def _nets(holdings: Holdings, prices: Prices) -> dict[InstrumentId, _Net]:
    nets: dict[InstrumentId, _Net] = {}
    for position, instrument in holdings.positions:
        if not instrument.is_derivative:
            continue
        net = nets.setdefault(instrument.id, _Net(instrument, price=prices.of(instrument.id)))
        net.quantity += position.quantity
        if net.price is not None:
            net.earned += position.unrealized_pnl(instrument, net.price)
    for net in nets.values():
        if net.price is not None:
            value = net.instrument.notional(abs(net.quantity), net.price)
            net.maintenance = money.settle_product(value, maintenance_ratio(net.instrument))
    return nets


def liquidation_prices(holdings: Holdings, prices: Prices) -> dict[InstrumentId, Decimal]:
    """Give the price of each derivative at which the account would be liquidated; what has none is left out.

    Left out are positions that no price above zero brings down, legs that cancel out, and whatever shares its settle
    asset with a position that has no price in time.
    """
    nets = _nets(holdings, prices)
    found: dict[InstrumentId, Decimal] = {}
    for instrument_id, net in nets.items():
        beside = [other for other in nets.values() if other.instrument.settle == net.instrument.settle]
        if net.quantity == 0 or net.price is None or any(other.price is None for other in beside):
            continue
        cash = sum((amount for asset, amount in holdings.balances if asset == net.instrument.settle), money.ZERO)
        equity = cash + sum((other.earned for other in beside), money.ZERO)
        kept = sum((other.maintenance for other in beside if other is not net), money.ZERO)
        price = cross_liquidation_price(net.instrument, net.quantity, net.price, equity - kept)
        if price is not None:
            found[instrument_id] = price
    return found
