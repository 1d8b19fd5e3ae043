"""Exports of exchanges and brokers, as they are really written: each line becomes what it says, or a complaint."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from plimsoll.imports.reading import NotReadable, Options
from plimsoll.model.cash import CashKind
from plimsoll.model.order import Side
from plimsoll.model.told import Told
from tests.builders.statements import Read, read, written

D = Decimal
NOON = datetime(2022, 1, 21, 12, 0, tzinfo=UTC)


def export(folder: Path, header: str, *lines: str, **options: str) -> Read:
    return read(written(folder, "\n".join([header, *lines])), Options(**options))


def fill(told: Told) -> tuple[str, str, str, str, str, str]:
    """A fill in the words of a statement: what, which way, how much, at which price, and its fee."""
    assert told.kind is CashKind.TRADE
    assert told.side is not None
    numbers = (format(number.normalize(), "f") for number in (told.quantity, told.price, told.fee))
    quantity, price, fee = numbers
    return told.symbol, told.side.value, quantity, price, fee, told.fee_asset


def moved(told: Told) -> tuple[str, str, str, str]:
    return told.kind.value, told.symbol, told.asset, format(told.amount.normalize(), "f")


# --- Coinbase

PRO = "portfolio,type,time,amount,balance,amount/balance unit,transfer id,trade id,order id"
PRO_FILLS = (
    "portfolio,trade id,product,side,created at,size,size unit,price,fee,total,price/fee/total unit",
    "default,41,BTC-USD,SELL,2022-01-21T12:00:00.123Z,0.5,BTC,40000.01,100.5,19899.505,USD",
)
RETAIL = (
    "ID,Timestamp,Transaction Type,Asset,Quantity Transacted,Price Currency,Price at Transaction,Subtotal,"
    "Total (inclusive of fees and/or spread),Fees and/or Spread,Notes"
)
RETAIL_OLD = RETAIL.removeprefix("ID,").replace("Price Currency,Price at", "Spot Price Currency,Spot Price at")


def test_fills_of_coinbase_pro(tmp_path: Path) -> None:
    found = export(tmp_path, *PRO_FILLS)
    assert (found.format, [fill(told) for told in found.told]) == (
        "coinbase-pro-fills",
        [("BTC/USD", "SELL", "0.5", "40000.01", "100.5", "USD")],
    )
    assert (found.told[0].reference, found.told[0].sequence) == ("41", 41)


def test_a_sale_a_rebate_and_a_conversion_on_coinbase_pro(tmp_path: Path) -> None:
    at = "2022-01-21T12:00:00Z"
    found = export(
        tmp_path,
        PRO,
        f"default,match,{at},-2,0,ETH,,7,o1",
        f"default,match,{at},6000,0,USD,,7,o1",
        f"default,rebate,{at},0.6,0,USD,,7,o1",
        f"default,conversion,{at},-100,0,USD,t9,,",
        f"default,conversion,{at},100,0,USDC,t9,,",
    )
    assert [fill(told) for told in found.told] == [
        ("ETH/USD", "SELL", "2", "3000", "-0.6", "USD"),
        ("USDC/USD", "BUY", "100", "1", "0", ""),
    ]


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (("default,match,2022-01-21T12:00:00Z,-2,0,ETH,,7,o1",), "column amount: '-2 ETH': a trade is one asset that"),
        (("default,gift,2022-01-21T12:00:00Z,-2,0,ETH,,,",), "column type: 'gift': nobody knows this; it is one of"),
        (("default,deposit,2022-01-21T12:00:00Z,2,0,ETH,,,",), "column transfer id: '': this may not be empty"),
        (
            (
                "default,match,2022-01-21T12:00:00Z,-2,0,ETH,,7,o1",
                "default,match,2022-01-21T12:00:00Z,5,0,USD,,7,o1",
                "default,fee,2022-01-21T12:00:00Z,-1,0,USD,,7,o1",
                "default,fee,2022-01-21T12:00:00Z,-1,0,ETH,,7,o1",
            ),
            "column amount: '+1 USD +1 ETH': a trade's fee is in one asset",
        ),
    ],
)
def test_a_trade_that_is_not_one_for_one_is_refused(tmp_path: Path, lines: tuple[str, ...], sentence: str) -> None:
    found = export(tmp_path, PRO, *lines)
    assert found.told == []
    assert sentence in found.sentences[0]


def test_coins_put_in_belong_to_an_instrument_only_where_somebody_says_which(tmp_path: Path) -> None:
    lines = [f"default,deposit,2022-01-21T12:00:00Z,2,0,{asset},t-{asset},," for asset in ("ETH", "EUR", "USDC")]
    assert [moved(told)[1] for told in export(tmp_path, PRO, *lines).told] == ["", "", ""]
    assert [moved(told)[1] for told in export(tmp_path, PRO, *lines, currency="EUR").told] == ["ETH/EUR", "", ""]


def test_transactions_of_coinbase_itself(tmp_path: Path) -> None:
    at = "2022-01-21 12:00:00 UTC"
    found = export(
        tmp_path,
        f'\nTransactions\n"User",me,1\n{RETAIL}',
        f'a,{at},Buy,BTC,0.1,USD,"$40,000.00","$4,000.10","$4,060.10",$60.00,Bought',
        f"b,{at},Advanced Trade Sell,ETH,-2,EUR,€2500,€5000,€4990,€10,",
        f"c,{at},Staking Income,SOL,0.5,USD,$100,$50,$50,$0,",
        f"d,{at},Send,BTC,-0.05,USD,$1,$1,$1,,to me",
        f"e,{at},Receive,BTC,0.02,USD,$1,$1,$1,,",
        f"f,{at},Convert,BTC,0.02,USD,$1,$1,$1,,Converted",
    )
    assert found.format == "coinbase"
    assert [fill(told) for told in found.told[:2]] == [
        ("BTC/USD", "BUY", "0.1", "40001", "60", "USD"),
        ("ETH/EUR", "SELL", "2", "2500", "10", "EUR"),
    ]
    assert [moved(told) for told in found.told[2:]] == [
        ("INTEREST", "", "SOL", "0.5"),
        ("WITHDRAWAL", "", "BTC", "-0.05"),
        ("DEPOSIT", "", "BTC", "0.02"),
    ]
    assert found.sentences[0].startswith("line 10, column Transaction Type: 'Convert': nobody knows this")


def test_older_transactions_of_coinbase_have_no_ids_and_may_have_no_subtotal(tmp_path: Path) -> None:
    found = export(tmp_path, RETAIL_OLD, "2022-01-21T12:00:00Z,Buy,BTC,0.1,EUR,40000.00,,4000.00,,")
    assert [fill(told) for told in found.told] == [("BTC/EUR", "BUY", "0.1", "40000", "0", "")]
    assert len(found.told[0].reference) == 32


# --- Binance


def test_trades_of_binance_with_the_assets_behind_the_amounts(tmp_path: Path) -> None:
    found = export(
        tmp_path,
        '"Date(UTC)","Pair","Side","Price","Executed","Amount","Fee"',
        '"2022-01-21 12:00:00","BTCUSDT","BUY","38,000.5","0.5BTC","19,000.25USDT","0.0005BTC"',
        '"2022-01-21 12:00:01","1INCHBTC","SELL","0.00005","10 1INCH","0.0005BTC","0.001BNB"',
        '"2022-01-21 12:00:01","ETHBTC","SELL","0.05","10ETH","0.5BTC",""',
    )
    assert (found.format, found.complaints) == ("binance", [])
    assert [fill(told) for told in found.told] == [
        ("BTC/USDT", "BUY", "0.5", "38000.5", "0.0005", "BTC"),
        ("1INCH/BTC", "SELL", "10", "0.00005", "0.001", "BNB"),
        ("ETH/BTC", "SELL", "10", "0.05", "0", ""),
    ]


def test_older_trades_of_binance_tell_the_pair_in_one_word(tmp_path: Path) -> None:
    header = "Date(UTC),Market,Type,Price,Amount,Total,Fee,Fee Coin"
    found = export(
        tmp_path,
        header,
        "2018-01-21 12:00:00,BNBETH,BUY,0.01,100,1,0.05,BNB",
        "2018-01-21 12:00:00,TRXUSDT,SELL,0.05,100,5,0,",
        "2018-01-21 12:00:00,ABCXYZ,SELL,0.05,100,5,0,",
        "2018-01-21 12:00:00,BNBETH,HODL,0.05,100,5,0,",
    )
    assert [fill(told) for told in found.told] == [
        ("BNB/ETH", "BUY", "100", "0.01", "0.05", "BNB"),
        ("TRX/USDT", "SELL", "100", "0.05", "0", ""),
    ]
    assert found.sentences == [
        "line 4, column Market: 'ABCXYZ': write the pair with a slash, such as BTC/USDT",
        "line 5, column Type: 'HODL': write buy or sell",
    ]


def test_a_savings_plan_of_binance_tells_only_what_succeeded(tmp_path: Path) -> None:
    header = "Auto-Invest Date(UTC),Holding Coin,Amount per period,Trading Fee,Units,From,Status"
    found = export(
        tmp_path,
        header,
        "13/1/2022 14:00,ETH,10.0 USDT,0.0025 USDT,0.01 ETH,Spot,Success",
        "5/1/2022 14:00,ETH,10.0 USDT,,0.01 ETH,Spot,Success",
        "5/1/2022 14:00,ETH,10.0 USDT,0.0025 USDT,0.01 ETH,Spot,Failed",
        "6/1/2022 14:00,ETH,ten,0.0025 USDT,0.01 ETH,Spot,Success",
    )
    assert [fill(told) for told in found.told] == [
        ("ETH/USDT", "BUY", "0.01", "999.75", "0.0025", "USDT"),
        ("ETH/USDT", "BUY", "0.01", "1000", "0", ""),
    ]
    # Another line has a 13th of a month: the day stands first in this file.
    assert [told.at.day for told in found.told] == [13, 5]
    assert [told.triggered_by for told in found.told] == ["binance:auto-invest"] * 2
    assert found.sentences == [
        "line 5, column Amount per period: 'ten': write an amount with its asset behind it, such as 0.5BTC"
    ]


def test_the_history_of_binance_gathers_what_was_traded_in_one_second(tmp_path: Path) -> None:
    at = "1,2022-01-21 12:00:00,Spot"
    found = export(
        tmp_path,
        "User_ID,UTC_Time,Account,Operation,Coin,Change,Remark",
        f"{at},Transaction Buy,BTC,0.5,",
        f"{at},Transaction Spend,USDT,-19000,",
        f"{at},Transaction Fee,BNB,-0.01,",
        f"{at},Transaction Buy,BTC,0.5,",
        f"{at},Transaction Spend,USDT,-19000,",
        "1,2022-01-21 12:00:09,Spot,Deposit,USDT,100,",
        "1,2022-01-21 12:00:09,Spot,Withdraw,BTC,-0.1,",
        "1,2022-01-21 12:00:09,Spot,Simple Earn Flexible Interest,BTC,0.001,",
        "1,2022-01-21 12:00:09,Spot,Transfer Between Main and Funding Wallet,BTC,-1,",
        "1,2022-01-21 12:00:10,Spot,Transaction Fee,BNB,-0.01,",
        "1,2022-01-21 12:00:11,Spot,Crystal Ball,BNB,-0.01,",
    )
    *movements, trade = found.told
    assert fill(trade) == ("BTC/USDT", "BUY", "1", "38000", "0.01", "BNB")
    assert trade.lines == (2, 3, 4, 5, 6)
    assert [moved(told) for told in movements] == [
        ("DEPOSIT", "", "USDT", "100"),
        ("WITHDRAWAL", "", "BTC", "-0.1"),
        ("INTEREST", "", "BTC", "0.001"),
    ]
    assert [(complaint.line, complaint.column) for complaint in found.complaints] == [(12, "Operation"), (11, "Change")]


# --- Kraken

TRADES = '"txid","ordertxid","pair","time","type","ordertype","price","cost","fee","vol","margin","misc","ledgers"'
LEDGERS = '"txid","refid","time","type","subtype","aclass","asset","amount","fee","balance"'


@pytest.mark.parametrize(
    ("pair", "symbol"),
    [
        ("XXBTZUSD", "BTC/USD"),
        ("XBTUSDT", "BTC/USDT"),
        ("XETHXXBT", "ETH/BTC"),
        ("DOT/EUR", "DOT/EUR"),
        ("XBT/EUR", "BTC/EUR"),
        ("XXDGXXBT", "DOGE/BTC"),
        ("XDGEUR", "DOGE/EUR"),
        ("ZEURZUSD", "EUR/USD"),
        ("ADAETH", "ADA/ETH"),
    ],
)
def test_trades_of_kraken_have_everybodys_names(tmp_path: Path, pair: str, symbol: str) -> None:
    line = f'"T1","O1","{pair}","2022-01-21 12:00:00.1234","sell","limit",38000.1,3800.01,6.08,0.10000000,0,"","L1,L2"'
    found = export(tmp_path, TRADES, line)
    [told] = found.told
    assert fill(told) == (symbol, "SELL", "0.1", "38000.1", "6.08", symbol.partition("/")[2])
    assert (told.reference, told.order_id, told.at) == ("T1", "O1", NOON.replace(microsecond=123400))


def test_ledgers_of_kraken_tell_a_trade_in_two_lines_and_movements_by_themselves(tmp_path: Path) -> None:
    at = '"2022-01-21 12:00:00"'
    found = export(
        tmp_path,
        LEDGERS,
        f'"","D1",{at},"deposit","","currency","ZEUR",500,0,""',
        f'"L1","D1",{at},"deposit","","currency","ZEUR",500.0,1.5,498.5',
        f'"L2","T1",{at},"trade","","currency","ZEUR",-100,0.26,398.24',
        f'"L3","T1",{at},"trade","","currency","XXBT",0.0025,0,0.0025',
        f'"L4","S1",{at},"spend","","currency","ZEUR",-50,0,0',
        f'"L5","S1",{at},"receive","","currency","ETH2.S",0.02,0,0',
        f'"L6","K1",{at},"staking","","currency","DOT28.S",0.3,0,0',
        f'"L7","M1",{at},"transfer","spottostaking","currency","DOT",-3,0,0',
        f'"L8","M2",{at},"transfer","spottofutures","currency","USDT",-3,0,0',
        f'"L9","W1",{at},"withdrawal","","currency","XXBT",-0.001,0.0001,0',
        f'"LA","R1",{at},"rollover","","currency","ZUSD",0,0.02,0',
        f'"LB","X1",{at},"lottery","","currency","ZUSD",1,0,0',
        f'"LC","E1",{at},"earn","allocation","currency","DOT",-1,0,0',
        f'"LD","E2",{at},"earn","reward","currency","DOT",0.1,0,0',
    )
    trades = [told for told in found.told if told.kind is CashKind.TRADE]
    assert [(told.reference, fill(told)) for told in trades] == [
        ("T1", ("BTC/EUR", "BUY", "0.0025", "40000", "0.26", "EUR")),
        ("S1", ("ETH/EUR", "BUY", "0.02", "2500", "0", "")),
    ]
    assert [(told.reference, *moved(told)) for told in found.told if told.kind is not CashKind.TRADE] == [
        ("L1", "DEPOSIT", "", "EUR", "500"),
        ("L1-fee", "ADJUSTMENT", "", "EUR", "-1.5"),
        ("L6", "INTEREST", "", "DOT", "0.3"),
        ("L8", "WITHDRAWAL", "", "USDT", "-3"),
        ("L9", "WITHDRAWAL", "", "BTC", "-0.001"),
        ("L9-fee", "ADJUSTMENT", "", "BTC", "-0.0001"),
        ("LA-fee", "ADJUSTMENT", "", "USD", "-0.02"),
        ("LD", "INTEREST", "", "DOT", "0.1"),
    ]
    assert found.sentences[0].startswith("line 13, column type: 'lottery': nobody knows this; it is one of trade,")


def test_a_line_of_a_kraken_trade_that_is_missing_is_named_by_what_is_left(tmp_path: Path) -> None:
    found = export(tmp_path, LEDGERS, '"L2","T1","2022-01-21 12:00:00","trade","","currency","ZEUR",-100,0.26,398.24')
    assert found.sentences == [
        "line 2, column amount: '-100 EUR': a trade is one asset that came and one that went; is a line missing?"
    ]


# --- Interactive Brokers

FLEX = "CurrencyPrimary,Symbol,DateTime,Quantity,TradePrice,Buy/Sell,TradeID,AssetClass,Multiplier,IBCommission,Taxes"


@pytest.mark.parametrize(
    ("asset_class", "symbol", "multiplier", "expected"),
    [
        ("STK", "BRK B", "1", "BRK.B/USD"),
        ("OPT", "AAPL  230120C00150000", "100", "AAPL.230120C00150000/USD"),
        ("FUT", "ESH3", "50", "ESH3/USD:USD"),
        ("CFD", "IBUS500", "1", "IBUS500/USD:USD"),
        ("CASH", "EUR.USD", "1", "EUR/USD"),
        ("CRYPTO", "BTC.USD-PAXOS", "1", "BTC/USD"),
        ("CRYPTO", "ETH", "1", "ETH/USD"),
    ],
)
def test_what_interactive_brokers_trades(
    tmp_path: Path, asset_class: str, symbol: str, multiplier: str, expected: str
) -> None:
    line = f"USD,{symbol},20220121;070000,-2,10.5,SELL,99,{asset_class},{multiplier},-1.2,-0.3"
    [told] = export(tmp_path, FLEX, line).told
    assert fill(told) == (expected, "SELL", "2", "10.5", "1.5", "USD")
    assert (told.at, told.multiplier) == (NOON, D(multiplier))


def test_a_flex_query_without_a_side_goes_by_the_sign_and_only_executions_are_told(tmp_path: Path) -> None:
    header = f"{FLEX},LevelOfDetail,IBCommissionCurrency"
    line = "USD,VTI,20220121;070000,{},10.5,{},{},STK,1,{},{},{},{}"
    found = export(
        tmp_path,
        header,
        line.format(-2, "", 1, "", "", "EXECUTION", ""),
        line.format(2, "", 2, "-1", "", "EXECUTION", "EUR"),
        line.format(2, "", 3, "-1", "", "ORDER", ""),
        line.format(2, "BUY (Ca.)", 4, "-1", "", "EXECUTION", ""),
        line.format(2, "BOUGHT", 5, "-1", "", "EXECUTION", ""),
        line.format(2, "BUY", 6, "-1", "-1", "EXECUTION", "EUR"),
        line.format(2, "BUY", 7, "-1", "", "EXECUTION", "").replace("STK", "BOND"),
    )
    assert [fill(told) for told in found.told] == [
        ("VTI/USD", "SELL", "2", "10.5", "0", ""),
        ("VTI/USD", "BUY", "2", "10.5", "1", "EUR"),
    ]
    assert [(complaint.line, complaint.column) for complaint in found.complaints] == [
        (5, "Buy/Sell"),
        (6, "Buy/Sell"),
        (7, "Taxes"),
        (8, "AssetClass"),
    ]


def test_an_activity_statement_of_interactive_brokers(tmp_path: Path) -> None:
    found = export(
        tmp_path,
        "Statement,Header,Field Name,Field Value",
        "Statement,Data,BrokerName,Interactive Brokers",
        "Trades,Data,Order,Stocks,USD,TOO EARLY",
        "Trades,Header,DataDiscriminator,Asset Category,Currency,Symbol,Date/Time,Quantity,T. Price,C. Price,Proceeds,"
        "Comm/Fee,Basis,Realized P/L,MTM P/L,Code",
        'Trades,Data,Order,Stocks,USD,VTI,"2022-01-21, 07:00:00","1,700",204.3,204,-347310,-1.5,1,0,0,O',
        'Trades,Data,ClosedLot,Stocks,USD,VTI,"2022-01-21, 07:00:00",1,204.3,204,-347310,-1.5,1,0,0,O',
        'Trades,Data,Order,Equity and Index Options,USD,AAPL 20JAN23 150 C,"2022-01-21, 07:00:00",-1,2,2,200,-1,1,0,0,',
        "Trades,SubTotal,,Stocks,USD,VTI,,1700,,,-347310,-1.5,1,0,0,",
        "Trades,Header,DataDiscriminator,Asset Category,Currency,Symbol,Date/Time,Quantity,T. Price,,Proceeds,"
        "Comm in EUR,,,MTM in EUR,Code",
        'Trades,Data,Order,Forex,USD,EUR.USD,"2022-01-21, 07:00:00",100,1.13,,-113,-1.8,,,0,',
        'Trades,Data,Order,Bonds,USD,T 5,"2022-01-21, 07:00:00",100,1.13,,-113,-1.8,,,0,',
        "Deposits & Withdrawals,Header,Currency,Settle Date,Description,Amount",
        'Deposits & Withdrawals,Data,USD,2022-01-21,Electronic Fund Transfer,"10,000"',
        "Deposits & Withdrawals,Data,USD,2022-01-22,Disbursement,-50",
        "Deposits & Withdrawals,Data,Total,,,9950",
        "Dividends,Header,Currency,Date,Description,Amount",
        "Dividends,Data,USD,2022-01-21,VTI Cash Dividend,12.5",
        "Withholding Tax,Header,Currency,Date,Description,Amount,Code",
        "Withholding Tax,Data,USD,2022-01-21,VTI US Tax,-1.88",
        "Interest,Header,Currency,Date,Description,Amount",
        "Interest,Data,USD,2022-01-21,Debit Interest,-3.1,",
        "Fees,Header,Subtitle,Currency,Date,Description,Amount",
        "Fees,Data,Other Fees,USD,2022-01-21,Market data,-10",
        "Financial Instrument Information,Header,Asset Category,Symbol,Description,Conid,Multiplier",
        "Financial Instrument Information,Data,Equity and Index Options,AAPL 20JAN23 150 C,AAPL,1,100",
    )
    assert found.format == "ibkr-activity"
    assert [fill(told) for told in found.told[:3]] == [
        ("VTI/USD", "BUY", "1700", "204.3", "1.5", "USD"),
        ("AAPL.20JAN23.150.C/USD", "SELL", "1", "2", "1", "USD"),
        ("EUR/USD", "BUY", "100", "1.13", "1.8", "EUR"),
    ]
    assert [told.multiplier for told in found.told[:3]] == [D(1), D(100), D(1)]
    assert [moved(told) for told in found.told[3:]] == [
        ("DEPOSIT", "", "USD", "10000"),
        ("WITHDRAWAL", "", "USD", "-50"),
        ("DIVIDEND", "", "USD", "12.5"),
        ("DIVIDEND", "", "USD", "-1.88"),
        ("INTEREST", "", "USD", "-3.1"),
        ("ADJUSTMENT", "", "USD", "-10"),
    ]
    assert [(complaint.line, complaint.column) for complaint in found.complaints] == [(11, "assetclass")]


def test_a_broken_line_of_an_activity_statement_is_named(tmp_path: Path) -> None:
    found = export(tmp_path, "Statement,Header,Field Name,Field Value", 'Statement,Data,"Broker')
    assert (found.told, [complaint.line for complaint in found.complaints]) == ([], [2])


# --- MetaTrader 5

DEALS = "Time;Deal;Symbol;Type;Direction;Volume;Price;Order;Commission;Fee;Swap;Profit;Balance;Comment"


def deal(number: int, symbol: str, side: str, *numbers: str) -> str:
    volume, price, profit = numbers
    return f"2022.01.21 12:00:{number:02};{number};{symbol};{side};in;{volume};{price};1;0;0;0;{profit};0;"


def test_a_lot_is_the_usual_one_or_what_closed_positions_say(tmp_path: Path) -> None:
    found = export(
        tmp_path,
        DEALS,
        deal(1, "EURUSD", "buy", "0.1", "1.1", "0"),
        deal(2, "EURUSD", "sell", "0.1", "1.101", "10"),
        deal(3, "US500", "sell", "2", "4000", "0"),
        deal(4, "US500", "buy", "2", "3990", "200"),
        deal(5, "US500", "buy", "1", "3990", "0"),
        # Bought and sold at one price: this says nothing about a lot, the next position does.
        deal(6, "OIL", "buy", "1", "70", "0"),
        deal(7, "OIL", "sell", "1", "70", "0"),
        deal(8, "OIL", "sell", "1", "71", "0"),
        deal(9, "OIL", "buy", "1", "70", "1000"),
        currency="USD",
    )
    assert (found.complaints, [told.multiplier for told in found.told]) == (
        [],
        [D(100_000)] * 2 + [D(10)] * 3 + [D(1000)] * 4,
    )
    assert [told.symbol for told in found.told] == [
        *(["EURUSD/USD:USD"] * 2 + ["US500/USD:USD"] * 3 + ["OIL/USD:USD"] * 4),
    ]


@pytest.mark.parametrize(
    ("lines", "column", "remedy"),
    [
        ((deal(1, "US500", "buy", "1", "4000", "0"),), "Symbol", "nothing here says what one lot stands for"),
        ((deal(1, "EURJPY", "buy", "1", "160", "0"),), "Symbol", "prices are in JPY and profits in USD"),
        (
            (deal(1, "EURUSD", "buy", "1", "1.1", "0"), deal(2, "EURUSD", "sell", "1", "1.2", "100")),
            "Profit",
            "prices and volumes to line 3 make 10000 at 100000 a lot; add a column Contract Size",
        ),
        (
            (deal(1, "DAX", "buy", "1", "100", "0"), deal(2, "DAX", "sell", "1", "200", "342")),
            "Profit",
            "no lot of DAX makes this; add a column Contract Size",
        ),
        ((deal(1, "EURUSD", "buy", "1", "0", "0"),), "Price", "a fill has a price above 0"),
        ((deal(1, "", "buy", "1", "1", "0"),), "Symbol", "this may not be empty"),
        ((deal(1, "", "magic", "1", "1", "0"),), "Type", "nobody knows this"),
    ],
)
def test_profits_that_prices_do_not_explain_are_refused(
    tmp_path: Path, lines: tuple[str, ...], column: str, remedy: str
) -> None:
    found = export(tmp_path, DEALS, *lines, currency="USD")
    assert (found.told, found.complaints[0].column) == ([], column)
    assert remedy in found.complaints[0].remedy


def test_a_lot_that_somebody_wrote_beside_the_deals_is_taken(tmp_path: Path) -> None:
    header = f"{DEALS};Contract Size"
    lines = (deal(1, "DAX", "buy", "1", "100", "0"), deal(2, "DAX", "sell", "1", "200", "2500"))
    found = export(tmp_path, header, *(f"{line};25" for line in lines), currency="EUR")
    assert [told.multiplier for told in found.told] == [D(25), D(25)]
    two = export(tmp_path, header, f"{lines[0]};25", f"{lines[1]};5", currency="EUR")
    assert two.sentences == ["line 2, column Contract Size: '5, 25': DAX has one contract size"]


def test_money_of_a_metatrader_account(tmp_path: Path) -> None:
    line = "2022.01.21 12:00:00;{};;{};;;;;{};0;0;{};0;{}"
    found = export(
        tmp_path,
        DEALS,
        line.format(1, "balance", "0", "1 000.50", "in"),
        line.format(2, "balance", "0", "-200", ""),
        line.format(3, "commission monthly", "-3", "0", ""),
        line.format(4, "interest", "0", "1", ""),
        line.format(5, "credit", "0", "0", ""),
        currency="EUR",
        zone="Europe/Athens",
    )
    assert [moved(told) for told in found.told] == [
        ("DEPOSIT", "", "EUR", "1000.5"),
        ("WITHDRAWAL", "", "EUR", "-200"),
        ("ADJUSTMENT", "", "EUR", "-3"),
        ("INTEREST", "", "EUR", "1"),
    ]
    assert [told.note for told in found.told] == ["balance in", "balance", "commission monthly", "interest"]
    assert found.told[0].at.hour == 10


def test_a_metatrader_export_names_no_currency_so_somebody_must(tmp_path: Path) -> None:
    with pytest.raises(NotReadable, match=r"column 'Profit'.*--currency USD"):
        export(tmp_path, DEALS, deal(1, "EURUSD", "buy", "1", "1.1", "0"))


# --- programs that keep tax books


def test_what_trackers_tell_besides_trades(tmp_path: Path) -> None:
    found = export(
        tmp_path,
        "Date,Received Quantity,Received Currency,Sent Quantity,Sent Currency,Fee Amount,Fee Currency,Tag",
        "1/21/2022 12:00,0.1,ETH,200,BUSD,0.001,ETH,",
        "1/21/2022 12:00,5,FOO,3,BAR,,,swap",
        "1/21/2022 12:01,100,USDT,,,,,",
        "1/21/2022 12:02,,,50,USDT,1,USDT,",
        "1/21/2022 12:03,,,,,,,",
    )
    first, second, *rest = found.told
    assert fill(first) == ("ETH/BUSD", "BUY", "0.1", "2000", "0.001", "ETH")
    # Nobody knows which of the two is the price: what was given is.
    assert fill(second) == ("FOO/BAR", "BUY", "5", "0.6", "0", "")
    assert [moved(told) for told in rest] == [
        ("DEPOSIT", "", "USDT", "100"),
        ("WITHDRAWAL", "", "USDT", "-50"),
        ("ADJUSTMENT", "", "USDT", "-1"),
    ]
    assert [(complaint.line, complaint.column) for complaint in found.complaints] == [(6, "Sent Currency")]


def test_a_purchase_at_coincheck_that_is_not_completed_is_none(tmp_path: Path) -> None:
    header = "ID,Amount,Price,Trading Currency,Original Currency,Progress,Time"
    lines = [
        f"{number},0.5,10000,BTC,JPY,{word},2022-01-21 12:00:00 UTC"
        for number, word in enumerate(("canceled", "completed"))
    ]
    found = export(tmp_path, header, *lines)
    assert [fill(told) for told in found.told] == [("BTC/JPY", "BUY", "0.5", "20000", "0", "")]


INTRA = (
    "Unique ID,Timestamp,Asset,From Exchange,From Holder,To Exchange,To Holder,Spot Price,Crypto Sent,"
    "Crypto Received,Notes"
)


def test_moves_of_which_one_end_is_known_are_matched_by_their_id(tmp_path: Path) -> None:
    found = export(
        tmp_path,
        INTRA,
        "x,2022-01-21T12:00:00Z,BTC,FTX,Bob,,,40000,0.2,,",
        "y,2022-01-21T12:00:00Z,BTC,FTX,Bob,,,40000,0.3,,gone",
        "x,2022-01-21T12:30:00Z,BTC,,,Home,Bob,40000,,0.19,",
        ",2022-01-21T12:30:00Z,BTC,,,Home,Bob,40000,,0.4,",
        ",2022-01-21T12:30:00Z,BTC,A,Bob,B,Bob,,0.4,0.4,",
        ",2022-01-21T12:31:00Z,BTC,A,Bob,B,Bob,1,0.4,0.5,",
        currency="USD",
    )
    fee, proceeds, left, came = found.told
    assert (fill(fee), fee.lines) == (("BTC/USD", "SELL", "0.01", "40000", "0", ""), (2,))
    assert (moved(proceeds), found.raws[0].count("\n")) == (("WITHDRAWAL", "", "USD", "-400"), 1)
    assert [moved(left), moved(came)] == [
        ("WITHDRAWAL", "BTC/USD", "BTC", "-0.3"),
        ("DEPOSIT", "BTC/USD", "BTC", "0.4"),
    ]
    assert came.cost is None
    assert found.sentences == ["line 7, column Crypto Received: '0.5': more arrived than was sent"]


@pytest.mark.parametrize(
    ("kind", "fees", "expected"),
    [
        ("Buy", "0.01,,,", ("BTC/USD", "BUY", "2", "100", "0.01", "BTC")),
        ("BUY", ",201,,", ("BTC/USD", "BUY", "2", "100.5", "0", "")),
        ("buy", ",,,5", ("BTC/USD", "BUY", "2", "100", "5", "USD")),
    ],
)
def test_what_dali_bought(tmp_path: Path, kind: str, fees: str, expected: tuple[str, ...]) -> None:
    header = (
        "Unique ID,Timestamp,Asset,Exchange,Holder,Transaction Type,Spot Price,Crypto In,Crypto Fee,USD In No Fee,"
        "USD In With Fee,USD Fee,Notes"
    )
    found = export(tmp_path, header, f"i,2022-01-21T12:00:00Z,BTC,FTX,Bob,{kind},100,2,{fees},")
    assert [fill(told) for told in found.told] == [expected]
    gift = export(tmp_path, header, "i,2022-01-21T12:00:00Z,BTC,FTX,Bob,gift,100,2,,,,,")
    assert (moved(gift.told[0]), gift.told[0].cost) == (("DEPOSIT", "BTC/USD", "BTC", "2"), D(200))
    for wrong in ("theft,100,2,,,,,", "buy,100,2,1,,,1,", "buy,,2,,,,,"):
        assert len(export(tmp_path, header, f"i,2022-01-21T12:00:00Z,BTC,FTX,Bob,{wrong}").complaints) == 1


def test_what_dali_sold(tmp_path: Path) -> None:
    header = (
        "Unique ID,Timestamp,Asset,Exchange,Holder,Transaction Type,Spot Price,Crypto Out No Fee,Crypto Fee,"
        "Crypto Out With Fee,Fiat Out No Fee,Fiat Fee,Notes"
    )
    at = "2022-01-21T12:00:00Z,BTC,FTX,Bob"
    lines = (f"1,{at},SELL,100,2,,,,7,", f"2,{at},FEE,100,2,0.5,,,,", f"3,{at},THEFT,100,2,0.5,,,,")
    found = export(tmp_path, header, *lines, currency="EUR")
    assert [told.side for told in found.told[:2]] == [Side.SELL, Side.SELL]
    assert fill(found.told[0]) == ("BTC/EUR", "SELL", "2", "100", "7", "EUR")
    assert fill(found.told[1]) == ("BTC/EUR", "SELL", "2.5", "100", "0", "")
    assert moved(found.told[2]) == ("WITHDRAWAL", "", "EUR", "-250")
    assert [complaint.column for complaint in found.complaints] == ["Transaction Type"]
