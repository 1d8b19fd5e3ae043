"""Our own form of a statement: what a person writes by hand, or a script writes for us.

    time,symbol,side,quantity,price,fee,fee_asset,trade_id,order_id,kind
    2022-01-21T10:05:00Z,BTC/USDT,buy,0.5,38000,0.0005,BTC,17,9001,
    2022-01-22T00:00:00Z,BTC/USDT:USDT,,-1.25,,,,f-1,,funding

Rule 1. Columns stand in any order and case. `time`, `symbol`, `quantity` must be there, `side` and `price` for fills;
        everything else may be left out. A column that nobody knows is refused by name: a misspelt `fee` would be lost.
Rule 2. `kind` says what a line is: empty, trade or fill is a fill, else a movement of money by its kind.
Rule 3. The sign of a movement is what it did to the money: + came, - went. A kind that goes one way only (deposit,
        withdrawal, borrow, repay, fee) is taken that way, whatever sign it was written with.
Rule 4. A cell that its kind has no use for is refused by its column: whoever wrote it meant something, and what is left
        out without a word is wrong in the book. A nought says nothing, nor does money at a price of 1: they are taken,
        since programs write them.
Rule 5. The fee of a movement is a movement of its own, an adjustment named by the movement's id and `:fee`.
Rule 6. What has no id is named by what it says, and twins by their count: the file again adds nothing.

What must not enter: any other program's words.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from operator import itemgetter
from typing import NamedTuple

from plimsoll.imports.cells import Twins, asset, digits_or_zero, moment, number, pair, printable, split_slashed, turn_of
from plimsoll.imports.csv_file import Format, Shape, cell_rows, complaint
from plimsoll.imports.statement import Complaint, NotReadable, Options, ToldLine, zone_named
from plimsoll.model.cash import EVENT_KINDS, FUTURES, SPOT, CashKind
from plimsoll.model.errors import Illegal
from plimsoll.model.money import ZERO, decimal_text, settle_product
from plimsoll.model.order import Side
from plimsoll.model.told import Told


class _Cells(NamedTuple):
    """One row; a column that the file does not have is an empty cell."""

    time: str
    symbol: str
    quantity: str
    #: Of fills.
    side: str
    price: str
    fee: str
    fee_asset: str
    #: The venue's own ids.
    trade_id: str
    order_id: str
    kind: str
    #: Units of base that one unit of quantity stands for; not 1, or inverse: a derivative.
    multiplier: str
    inverse: str
    #: Who traded, and who decided; the position that is kept apart.
    strategy: str
    triggered_by: str
    leg: str
    #: What moved, and where it is kept; what coins that came had cost, all of them.
    asset: str
    pocket: str
    cost: str
    #: Of a split: how many pieces the `quantity` is for.
    per: str
    #: What the venue said that a derivative's fill realised.
    realized: str
    note: str
    #: Where it stands among what happened at the same moment.
    sequence: str
    venue: str


_NEEDED = ("time", "symbol", "quantity")
_ONE = Decimal(1)
_SIDES = {"buy": Side.BUY, "b": Side.BUY, "sell": Side.SELL, "s": Side.SELL}
_FILLS = ("", "trade", "fill")
_WAYS = {CashKind.DEPOSIT: 1, CashKind.WITHDRAWAL: -1, CashKind.BORROW: 1, CashKind.REPAY: -1}
_KINDS = {kind.value.lower(): kind for kind in EVENT_KINDS}
_COINS = frozenset({CashKind.DEPOSIT, CashKind.WITHDRAWAL})
_OF_A_POSITION = EVENT_KINDS - _COINS - {CashKind.BORROW, CashKind.REPAY, CashKind.TRANSFER, CashKind.SPLIT}
#: Columns that say nothing about a line of this kind.
_NOT_OF_FILLS = ("per", "cost", "asset")
_NOT_OF_MOVEMENTS = ("side", "per", "realized")
_NOT_OF_SPLITS = ("side", "price", "fee", "cost", "asset", "realized")
_NOUGHT = re.compile(r"[-+]?0+(?:\.0*)?", re.ASCII)
#: The price that programs write beside money.
_ONE_EACH = re.compile(r"1(?:\.0*)?", re.ASCII)
_NOTES = {"fee": "fee", "adjustment": "the statement says so"}
_YES = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class _Named(NamedTuple):
    """What a symbol means, with the multiplier beside it."""

    symbol: str
    base: str
    #: What its money is paid in.
    cash: str
    multiplier: Decimal
    inverse: bool
    #: All of it in one word, for the name of a line that has no id.
    said: str


def _named(symbol: str, multiplier_text: str, inverse_text: str, currency: str | None) -> _Named:
    multiplier = number(multiplier_text, "multiplier") if multiplier_text else _ONE
    inverse = _YES.get(inverse_text.lower()) if inverse_text else None
    if inverse_text and inverse is None:
        raise Illegal("inverse", inverse_text, "write true or false")
    base, quote, settle = split_slashed(symbol, "symbol", currency)
    if not settle and (inverse or multiplier != 1):
        settle = base if inverse else quote
    # What is paid in its own base counts quote units, unless the file says that it does not.
    inverse = settle == base if inverse is None else inverse
    name = pair(base, quote, "symbol", settle)
    said = f"{name} {decimal_text(multiplier)} {inverse}"
    return _Named(name, base, settle or quote, multiplier, inverse, said)


class _Reader:
    """Reads the rows of one file; what comes again and again (symbols, assets) is read once."""

    def __init__(self, options: Options) -> None:
        self._currency = None if options.currency is None else asset(options.currency, "currency")
        self._zone = UTC if options.zone is None else zone_named(options.zone)
        self._dates = options.dates
        self._twins = Twins()
        self._named: dict[tuple[str, str, str], _Named] = {}
        self._assets: dict[str, str] = {"": ""}

    def tell(self, line: int, cells: _Cells) -> tuple[Told, ...]:
        """Tell one row; a movement with a fee is two things.

        Raises: Illegal, naming the column
        """
        kind = cells.kind.lower()
        if kind in _FILLS:
            return (self._fill(line, cells),)
        if kind == "split":
            return (self._split(line, cells),)
        return self._movement(line, cells, kind)

    def _fill(self, line: int, cells: _Cells) -> Told:
        side = _SIDES.get(cells.side.lower())
        if side is None:
            raise Illegal("side", cells.side, "write buy or sell")
        if cells.per or cells.cost or cells.asset:  # as good as never: a million fills are not looked at cell by cell
            _check_unused(cells, _NOT_OF_FILLS, "fill")
        named = self._name(cells)
        at = self._time(cells)
        quantity, price = number(cells.quantity, "quantity"), number(cells.price, "price")
        fee = number(cells.fee, "fee") if cells.fee else ZERO
        paid_in = (self._asset(cells.fee_asset, "fee_asset") or named.cash) if fee else ""
        realized = number(cells.realized, "realized") if cells.realized else None
        return Told(
            (line,),
            CashKind.TRADE,
            at,
            cells.trade_id
            or self._twins.reference(
                *("fill", at, named.said, side, quantity, price, fee, paid_in, realized, cells.order_id),
                *(cells.strategy, cells.triggered_by, cells.leg, cells.sequence, cells.venue),
            ),
            named.symbol,
            side,
            quantity,
            price,
            fee,
            paid_in,
            cells.order_id,
            sequence=_sequence(cells, side),
            multiplier=named.multiplier,
            inverse=named.inverse,
            strategy=cells.strategy,
            triggered_by=cells.triggered_by or "import",
            leg=cells.leg,
            realized=realized,
            note=cells.note,
            venue=cells.venue,
        )

    def _movement(self, line: int, cells: _Cells, word: str) -> tuple[Told, ...]:
        kind = CashKind.ADJUSTMENT if word == "fee" else _KINDS.get(word)
        if kind is None:
            raise Illegal("kind", cells.kind, f"leave it empty for a fill, or write fee, {', '.join(sorted(_KINDS))}")
        note = cells.note or _NOTES.get(word, "")
        _check_unused(cells, _NOT_OF_MOVEMENTS, word)
        at, amount = self._time(cells), number(cells.quantity, "quantity")
        way = -1 if word == "fee" else _WAYS.get(kind, 0)
        if way:
            amount = amount.copy_abs() if way > 0 else amount.copy_abs().copy_negate()
        fee = number(cells.fee, "fee") if cells.fee else ZERO
        if fee and word == "fee":
            raise Illegal("fee", cells.fee, "a fee is the quantity of its line; leave this empty")
        moved, named = self._what_moved(cells, kind, "" if fee else cells.fee_asset)
        cost = _cost(cells, amount, of_coins=named is not None and kind is CashKind.DEPOSIT, word=word)
        paid_in = self._fee_asset(cells, kind, moved, named) if fee else ""
        told = Told(
            (line,),
            kind,
            at,
            cells.trade_id
            or self._twins.reference(
                *(
                    word,
                    at,
                    moved,
                    "" if named is None else named.said,
                    amount,
                    cost,
                    note,
                    cells.order_id,
                    cells.pocket,
                ),
                *(cells.strategy, cells.triggered_by, cells.leg, cells.sequence, cells.venue),
                *((fee, paid_in) if fee else ()),
            ),
            symbol="" if named is None else named.symbol,
            order_id=cells.order_id,
            asset=moved,
            amount=amount,
            cost=cost,
            sequence=_sequence(cells, amount),
            multiplier=_ONE if named is None else named.multiplier,
            inverse=named is not None and named.inverse,
            strategy=cells.strategy,
            triggered_by=cells.triggered_by or "import",
            leg=cells.leg,
            pocket=cells.pocket.lower() or (FUTURES if named is not None and ":" in named.symbol else SPOT),
            note=note,
            venue=cells.venue,
        )
        return (told, _fee_of(told, fee, paid_in, word)) if fee else (told,)

    def _fee_asset(self, cells: _Cells, kind: CashKind, moved: str, named: _Named | None) -> str:
        if not cells.fee_asset and named is not None and kind in _COINS:
            raise Illegal("fee_asset", "", f"say whether the fee was paid in {named.base} or in {named.cash}")
        return self._asset(cells.fee_asset, "fee_asset") or moved

    def _split(self, line: int, cells: _Cells) -> Told:
        _check_unused(cells, _NOT_OF_SPLITS, "split")
        named, at, quantity = self._name(cells), self._time(cells), number(cells.quantity, "quantity")
        if not cells.per:
            raise Illegal("per", "", "a split says how many (quantity) become of how many (per), as 2 per 1")
        per = number(cells.per, "per")
        said = ("split", at, named.said, quantity, per, cells.venue)
        return Told(
            (line,),
            CashKind.SPLIT,
            at,
            cells.trade_id or self._twins.reference(*said),
            symbol=named.symbol,
            quantity=quantity,
            per=per,
            sequence=_sequence(cells, quantity),
            multiplier=named.multiplier,
            inverse=named.inverse,
            triggered_by=cells.triggered_by or "import",
            note=cells.note,
            venue=cells.venue,
        )

    def _what_moved(self, cells: _Cells, kind: CashKind, beside: str) -> tuple[str, _Named | None]:
        """Give the asset that moved, and the instrument whose it was, where it was one's.

        `beside` is what the column of fees says where there is no fee.
        """
        own = self._asset(cells.asset, "asset")
        if not cells.symbol or not (own or "/" in cells.symbol or "-" in cells.symbol):
            moved = own or self._asset(cells.symbol or beside, "symbol")
            if not moved:
                raise Illegal("asset", "", "name the asset that moved, here or in the column symbol")
            return moved, None
        named = self._name(cells)
        if kind in _COINS:
            coins = own in ("", named.base)
            return (named.base, named) if coins else (own, None)
        moved = own or self._asset(beside, "fee_asset") or named.cash
        return moved, named if kind in _OF_A_POSITION else None

    def _time(self, cells: _Cells) -> datetime:
        return moment(cells.time, "time", self._zone, self._dates)

    def _asset(self, text: str, column: str) -> str:
        known = self._assets.get(text)
        if known is None:
            known = self._assets[text] = asset(text, column)
        return known

    def _name(self, cells: _Cells) -> _Named:
        key = (cells.symbol, cells.multiplier, cells.inverse)
        known = self._named.get(key)
        if known is None:
            known = self._named[key] = _named(*key, self._currency)
        return known


def _cost(cells: _Cells, amount: Decimal, *, of_coins: bool, word: str) -> Decimal | None:
    """Say what coins that were put in had cost, all of them.

    Raises: Illegal, for what has no cost
    """
    if not of_coins:
        _check_unused(cells, ("price", "cost"), word, "; only a deposit of coins has one, whose symbol is BASE/QUOTE")
        return None
    cost = number(cells.cost, "cost") if cells.cost else None
    made = settle_product(amount.copy_abs(), number(cells.price, "price")) if cells.price else None
    if cost is not None and made is not None and cost != made:
        raise Illegal("cost", cells.cost, f"quantity by price is {made:f}; leave one of price and cost empty")
    return made if cost is None else cost


def _check_unused(cells: _Cells, columns: tuple[str, ...], word: str, why: str = "") -> None:
    """Refuse what this kind of line has no use for.

    Raises: Illegal, naming the column
    """
    for column in columns:
        text = getattr(cells, column)
        if text and not (_NOUGHT.fullmatch(text) or (column == "price" and _ONE_EACH.fullmatch(text))):
            raise Illegal(column, text, f"a line of kind {word} has no use for this{why}; leave it empty")


def _fee_of(movement: Told, fee: Decimal, paid_in: str, word: str) -> Told:
    """Tell what a movement cost; what coins cost that come and go is no result of their position."""
    told = replace(
        movement,
        kind=CashKind.ADJUSTMENT,
        reference=f"{movement.reference}:fee",
        asset=paid_in,
        amount=fee.copy_negate(),
        cost=None,
        note=f"fee of {word} {movement.note}".rstrip(),
    )
    return replace(told, symbol="", multiplier=_ONE, inverse=False) if movement.kind in _COINS else told


def _sequence(cells: _Cells, way: Side | Decimal) -> int:
    own = cells.sequence
    if own and not (len(own) <= 18 and own.isascii() and own.isdigit()):
        raise Illegal("sequence", own, "write a whole number of at most 18 digits")
    if own:
        return int(own)
    return digits_or_zero(cells.trade_id) if cells.trade_id else turn_of(way)


def _tell(shape: Shape, options: Options) -> Iterator[ToldLine | Complaint]:
    reader = _Reader(options)
    # A column that is not there is read from behind the row, where an empty cell is put.
    pick = itemgetter(*(shape.places.get(name, len(shape.header)) for name in _Cells._fields))
    make, tell = _Cells._make, reader.tell
    for line, cells, raw in cell_rows(shape):
        if isinstance(cells, Complaint):
            yield cells
            continue
        # Nearly every line has neither blanks nor anything else that must be looked at cell by cell.
        plain = " " not in raw and raw.isprintable()
        picked = make(pick([*cells, ""] if plain else [*map(str.strip, cells), ""]))
        try:
            if not plain:
                _check_printable(picked)
            for told in tell(line, picked):
                yield ToldLine(told, raw)
        except Illegal as problem:
            yield complaint(shape, line, problem)


def _check_printable(cells: _Cells) -> None:
    for column, text in zip(_Cells._fields, cells, strict=True):
        printable(text, column)


def _checked(shape: Shape, options: Options) -> Iterator[ToldLine | Complaint]:
    unknown = [name for name in shape.header if name and name.casefold() not in _Cells._fields]
    if unknown:
        raise NotReadable(
            f"{shape.path.name}: nobody knows the column {unknown[0]!r}; leave it out, or name it as one of "
            + ", ".join(_Cells._fields)
        )
    return _tell(shape, options)


PLAIN = Format("plain", "statement", _NEEDED, _checked, takes=tuple(_Cells._fields[3:]))
