"""Kraken: trades and ledgers.

    txid,ordertxid,pair,time,type,ordertype,price,cost,fee,vol,margin,misc,ledgers
    txid,refid,time,type,subtype,aclass,asset,amount,fee,balance

Rule 1. The ledgers tell a trade in two lines of one `refid`, which is the `txid` that the trades tell it by. Both files
        tell the same trades: who has both imports the trades once, from either, and is told so by the contradiction.
Rule 2. Kraken's own names become everybody's: XXBT and XBT are BTC, ZUSD is USD, DOT.S (staked) is DOT.
Rule 3. What moves between pockets of one owner (spot, staking, futures) is no movement of the owner's.

What must not enter: Kraken's files of prices, which have no header (`reading` knows them).
"""

import re
from collections.abc import Iterable, Iterator

from plimsoll.imports import csv_file
from plimsoll.imports.cells import asset, moment, pair, split_pair
from plimsoll.imports.coinbase import side_of
from plimsoll.imports.csv_file import Format, Row, Shape, complaint, told_rows
from plimsoll.imports.groups import Group, both_ways, exchanged, one_fee
from plimsoll.imports.movements import movement
from plimsoll.imports.statement import Complaint, Options, ToldLine
from plimsoll.model.cash import CashKind
from plimsoll.model.errors import Illegal
from plimsoll.model.told import Told

_NAMES = {"XBT": "BTC", "XDG": "DOGE", "XXDG": "DOGE", "XXBT": "BTC"}
#: X before coins and Z before money, on what was listed first.
_OLD_NAME = re.compile(r"[XZ][A-Z]{3}")
_OLD_COINS = ("XXBT", "XXDG", "XETH", "XLTC", "XXRP", "XXLM", "XXMR", "XETC", "XZEC", "XREP", "XMLN", "XICN", "XNMC")
_OLD_PAIR = re.compile(rf"(?P<base>{'|'.join(_OLD_COINS)}|Z[A-Z]{{3}})(?P<quote>XXBT|XETH|Z[A-Z]{{3}})")
#: Staked, in a reward programme, parachains, held back.
_KEPT = re.compile(r"(?:[0-9]{2})?\.(?:S|M|P|F|B|T|HOLD)$")


def _name(text: str, column: str) -> str:
    """Give everybody's name of what Kraken calls otherwise."""
    word = asset(text, column)
    if matched := _KEPT.search(word):
        word = word[: matched.start()]
    if word == "ETH2":
        return "ETH"
    if _OLD_NAME.fullmatch(word) and (word[0] == "Z" or word in _OLD_COINS):
        return _NAMES.get(word, word[1:])
    return _NAMES.get(word, word)


def _symbol(text: str) -> tuple[str, str]:
    matched = _OLD_PAIR.fullmatch(text.upper())
    base, quote = (matched["base"], matched["quote"]) if matched else split_pair(text.replace("XBT", "BTC"), "pair")
    return _name(base, "pair"), _name(quote, "pair")


def _trade(row: Row) -> Iterable[Told]:
    base, quote = _symbol(row.needed("pair"))
    fee = row.number_or_zero("fee")
    yield Told(
        (row.line,),
        CashKind.TRADE,
        moment(row.needed("time"), "time"),
        row.needed("txid"),
        pair(base, quote, "pair"),
        side_of(row.needed("type"), "type"),
        row.number("vol"),
        row.number("price"),
        fee,
        quote if fee else "",
        row.text("ordertxid"),
    )


# --- ledgers

_TRADES = ("trade", "spend", "receive", "conversion")
_WITHIN = ("transfer",)
#: Kinds of a line by itself.
_KINDS = {
    **dict.fromkeys(("deposit", "withdrawal"), CashKind.DEPOSIT),
    **dict.fromkeys(("staking", "earn", "reward"), CashKind.INTEREST),
    **dict.fromkeys(("dividend", "airdrop"), CashKind.DIVIDEND),
    **dict.fromkeys(("rollover", "margin", "settled"), CashKind.ADJUSTMENT),
    "adjustment": CashKind.ADJUSTMENT,
}
#: Forks and gifts, and the futures account, of which the ledgers tell nothing else.
_OUTSIDE = ("transfer/", "transfer/airdrop", "transfer/forked", "transfer/spottofutures", "transfer/spotfromfutures")


def _tell_ledgers(shape: Shape, options: Options) -> Iterator[ToldLine | Complaint]:
    groups: dict[str, Group] = {}
    for row in csv_file.rows(shape):
        if isinstance(row, Complaint):
            yield row
            continue
        try:
            if not row.text("txid") and not row.text("balance"):
                continue  # asked for, and not done yet: the same line comes again with an id
            kind = row.needed("type").lower()
            if kind in _TRADES:
                groups.setdefault(row.needed("refid"), Group()).add(row)
            else:
                for told in _moved(row, kind, options):
                    yield ToldLine(told, row.raw)
        except Illegal as problem:
            yield row.complain(problem)
    for name, group in groups.items():
        try:
            yield ToldLine(_exchange(name, group), group.raw)
        except Illegal as problem:
            yield complaint(shape, group.rows[0].line, problem)


def _exchange(name: str, group: Group) -> Told:
    moved = [
        (_name(row.needed("asset"), "asset"), row.number("amount"), row.number_or_zero("fee")) for row in group.rows
    ]
    deal = exchanged(*both_ways(((coin, amount) for coin, amount, _ in moved), "amount"), "amount")
    fee, paid_in = one_fee(((coin, paid) for coin, _, paid in moved), "fee")
    return Told(
        group.lines,
        CashKind.TRADE,
        max(moment(row.needed("time"), "time") for row in group.rows),
        name,
        deal.symbol,
        deal.side,
        deal.quantity,
        deal.price,
        fee,
        paid_in,
    )


def _moved(row: Row, word: str, options: Options) -> Iterable[Told]:
    subtype = row.text("subtype").lower()
    if f"{word}/{subtype}" in _OUTSIDE:
        kind = CashKind.DEPOSIT
    elif word in _WITHIN or (word == "earn" and subtype != "reward"):
        return
    elif word in _KINDS:
        kind = _KINDS[word]
    else:
        raise Illegal("type", row.text("type"), f"nobody knows this; it is one of {', '.join((*_TRADES, *_KINDS))}")
    coin, at, reference = _name(row.needed("asset"), "asset"), moment(row.needed("time"), "time"), row.needed("txid")
    note = f"{word} {subtype}".strip()
    amount, fee = row.number("amount"), row.number_or_zero("fee")
    if amount:
        yield movement(options, kind, coin, amount, lines=(row.line,), at=at, reference=reference, note=note)
    if fee:
        paid = fee.copy_negate()
        yield movement(
            options,
            CashKind.ADJUSTMENT,
            coin,
            paid,
            lines=(row.line,),
            at=at,
            reference=f"{reference}-fee",
            note=f"fee of {note}",
        )


def _tell_trades(shape: Shape, _options: Options) -> Iterator[ToldLine | Complaint]:
    return told_rows(shape, _trade)


KRAKEN = Format(
    "kraken",
    "kraken",
    ("txid", "ordertxid", "pair", "time", "type", "price", "cost", "fee", "vol"),
    _tell_trades,
)
KRAKEN_LEDGERS = Format(
    "kraken-ledgers",
    "kraken",
    ("txid", "refid", "time", "type", "asset", "amount", "fee", "balance"),
    _tell_ledgers,
    takes=("subtype",),
)
