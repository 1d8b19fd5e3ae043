"""Binance: trades of the spot market in its two forms, the savings plan, and the history of all transactions.

    Date(UTC),Pair,Side,Price,Executed,Amount,Fee                        amounts with their asset: 0.5BTC
    Date(UTC),Market,Type,Price,Amount,Total,Fee,Fee Coin
    Auto-Invest Date(UTC),Holding Coin,Amount per period,Trading Fee,Units,From,Status
    User_ID,UTC_Time,Account,Operation,Coin,Change,Remark

None of them has ids: a line is named by what it says. Trades of the same second that say the same are told apart by
their count, so that a period must be exported whole.

What must not enter: Binance's interfaces for programs.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from decimal import Decimal
from functools import partial

from plimsoll.imports import csv_file
from plimsoll.imports.cells import (
    Twins,
    asset,
    grouped_number,
    moment,
    order_shown,
    pair,
    price_of,
    split_pair,
    turn_of,
)
from plimsoll.imports.coinbase import side_of
from plimsoll.imports.csv_file import Format, Row, Shape, complaint, told_rows
from plimsoll.imports.groups import Group, both_ways, exchanged, one_fee
from plimsoll.imports.movements import movement
from plimsoll.imports.statement import Complaint, Options, ToldLine
from plimsoll.model.cash import CashKind
from plimsoll.model.errors import Illegal
from plimsoll.model.money import ZERO, settle_product
from plimsoll.model.order import Side
from plimsoll.model.told import Told

#: What an export drops behind the last place it shows.
_LAST_PLACE, _ROUNDED = Decimal("0.00000001"), Decimal("0.000001")
_DATE, _PLAN_DATE = "date(utc)", "auto-invest date(utc)"


def _new_form(row: Row, twins: Twins) -> Iterable[Told]:
    base, quote = _pair_of(row)
    quantity, amount = _amount_of("executed", row, base), _amount_of("amount", row, quote)
    price = row.number("price", read=grouped_number)
    if abs(settle_product(quantity, price) - amount) > max(_LAST_PLACE, settle_product(amount.copy_abs(), _ROUNDED)):
        remedy = (
            f"quantity by price is {settle_product(quantity, price):f}; is a digit of the asset's name one of them?"
        )
        raise Illegal("amount", row.text("amount"), remedy)
    side, fee = side_of(row.needed("side"), "side"), _fee_of(row, (base, quote))
    yield _trade(row, twins, pair(base, quote, "pair"), side, quantity=quantity, fee=fee)


def _pair_of(row: Row) -> tuple[str, str]:
    """Take the pair apart where both amounts say its assets.

    An asset's name is glued to its amount and may begin with digits: 10.51INCH are 10.5 of 1INCH, which only the pair
    knows.

    Raises: Illegal
    """
    word = re.sub("[-_/]", "", row.needed("pair").upper())
    parts = ((word[:at], word[at:]) for at in range(1, len(word)))
    for base, quote in parts:
        if _number_before("executed", row, base) is not None and _number_before("amount", row, quote) is not None:
            return asset(base, "pair"), asset(quote, "pair")
    for column in ("executed", "amount"):
        row.number_with_unit(column)
    raise Illegal("pair", row.text("pair"), "Executed and Amount are not in the assets of the pair; is it another one?")


def _number_before(column: str, row: Row, unit: str) -> Decimal | None:
    """Read an amount that has this asset behind it; None where it is in another, or is none at all."""
    text = row.text(column).upper()
    try:
        return grouped_number(text.removesuffix(unit).strip(), column) if text.endswith(unit) else None
    except Illegal:
        return None


def _amount_of(column: str, row: Row, unit: str) -> Decimal:
    return grouped_number(row.needed(column).upper().removesuffix(unit).strip(), column)


def _fee_of(row: Row, assets: tuple[str, str]) -> tuple[Decimal, str]:
    """Read the fee, which is in an asset of the pair or in a third."""
    if not row.text("fee"):
        return ZERO, ""
    for unit in assets:
        if (fee := _number_before("fee", row, unit)) is not None:
            return fee, unit
    return row.number_with_unit("fee")


def _old_form(row: Row, twins: Twins) -> Iterable[Told]:
    symbol = pair(*split_pair(row.needed("market"), "market"), "market")
    quantity, fee = row.number("amount", read=grouped_number), row.number_or_zero("fee", read=grouped_number)
    paid = (fee, asset(row.needed("fee coin"), "fee coin") if fee else "")
    yield _trade(row, twins, symbol, side_of(row.needed("type"), "type"), quantity=quantity, fee=paid)


def _trade(row: Row, twins: Twins, symbol: str, side: Side, *, quantity: Decimal, fee: tuple[Decimal, str]) -> Told:
    at, price = moment(row.needed(_DATE), _DATE), row.number("price", read=grouped_number)
    paid, paid_in = fee
    return Told(
        (row.line,),
        CashKind.TRADE,
        at,
        twins.reference("binance", at, symbol, side, quantity, price, paid, paid_in),
        symbol,
        side,
        quantity,
        price,
        paid,
        paid_in if paid else "",
        sequence=turn_of(side),
    )


def _of_a_plan(row: Row, options: Options, twins: Twins, dates: str | None) -> Iterable[Told]:
    status = row.needed("status")
    if status.lower() != "success":
        return
    at = moment(row.needed(_PLAN_DATE), _PLAN_DATE, dates=options.dates or dates)
    paid, quote = row.number_with_unit("amount per period")
    quantity, base = row.number_with_unit("units")
    fee, paid_in = row.number_with_unit("trading fee") if row.text("trading fee") else (ZERO, "")
    # The amount per period is all that was taken, the fee among it.
    price = price_of(paid - fee if paid_in == quote else paid, quantity, "units")
    yield Told(
        (row.line,),
        CashKind.TRADE,
        at,
        twins.reference("auto-invest", at, base, quote, quantity, paid, fee, paid_in),
        pair(base, quote, "units"),
        Side.BUY,
        quantity,
        price,
        fee,
        paid_in if fee else "",
        triggered_by="binance:auto-invest",
        note=row.text("from"),
    )


# --- the history of all transactions

_IN_TRADES = frozenset(
    {
        *("buy", "sell", "transaction related", "transaction buy", "transaction spend", "transaction revenue"),
        *("transaction sold", "small assets exchange bnb", "small assets exchange bnb (spot)", "large otc trading"),
        *("binance convert", "token swap - redenomination/rebranding"),
    }
)
_FEES = frozenset({"fee", "transaction fee"})
_MOVEMENTS = {
    **dict.fromkeys(("deposit", "fiat deposit", "withdraw", "fiat withdraw", "fiat withdrawal"), CashKind.DEPOSIT),
    **dict.fromkeys(("pos savings interest", "savings interest", "simple earn flexible interest"), CashKind.INTEREST),
    **dict.fromkeys(("simple earn locked rewards", "staking rewards", "eth 2.0 staking rewards"), CashKind.INTEREST),
    **dict.fromkeys(("distribution", "airdrop assets", "commission history", "commission rebate"), CashKind.DIVIDEND),
    **dict.fromkeys(("funding fee",), CashKind.FUNDING),
    **dict.fromkeys(("isolated margin loan", "margin loan"), CashKind.BORROW),
    **dict.fromkeys(("isolated margin repayment", "margin repayment"), CashKind.REPAY),
}
#: Between pockets of one owner: the sum is nothing.
_WITHIN = frozenset(
    {
        *("transfer between main and funding wallet", "transfer between main account and margin account"),
        *("transfer between spot account and um futures account", "simple earn flexible subscription"),
        *(
            "simple earn flexible redemption",
            "savings purchase",
            "savings principal redemption",
            "pos savings purchase",
        ),
        *("pos savings redemption", "staking purchase", "staking redemption"),
        *("transfer between main account/futures and margin account",),
    }
)
_OPERATION = "operation"


def _tell_history(shape: Shape, options: Options) -> Iterator[ToldLine | Complaint]:
    groups: dict[tuple[str, str], Group] = {}
    twins = Twins()
    for row in csv_file.rows(shape):
        if isinstance(row, Complaint):
            yield row
            continue
        try:
            word = row.needed(_OPERATION).lower()
            if word in _IN_TRADES or word in _FEES:
                groups.setdefault((row.needed("utc_time"), row.text("account")), Group(every_line=True)).add(row)
            elif word not in _WITHIN:
                yield ToldLine(_moved(row, word, options, twins), row.raw)
        except Illegal as problem:
            yield row.complain(problem)
    for group in groups.values():
        try:
            yield ToldLine(_trade_of(group, twins), group.raw)
        except Illegal as problem:
            yield complaint(shape, group.rows[0].line, problem)


def _moved(row: Row, word: str, options: Options, twins: Twins) -> Told:
    kind = _MOVEMENTS.get(word)
    if kind is None:
        raise Illegal(_OPERATION, row.text(_OPERATION), "nobody knows this; write it by hand in the plain form")
    at, coin, amount = (
        moment(row.needed("utc_time"), "utc_time"),
        asset(row.needed("coin"), "coin"),
        row.number("change"),
    )
    reference = twins.reference(word, at, row.text("account"), coin, amount, row.text("remark"))
    note = row.text(_OPERATION)
    told = movement(options, kind, coin, amount, lines=(row.line,), at=at, reference=reference, note=note)
    return replace(told, sequence=turn_of(amount))


def _trade_of(group: Group, twins: Twins) -> Told:
    """Tell what was traded in one second as one trade: the history does not say which line belongs to which."""
    moved = [
        (row.text(_OPERATION).lower(), asset(row.needed("coin"), "coin"), row.number("change")) for row in group.rows
    ]
    came, went = both_ways(((coin, amount) for word, coin, amount in moved if word not in _FEES), "change")
    fee, paid_in = one_fee(((coin, amount.copy_negate()) for word, coin, amount in moved if word in _FEES), "change")
    deal, at = exchanged(came, went, "change"), moment(group.rows[0].needed("utc_time"), "utc_time")
    return Told(
        group.lines,
        CashKind.TRADE,
        at,
        twins.reference("history", at, *came, *went, fee, paid_in),
        deal.symbol,
        deal.side,
        deal.quantity,
        deal.price,
        fee,
        paid_in,
        sequence=turn_of(deal.side),
    )


def _by_row(tell: Callable[[Row, Twins], Iterable[Told]]) -> Callable[[Shape, Options], Iterator[ToldLine | Complaint]]:
    def read(shape: Shape, _options: Options) -> Iterator[ToldLine | Complaint]:
        twins = Twins()
        return told_rows(shape, lambda row: tell(row, twins))

    return read


def _tell_plan(shape: Shape, options: Options) -> Iterator[ToldLine | Complaint]:
    shown = order_shown(row.text(_PLAN_DATE) for row in csv_file.rows(shape) if isinstance(row, Row))
    return told_rows(shape, partial(_of_a_plan, options=options, twins=Twins(), dates=shown))


BINANCE = Format(
    "binance", "binance", (_DATE, "pair", "side", "price", "executed", "amount", "fee"), _by_row(_new_form)
)
BINANCE_OLD = Format(
    "binance-old",
    "binance",
    (_DATE, "market", "type", "price", "amount", "total", "fee", "fee coin"),
    _by_row(_old_form),
)
BINANCE_AUTO_INVEST = Format(
    "binance-auto-invest",
    "binance",
    (_PLAN_DATE, "holding coin", "amount per period", "trading fee", "units", "status"),
    _tell_plan,
    takes=("from",),
)
BINANCE_HISTORY = Format(
    "binance-history",
    "binance",
    ("utc_time", "account", _OPERATION, "coin", "change"),
    _tell_history,
    takes=("remark",),
)
