"""freqtrade's database made into a book of ours by the parts that make one: legs, profits, and a second import."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from plimsoll.imports.freqtrade import FreqtradeStatement, open_freqtrade
from plimsoll.imports.statement import Complaint, Options
from plimsoll.imports.theirs import compare, nets_by_leg
from plimsoll.ledger.imported.build import BookPlace, Built, build
from plimsoll.ledger.imported.spool import Spool, Statement, WantedInstrument
from plimsoll.model.ids import AccountId, InstrumentId, PortfolioId, StrategyId
from plimsoll.model.instrument import AssetType, Instrument
from tests.builders.ledger import CHAIN_KEY, D
from tests.imports.freqtrade_made import CLOSED, SINCE, MadeDatabase

AT = datetime(2024, 5, 1, tzinfo=UTC)


def spooled(path: Path, *statements: FreqtradeStatement) -> Spool:
    spool = Spool(path)
    for number, source in enumerate(statements, start=1):
        told = Statement(number, f"i-{number}", source.format, source.file_name, source.sha256, "user:1", AT)
        begun = spool.begin_statement(told, source.venue)
        for line in source.read():
            assert not isinstance(line, Complaint), str(line)
            spool.add(begun, line.told, line.raw)
        spool.end_statement(begun, source.line_count)
    spool.settle()
    return spool


def built(spool: Spool) -> Built:
    wanted = spool.wanted()
    instruments = {
        (each.venue, each.symbol): _instrument(InstrumentId(number), each)
        for number, each in enumerate(wanted.instruments, start=1)
    }
    strategies = {name: StrategyId(number) for number, name in enumerate(wanted.strategies, start=1)}
    place = BookPlace(AccountId(1), PortfolioId(1), instruments, strategies, "user:1", AT)
    made = build(spool, place, CHAIN_KEY, lambda _done, _total: None)
    spool.close()
    return made


def _instrument(number: InstrumentId, wanted: WantedInstrument) -> Instrument:
    kind = AssetType.PERPETUAL if wanted.settle else AssetType.CRYPTO
    settle = wanted.settle or wanted.quote
    return Instrument(
        number, wanted.symbol, wanted.venue, kind, wanted.base, wanted.quote, settle, D("0.01"), D("0.01")
    )


def nets(made: Built) -> dict[str, Decimal]:
    return nets_by_leg((holding.symbol, holding.position) for holding in made.holdings())


def test_every_case_of_freqtrade_makes_the_same_in_the_book(test_data: Path, tmp_path: Path) -> None:
    """Twice the same database is once the same book."""
    source = open_freqtrade(test_data / "freqtrade" / "tradesv3_cases.sqlite", Options())
    spool = spooled(tmp_path / "one.part", source, source)
    first, second = spool.statements
    assert (first.added, second.added) == (first.told, 0)
    report = compare(source.theirs(), nets(built(spool)), first.added, source.sha256)
    assert len(report.profits) == 20
    assert report.flagged == ()


def test_a_later_import_brings_what_was_settled_since_and_contradicts_nothing(tmp_path: Path) -> None:
    """A trade that was open with a partial exit and funding is closed; the same keys say the same words."""
    made = MadeDatabase(tmp_path / "tradesv3.sqlite")
    made.trade(1, is_open=1, trading_mode="FUTURES", pair="ADA/USDT:USDT", close_profit_abs=None, funding_fees=0.2)
    made.order(1, "a", "buy", 30.0, 2.0).order(1, "b", "sell", 10.0, 2.2, funding_fee=0.2)
    made.order(1, "c", "sell", 3.0, 2.2, ft_is_open=1, status="open")
    before = open_freqtrade(made.path, Options())
    made.change("UPDATE orders SET filled = 20, ft_is_open = 0, funding_fee = 0.1 WHERE order_id = 'c'")
    made.change(f"UPDATE orders SET order_filled_date = '{CLOSED}' WHERE order_id = 'c'")
    made.change("UPDATE trades SET is_open = 0, close_profit_abs = 6.035, funding_fees = 0.35, exit_reason = 'roi'")
    after = open_freqtrade(made.path, Options())
    spool = spooled(tmp_path / "one.part", after, before)
    assert [statement.added for statement in spool.statements] == [6, 0]
    spool = spooled(tmp_path / "two.part", before, after)
    assert [statement.added for statement in spool.statements] == [3, 3]
    report = compare(after.theirs(), nets(built(spool)), 3, after.sha256)
    assert [(profit.theirs, profit.ours) for profit in report.profits] == [(D("6.035"), D("6.035"))]


def test_a_database_that_was_begun_anew_counts_from_1_and_is_another_bots_trade(tmp_path: Path) -> None:
    """Trade 1 of both is in one pair, and one of them has funding of the whole trade: two positions, two profits."""
    (tmp_path / "anew").mkdir()
    futures = {"trading_mode": "FUTURES", "pair": "ADA/USDT:USDT"}
    first = MadeDatabase(tmp_path / "tradesv3.sqlite").round_trip(1, funding_fees=-0.75, **futures)
    anew = MadeDatabase(tmp_path / "anew" / "tradesv3.sqlite").round_trip(
        1, funding_fees=-0.5, open_date="2024-04-01 00:00:00.250000", **futures
    )
    one, other = (open_freqtrade(made.path, Options()) for made in (first, anew))
    spool = spooled(tmp_path / "both.part", one, other, one)
    assert [statement.added for statement in spool.statements] == [3, 3, 0]
    ours = nets(built(spool))
    assert ours == {f"ft-1{SINCE}": D("4.935"), "ft-1@2024-04-01T00:00:00": D("5.185")}
    assert [
        profit.ours for each in (one, other) for profit in compare(each.theirs(), ours, 3, each.sha256).profits
    ] == [
        D("4.935"),
        D("5.185"),
    ]
