"""The small built-in table of instruments, and what is said about one that is not in it.

For replay, backtest and paper accounts without a venue to ask. A live venue's own instruments come from the venue.

What must not enter: anything guessed to be generous. What is not known is taken strictly: no leverage, a fine lot.
"""

import re
from dataclasses import dataclass
from decimal import Decimal

from plimsoll.model.errors import Illegal
from plimsoll.model.ids import InstrumentId
from plimsoll.model.instrument import AssetType, Instrument

_SYMBOL = re.compile(r"(?P<base>[A-Z0-9]{1,20})/(?P<quote>[A-Z0-9]{1,20})(?::(?P<settle>[A-Z0-9]{1,20}))?")
_UNKNOWN_LOT = Decimal("0.00000001")

#: Two of these make a currency pair; one of them beside a coin does not.
_FIAT = frozenset(
    {
        *("AUD", "CAD", "CHF", "EUR", "GBP", "JPY", "NZD", "USD"),
        *("BRL", "CNH", "CNY", "CZK", "DKK", "HKD", "HUF", "ILS", "INR", "KRW"),
        *("MXN", "NOK", "PLN", "RON", "SEK", "SGD", "THB", "TRY", "TWD", "ZAR"),
    }
)


@dataclass(frozen=True, slots=True)
class _Rules:
    """What a venue says about an instrument."""

    tick: Decimal
    lot: Decimal
    min_notional: Decimal = Decimal(0)
    max_leverage: Decimal = Decimal(1)


def _rules(tick: str, lot: str, min_notional: str = "0", max_leverage: str = "1") -> _Rules:
    return _Rules(Decimal(tick), Decimal(lot), Decimal(min_notional), Decimal(max_leverage))


#: The least order is one lot throughout.
_TABLE = {
    # Source: Binance spot, exchangeInfo as recorded in 2020, BTC and ETH against USDT. The other books follow them, and
    # XRP is set by hand: no recorded answer names it.
    "BTC/USDT": _rules("0.01", "0.00001", "10"),
    "BTC/USD": _rules("0.01", "0.00001", "10"),
    "BTC/EUR": _rules("0.01", "0.00001", "10"),
    "ETH/USDT": _rules("0.01", "0.0001", "10"),
    "ETH/USD": _rules("0.01", "0.0001", "10"),
    "ETH/EUR": _rules("0.01", "0.0001", "10"),
    "XRP/USDT": _rules("0.0001", "0.1", "10"),
    "XRP/USD": _rules("0.0001", "0.1", "10"),
    "XRP/EUR": _rules("0.0001", "0.1", "10"),
    # Source: Binance USDⓈ-M futures, exchangeInfo (BTC, ETH; XRP by hand) and the first leverage bracket of all three.
    "BTC/USDT:USDT": _rules("0.1", "0.001", "10", "150"),
    "ETH/USDT:USDT": _rules("0.01", "0.001", "10", "150"),
    "XRP/USDT:USDT": _rules("0.0001", "0.1", "5", "100"),
    # Source: Bybit inverse perpetual, instruments-info: BTCUSD, contracts of 1 USD.
    "BTC/USD:BTC": _rules("0.5", "1", "0", "100"),
    # Currency pairs in tenths of a pip and single units. Exchanged for cash: nothing is lent.
    "EUR/USD": _rules("0.00001", "1"),
    "GBP/USD": _rules("0.00001", "1"),
    "USD/JPY": _rules("0.001", "1"),
}


def instrument_for(
    symbol: str, instrument_id: InstrumentId, venue: str, tick_from_file: Decimal | None = None
) -> Instrument:
    """Describe what a symbol stands for, from the table or else from its form.

    Of two ticks the finer one is taken: prices that were recorded on a finer one must be legal.

    Refuses: a symbol of another form; one that settles in neither of its two assets; an unknown one without a tick
    Raises:  Illegal
    """
    matched = _SYMBOL.fullmatch(symbol)
    if matched is None or matched["base"] == matched["quote"]:
        raise Illegal("symbol", symbol, "write it BASE/QUOTE or BASE/QUOTE:SETTLE, such as BTC/USDT:USDT")
    base, quote, settle = matched["base"], matched["quote"], matched["settle"]
    if settle not in (None, base, quote):
        raise Illegal("symbol", symbol, f"settle in {quote} (linear) or in {base} (inverse)")
    rules = _TABLE.get(symbol) or _unknown(symbol, tick_from_file)
    return Instrument(
        id=instrument_id,
        symbol=symbol,
        venue=venue,
        asset_type=_asset_type(base, quote, settle),
        base=base,
        quote=quote,
        settle=settle or quote,
        tick_size=rules.tick if tick_from_file is None else min(rules.tick, tick_from_file),
        lot_size=rules.lot,
        min_quantity=rules.lot,
        min_notional=rules.min_notional,
        inverse=settle == base,
        max_leverage=rules.max_leverage,
    )


def _unknown(symbol: str, tick_from_file: Decimal | None) -> _Rules:
    if tick_from_file is None:
        raise Illegal("tick_from_file", None, f"{symbol} is not in the built-in table: give the step of its prices")
    return _Rules(tick_from_file, _UNKNOWN_LOT)


def _asset_type(base: str, quote: str, settle: str | None) -> AssetType:
    if settle is not None:
        return AssetType.PERPETUAL
    return AssetType.FOREX if base in _FIAT and quote in _FIAT else AssetType.CRYPTO
