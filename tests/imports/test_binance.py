"""Binance: an amount that is glued to an asset beginning with digits, and what happens within one second."""

from collections.abc import Iterator
from decimal import Decimal, localcontext
from pathlib import Path

import pytest

from plimsoll.imports.reading import Options
from plimsoll.model.money import EXACT
from plimsoll.model.order import Side
from tests.builders.statements import Read, read, written

D = Decimal
HEADER = "Date(UTC),Pair,Side,Price,Executed,Amount,Fee"


@pytest.fixture(autouse=True)
def _exact() -> Iterator[None]:
    """Reckon as the program does, where rounding that nobody asked for is an error."""
    with localcontext(EXACT):
        yield


def trades(folder: Path, *lines: str) -> Read:
    return read(written(folder, "\n".join([HEADER, *(f"2022-01-21 12:00:00,{line}" for line in lines)])), Options())


@pytest.mark.parametrize(
    ("line", "symbol", "quantity", "fee"),
    [
        ("1INCHUSDT,BUY,2,10.51INCH,21USDT,0.01BNB", "1INCH/USDT", "10.5", ("0.01", "BNB")),
        ("1INCHUSDT,BUY,2,10.51INCH,21USDT,0.01051INCH", "1INCH/USDT", "10.5", ("0.0105", "1INCH")),
        ("1000SATSUSDT,SELL,0.5,501000SATS,25USDT,0.025USDT", "1000SATS/USDT", "50", ("0.025", "USDT")),
        ("1inch/usdt,BUY,2,10.51inch,21usdt,", "1INCH/USDT", "10.5", ("0", "")),
        ("INCH-USDT,BUY,2,10.51INCH,21.02USDT,", "INCH/USDT", "10.51", ("0", "")),
        ('BTCUSDT,BUY,"38,000.5","1,000 BTC","38,000,500USDT",1 BTC', "BTC/USDT", "1000", ("1", "BTC")),
        ("AABNBBTC,BUY,2,1AABNB,2BTC,0.5BNB", "AABNB/BTC", "1", ("0.5", "BNB")),
        # The export drops what stands behind the eighth place.
        ("DOGEBTC,BUY,0.00000123,7.7DOGE,0.00000947BTC,", "DOGE/BTC", "7.7", ("0", "")),
    ],
)
def test_the_pair_says_where_an_amount_ends_and_its_asset_begins(
    tmp_path: Path, line: str, symbol: str, quantity: str, fee: tuple[str, str]
) -> None:
    found = trades(tmp_path, line)
    assert found.sentences == []
    [told] = found.told
    assert (told.symbol, told.quantity, told.fee, told.fee_asset) == (symbol, D(quantity), D(fee[0]), fee[1])


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            "BTCUSDT,BUY,2,10.5BTC,22USDT,",
            "column Amount: '22USDT': quantity by price is 21; is a digit of the asset's",
        ),
        ("BTCUSDT,BUY,2,10.5ETH,21USDT,", "column Pair: 'BTCUSDT': Executed and Amount are not in the assets of the"),
        ("BTCUSDT,BUY,2,10.5BTC,21BUSD,", "column Pair: 'BTCUSDT': Executed and Amount are not in the assets of the"),
        ("BTCUSDT,BUY,2,10.5BTC,twenty,", "column Amount: 'twenty': write an amount with its asset behind it"),
        ("BTCUSDT,BUY,2,1.0.5BTC,21USDT,", "column Executed: '1.0.5': write a plain decimal number"),
        ("BTCUSDT,BUY,2,,21USDT,", "column Executed: '': this may not be empty"),
        (",BUY,2,1BTC,2USDT,", "column Pair: '': this may not be empty"),
        ("BTCUSDT,BUY,2,1BTC,2USDT,x", "column Fee: 'x': write an amount with its asset behind it"),
    ],
)
def test_amounts_that_do_not_belong_together_are_refused(tmp_path: Path, line: str, sentence: str) -> None:
    found = trades(tmp_path, line)
    assert (found.told, len(found.complaints)) == ([], 1)
    assert sentence in found.sentences[0]


def test_a_purchase_stands_before_its_sale_of_the_same_second(tmp_path: Path) -> None:
    bought, sold = "ETHUSDT,BUY,2,{0}ETH,{1}USDT,", "ETHUSDT,SELL,3,{0}ETH,{2}USDT,"
    lines = [form.format(size, 2 * size, 3 * size) for size in range(1, 20) for form in (sold, bought)]
    found = trades(tmp_path, *lines)
    sides = [told.side for told in sorted(found.told, key=lambda told: told.order)]
    assert sides == [Side.BUY] * 19 + [Side.SELL] * 19


def test_coins_come_before_they_go_in_the_history_of_one_second(tmp_path: Path) -> None:
    rows = [("Withdraw", "BTC", "-1"), ("Deposit", "BTC", "1"), ("Transaction Buy", "ETH", "2")]
    rows += [("Transaction Spend", "USDT", "-9")]
    text = "User_ID,UTC_Time,Account,Operation,Coin,Change,Remark\n"
    text += "\n".join(f"1,2022-01-21 12:00:00,Spot,{word},{coin},{change}," for word, coin, change in rows)
    found = read(written(tmp_path, text), Options())
    assert sorted((told.kind.value, told.sequence) for told in found.told) == [
        *(("DEPOSIT", 0), ("TRADE", 0), ("WITHDRAWAL", 1)),
    ]
