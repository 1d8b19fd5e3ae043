"""Hummingbot's database: fills (`TradeFill`) and funding (`FundingPayment`) of every market that its strategies traded.

A fill keeps its strategy; `triggered_by` names the configuration that ran it. A market is a venue of ours; what
`_perpetual` stands behind is that exchange's futures, whose contracts are settled in what they are priced in.

Rule 1. Since version 20220130 prices and amounts are whole millionths, before they were floats. The type of the column
        `price` tells which: `amount` kept its old type where a database was upgraded.
Rule 2. A fee is what the exchange took (`flat_fees`), each in its own coin. One that is a share only (`percent`) is
        counted as hummingbot counts it: of the value, in the quote asset; where it was paid in another coin, by the
        value in quote that hummingbot noted.
Rule 3. An id is the one that hummingbot's own upgrade gives a fill, so that a database tells the same things before it
        was upgraded and after.

Source: hummingbot `model/trade_fill.py`, `model/funding_payment.py`, `model/decimal_type_decorator.py`,
        `model/db_migration/transformations.py`, `core/data_type/trade_fee.py`, `connector/markets_recorder.py`
        (commits 08b9348, 26c51ff, 985f915, 2c99a93, 0502e88).

What must not enter: how what was told is booked; its orders, which say nothing that its fills do not.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from plimsoll.imports.database_cells import columns_of, number_of, pair_of, raw_of, text_of, time_of
from plimsoll.imports.source_copy import Prints, copied_database, prints_of
from plimsoll.imports.statement import COMPLAINT_LIMIT, Complaint, NotReadable, Options, ToldLine
from plimsoll.model import money
from plimsoll.model.cash import FUTURES, CashKind
from plimsoll.model.errors import Illegal
from plimsoll.model.order import Side
from plimsoll.model.told import Told

FORMAT = "hummingbot"

_FILLS, _FUNDING = "TradeFill", "FundingPayment"
_NEEDED = {
    _FILLS: (
        *("config_file_path", "strategy", "market", "symbol", "base_asset", "quote_asset", "timestamp", "order_id"),
        *("trade_type", "price", "amount", "trade_fee", "exchange_trade_id"),
    ),
    _FUNDING: ("timestamp", "config_file_path", "market", "symbol", "amount"),
}
#: Its place in the table, read beside what the table has.
_ROW = "plimsoll_row"
_MILLIONTHS = Decimal("0.000001")
_PERPETUAL = "_perpetual"
#: Perpetuals that are priced in dollars and settled in the coin: what an amount of them is, their fills do not say.
_SETTLED_IN_COINS = frozenset({("bybit", "USD"), ("binance", "USD"), ("okx", "USD"), ("kucoin", "USD")})
_SIDES = {"BUY": Side.BUY, "SELL": Side.SELL}


@dataclass(frozen=True, slots=True)
class _Market:
    """Where something was traded, and as what."""

    venue: str
    symbol: str
    base: str
    quote: str
    is_perpetual: bool


@dataclass(frozen=True, slots=True)
class _Fee:
    """What an exchange took of a fill: in one asset with the fill, and in others beside it."""

    amount: Decimal = money.ZERO
    asset: str = ""
    others: tuple[tuple[str, Decimal], ...] = ()
    note: str = ""


class HummingbotStatement:
    """A database of hummingbot's, to be read."""

    format = FORMAT

    def __init__(self, path: Path, options: Options) -> None:
        """Look whether it can be read.

        Raises: NotReadable, NotADatabase, SourceChanged
        """
        self._path, self._options = path, options
        self._prints: Prints = prints_of(path)
        self.file_name = path.name
        self.venue = options.venue or "statement"
        with copied_database(path, self._prints) as connection:
            columns = {table: columns_of(connection, table) for table in _NEEDED}
            #: Versions before the first futures had no funding.
            self._has_funding = bool(columns[_FUNDING])
            for table in (_FILLS, *([_FUNDING] if self._has_funding else [])):
                _check_columns(table, columns[table])
            self._strategies = _strategies(connection)
            self._is_scaled = "INT" in columns[_FILLS]["price"][1]
            self._has_row_ids = "id" in columns[_FILLS]
            #: Rows of both tables.
            self.line_count = sum(
                int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608  names of ours
                for table in _NEEDED
                if columns[table]
            )
        self.sha256 = self._prints[0] or ""

    def read(self) -> Iterator[ToldLine | Complaint]:
        """Tell every fill, what else it cost, and every funding payment.

        Raises: SourceChanged when it is no longer what was looked at
        """
        complaints = 0
        with copied_database(self._path, self._prints) as connection:
            for table in (_FILLS, *([_FUNDING] if self._has_funding else [])):
                tell = self._fill if table == _FILLS else self._funding
                rows = connection.execute(f"SELECT *, rowid AS {_ROW} FROM {table}")  # noqa: S608  names of ours
                for row in rows:
                    line = int(row[_ROW])
                    try:
                        told = tell(row, line)
                    except Illegal as bad:
                        yield Complaint(line, f"{table}.{bad.field}", str(bad.value), bad.remedy)
                        complaints += 1
                        if complaints == COMPLAINT_LIMIT:
                            return
                        continue
                    yield from (ToldLine(one, raw_of(row, _ROW)) for one in told)

    def _fill(self, row: sqlite3.Row, line: int) -> tuple[Told, ...]:
        market = self._market(row, base=_text(row, "base_asset"), quote=_text(row, "quote_asset"))
        side = _SIDES.get(_text(row, "trade_type").upper())
        if side is None:
            raise Illegal("trade_type", row["trade_type"], "a fill is a BUY or a SELL")
        quantity, price = self._number(row, "amount"), self._number(row, "price")
        for name, value in (("amount", quantity), ("price", price)):
            if value <= 0:
                remedy = (
                    "hummingbot keeps six places, and nothing of this was left: import the exchange's own statement"
                )
                raise Illegal(name, row[name], remedy)
        fee = self._fee(row, market, money.settle_product(quantity, price))
        reference, at = self._reference(row), time_of(row["timestamp"], "timestamp")
        fill = Told(
            lines=(line,),
            kind=CashKind.TRADE,
            at=at,
            reference=reference,
            symbol=market.symbol,
            side=side,
            quantity=quantity,
            price=price,
            fee=fee.amount,
            fee_asset=fee.asset or market.quote,
            order_id=_text(row, "order_id"),
            strategy=_text(row, "strategy"),
            triggered_by=f"hummingbot:{_configuration(row)}",
            note=fee.note,
            venue=market.venue,
        )
        more = tuple(
            Told(
                lines=(line,),
                kind=CashKind.ADJUSTMENT,
                at=at,
                reference=f"{reference}:fee",
                asset=asset,
                amount=-amount,
                strategy=fill.strategy,
                triggered_by=fill.triggered_by,
                note=f"fee of {market.symbol} {reference}, which was paid in two coins",
                venue=market.venue,
            )
            for asset, amount in fee.others
        )
        return (fill, *more)

    def _funding(self, row: sqlite3.Row, line: int) -> tuple[Told, ...]:
        base, quote = pair_of(_text(row, "symbol"), "symbol")
        market = self._market(row, base=base, quote=quote)
        amount = number_of(row["amount"], "amount")
        if not amount:  # a position that was flat when funding fell due
            return ()
        return (
            Told(
                lines=(line,),
                kind=CashKind.FUNDING,
                at=time_of(row["timestamp"], "timestamp"),
                reference=f"{_text(row, 'market')}:{_text(row, 'timestamp')}",
                symbol=market.symbol,
                asset=market.quote,
                amount=amount,
                strategy=self._strategies.get(_text(row, "config_file_path"), ""),
                triggered_by=f"hummingbot:{_configuration(row)}",
                pocket=FUTURES,
                venue=market.venue,
            ),
        )

    def _market(self, row: sqlite3.Row, *, base: str, quote: str) -> _Market:
        name = _text(row, "market").lower()
        if not name:
            raise Illegal("market", row["market"], "name the exchange")
        base, quote = pair_of(f"{base}-{quote}", "symbol")
        exchange, perpetual, after = name.partition(_PERPETUAL)
        if not perpetual:
            return _Market(self._venue(name), f"{base}/{quote}", base, quote, is_perpetual=False)
        if (exchange, quote) in _SETTLED_IN_COINS:
            remedy = "contracts that are settled in the coin: import the exchange's own statement"
            raise Illegal("symbol", row["symbol"], remedy)
        # A testnet's fills stay apart from those of the exchange.
        return _Market(self._venue(exchange + after), f"{base}/{quote}:{quote}", base, quote, is_perpetual=True)

    def _venue(self, name: str) -> str:
        # Empty: the import's own, which is what the person said.
        return "" if self._options.venue else name

    def _number(self, row: sqlite3.Row, column: str) -> Decimal:
        number = number_of(row[column], column)
        return money.settle_product(number, _MILLIONTHS) if self._is_scaled else number

    def _reference(self, row: sqlite3.Row) -> str:
        ids = [_text(row, "order_id"), _text(row, "exchange_trade_id")]
        if self._has_row_ids:
            ids[1] += f"_{row['id']}"
        return ":".join(ids)

    def _fee(self, row: sqlite3.Row, market: _Market, value: Decimal) -> _Fee:
        told = _fee_json(row)
        percent, flat = _percent(row, told), _flat_fees(row, told)
        token = str(told.get("percent_token") or market.quote).upper()
        note = ""
        if percent and token not in (market.quote, market.base):
            counted = self._counted_in_quote(row)
            note = f"the fee was paid in {token}; this is its value as hummingbot noted it"
            if counted is None or flat:
                counted, note = money.settle_product(value, percent), f"the fee was paid in {token}, at this value"
            flat[market.quote] = flat.get(market.quote, money.ZERO) + counted
        elif percent and token == market.base:
            flat[token] = flat.get(token, money.ZERO) + money.settle_product(self._number(row, "amount"), percent)
        elif percent:
            flat[token] = flat.get(token, money.ZERO) + money.settle_product(value, percent)
        first, *others = sorted(flat.items(), key=lambda item: (item[0] != market.quote, item[0])) or [("", money.ZERO)]
        return _Fee(first[1], first[0], tuple(others), note)

    def _counted_in_quote(self, row: sqlite3.Row) -> Decimal | None:
        # Not there before 2023; 0 where hummingbot had no rate.
        if "trade_fee_in_quote" not in row.keys():  # noqa: SIM118  a row's own `in` looks at its values
            return None
        counted = row["trade_fee_in_quote"]
        return self._number(row, "trade_fee_in_quote") if counted else None


def _check_columns(table: str, columns: Mapping[str, tuple[str, str]]) -> None:
    missing = [name for name in _NEEDED[table] if name not in columns]
    if missing:
        has = ", ".join(sorted(columns))
        raise NotReadable(
            f"hummingbot's table {table} has no column {', '.join(missing)}; it has {has}: "
            f"let a release of hummingbot that knows this database upgrade it, and import it then"
        )


def _strategies(connection: sqlite3.Connection) -> dict[str, str]:
    """Say what each configuration ran: funding names no strategy, and belongs to the position that paid it."""
    ran: dict[str, set[str]] = {}
    for row in connection.execute(f"SELECT DISTINCT config_file_path, strategy FROM {_FILLS}"):  # noqa: S608  ours
        ran.setdefault(str(row[0]), set()).add(str(row[1]))
    return {configuration: strategies.pop() for configuration, strategies in ran.items() if len(strategies) == 1}


def _text(row: sqlite3.Row, column: str) -> str:
    return text_of(row[column], column)


def _configuration(row: sqlite3.Row) -> str:
    return Path(_text(row, "config_file_path")).stem or "unnamed"


def _fee_json(row: sqlite3.Row) -> Mapping[str, object]:
    cell = row["trade_fee"]
    try:
        # Numbers as they are written: a float would be its binary self.
        told = json.loads(cell, parse_float=str, parse_int=str, parse_constant=str) if cell else {}
    except (ValueError, TypeError, RecursionError) as broken:
        raise Illegal("trade_fee", cell, _HOW_FEE) from broken
    if not isinstance(told, dict):
        raise Illegal("trade_fee", cell, _HOW_FEE)
    return told


_HOW_FEE = 'a fee is written as {"percent": "0.001", "flat_fees": [{"token": "USDT", "amount": "0.1"}]}'


def _percent(row: sqlite3.Row, told: Mapping[str, object]) -> Decimal:
    percent = told.get("percent")
    if percent is not None and not isinstance(percent, str):
        raise Illegal("trade_fee", row["trade_fee"], _HOW_FEE)
    return number_of(percent or 0, "trade_fee")


def _flat_fees(row: sqlite3.Row, told: Mapping[str, object]) -> dict[str, Decimal]:
    entries, flat = told.get("flat_fees") or [], dict[str, Decimal]()
    if not isinstance(entries, list):
        raise Illegal("trade_fee", row["trade_fee"], _HOW_FEE)
    for entry in entries:
        # [token, amount] in the oldest versions, then {asset, amount}, today {token, amount}.
        asset, amount = None, None
        if isinstance(entry, list) and len(entry) == 2:
            asset, amount = entry
        elif isinstance(entry, dict):
            asset, amount = entry.get("token") or entry.get("asset"), entry.get("amount")
        if not isinstance(asset, str) or not isinstance(amount, str):
            raise Illegal("trade_fee", row["trade_fee"], _HOW_FEE)
        name, paid = text_of(asset, "trade_fee").upper(), number_of(amount, "trade_fee")
        flat[name] = flat.get(name, money.ZERO) + paid
    return {name: paid for name, paid in flat.items() if paid}
