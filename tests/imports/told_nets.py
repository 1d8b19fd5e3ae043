"""What told things come to in our book: folded by the book's own fold, in whatever order they come."""

from collections import defaultdict
from collections.abc import Iterable

from plimsoll.imports.statement import Complaint, ToldLine
from plimsoll.ledger.fold import fold_instrument
from plimsoll.model.cash import CashKind, CashLine
from plimsoll.model.ids import AccountId, BrokerTradeId, InstrumentId, PortfolioId
from plimsoll.model.instrument import AssetType, Instrument
from plimsoll.model.position import Position
from plimsoll.model.told import Told
from plimsoll.model.trade import Trade, TradeReport
from tests.builders.ledger import D

ACCOUNT, PORTFOLIO = AccountId(1), PortfolioId(1)


def told_of(lines: Iterable[ToldLine | Complaint]) -> list[Told]:
    """Give what was told; a complaint is an error here."""
    told = []
    for line in lines:
        assert isinstance(line, ToldLine), str(line)
        told.append(line.told)
    return told


def positions_by_leg(told: Iterable[Told]) -> dict[str, Position]:
    """Fold everything, what was told twice once."""
    by_symbol: defaultdict[str, dict[tuple[str, str, str], Told]] = defaultdict(dict)
    for each in told:
        by_symbol[each.symbol][each.key] = each
    positions: dict[str, Position] = {}
    for number, (symbol, its) in enumerate(sorted(by_symbol.items()), start=1):
        instrument = _instrument(InstrumentId(number), symbol)
        fills = [_trade(each, instrument) for each in its.values() if each.kind is CashKind.TRADE]
        lines = [_line(each, instrument) for each in its.values() if each.kind is not CashKind.TRADE]
        for position in fold_instrument(fills, (), lines, instrument).values():
            assert position.leg not in positions
            positions[position.leg] = position
    return positions


def _instrument(number: InstrumentId, symbol: str) -> Instrument:
    pair, _, settle = symbol.partition(":")
    base, quote = pair.split("/")
    kind = AssetType.PERPETUAL if settle else AssetType.CRYPTO
    return Instrument(number, symbol, "there", kind, base, quote, settle or quote, D("0.01"), D("0.01"))


def _trade(told: Told, instrument: Instrument) -> Trade:
    assert told.side is not None
    report = TradeReport(
        ACCOUNT,
        instrument.id,
        BrokerTradeId(told.reference),
        told.side,
        told.quantity,
        told.price,
        told.fee,
        told.fee_asset,
        told.at,
        told.sequence,
        leg=told.leg,
    )
    return Trade(report, PORTFOLIO, None, told.triggered_by, instrument.notional(told.quantity, told.price))


def _line(told: Told, instrument: Instrument) -> CashLine:
    return CashLine(
        ACCOUNT,
        PORTFOLIO,
        told.pocket,
        told.asset,
        told.kind,
        told.amount,
        told.reference,
        told.at,
        instrument_id=instrument.id,
        leg=told.leg,
    )
