"""The notation of this room's tests: instruments by nickname, and fills written as `buy 2 @ 100 fee 0.5 USDT`."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from plimsoll.model.ids import AccountId, BrokerTradeId, InstrumentId, PortfolioId
from plimsoll.model.instrument import AssetType, Instrument
from plimsoll.model.money import ZERO
from plimsoll.model.order import Side
from plimsoll.model.position import Position
from plimsoll.model.trade import Trade, TradeReport

D = Decimal
ACCOUNT, PORTFOLIO, INSTRUMENT = AccountId(1), PortfolioId(1), InstrumentId(7)
NOON = datetime(2022, 1, 21, 12, tzinfo=UTC)


def _instrument(symbol: str, kind: AssetType, *, multiplier: str = "1", inverse: bool = False) -> Instrument:
    pair, _, settle = symbol.partition(":")
    base, quote = pair.split("/")
    return Instrument(
        id=INSTRUMENT,
        symbol=symbol,
        venue="paper",
        asset_type=kind,
        base=base,
        quote=quote,
        settle=settle or quote,
        tick_size=D("0.01"),
        lot_size=D("0.001"),
        multiplier=D(multiplier),
        inverse=inverse,
    )


SPOT = _instrument("BTC/USDT", AssetType.CRYPTO)
PERPETUAL = _instrument("BTC/USDT:USDT", AssetType.PERPETUAL)
CONTRACT = _instrument("NQ/USD:USD", AssetType.FUTURE, multiplier="20")
INVERSE = _instrument("BTC/USD:BTC", AssetType.PERPETUAL, multiplier="100", inverse=True)

FLAT = Position(ACCOUNT, PORTFOLIO, INSTRUMENT)


def moment(number: int) -> datetime:
    """Give the moment of the n-th thing that happens, a second apart."""
    return NOON + timedelta(seconds=number)


def book(
    instrument: Instrument,
    side: Side,
    quantity: Decimal,
    price: Decimal,
    *,
    fee: Decimal = ZERO,
    fee_currency: str = "",
    number: int = 1,
) -> Trade:
    """Make a trade of the portfolio, its value settled as at booking."""
    report = TradeReport(
        account_id=ACCOUNT,
        instrument_id=instrument.id,
        broker_trade_id=BrokerTradeId(f"t{number}"),
        side=side,
        quantity=quantity,
        price=price,
        fee=fee,
        fee_currency=fee_currency or instrument.cash_asset,
        exec_time=moment(number),
        sequence=number,
    )
    return Trade(report, PORTFOLIO, None, "manual", instrument.notional(quantity, price))


def fill(instrument: Instrument, text: str, number: int = 1) -> Trade:
    """Read `buy 2 @ 100` or `sell 1.5 @ 99 fee 0.1 BNB`."""
    side, quantity, at, price, *rest = text.split()
    assert at == "@"
    fee, currency = (rest[1], rest[2]) if rest else ("0", "")
    return book(instrument, Side(side.upper()), D(quantity), D(price), fee=D(fee), fee_currency=currency, number=number)


def fold(instrument: Instrument, trades: Iterable[Trade]) -> Position:
    """Fold trades into an empty position."""
    position = FLAT
    for trade in trades:
        position = position.after(trade, instrument)
    return position


def after(instrument: Instrument, *texts: str) -> Position:
    """Give the position after the fills, told in the notation."""
    return fold(instrument, [fill(instrument, text, number) for number, text in enumerate(texts, start=1)])
