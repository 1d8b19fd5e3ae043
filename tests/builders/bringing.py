"""An imported book on its way into the one writer: drawn up, made ready in its file, taken in, shown.

making = begin(books, "old days")
ready = make_ready(books, making, folder, fills(300))
take(books, ready)
finish(books, ready)
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

from plimsoll.bootstrap import DataDirectory
from plimsoll.cli.import_door import importing_into
from plimsoll.desk.import_book import Progress
from plimsoll.ledger import imports, keys
from plimsoll.ledger.imported.build import BookPlace, build
from plimsoll.ledger.imported.spool import Spool, Statement
from plimsoll.ledger.imports import Begin, Finish, Finished, Making, Named
from plimsoll.ledger.ready import Ready, chunk_of, ready_in
from plimsoll.model.cash import CashKind
from plimsoll.model.ids import InstrumentId, StrategyId, UserId
from plimsoll.model.instrument import AssetType, Instrument
from plimsoll.model.order import Side
from plimsoll.model.told import Told
from tests.builders.ledger import CHAIN_KEY, NOON, USER, Books

D = Decimal
VENUE = "kraken"
LATER = NOON + timedelta(hours=1)
_FINE = D("0.000000000000000001")


def traded(symbol: str, venue: str = VENUE) -> Instrument:
    """Draw up an instrument that a statement tells of."""
    pair, _, settle = symbol.partition(":")
    base, quote = pair.split("/")
    kind = AssetType.PERPETUAL if settle else AssetType.CRYPTO
    return Instrument(InstrumentId(0), symbol, venue, kind, base, quote, settle or quote, _FINE, _FINE)


BTC, ETH = traded("BTC/EUR"), traded("ETH/EUR")


def paid_in(number: int, amount: str = "1000") -> Told:
    return Told((number,), CashKind.DEPOSIT, NOON, f"m{number}", asset="EUR", amount=D(amount))


def fills(count: int, *, first: int = 1, symbol: str = BTC.symbol, strategy: str = "") -> list[Told]:
    """Tell of so many buys and sells, one a minute, each at its own price and with a fee."""
    return [
        Told(
            (number + 1,),
            CashKind.TRADE,
            NOON + timedelta(minutes=number),
            f"t{number}",
            symbol=symbol,
            side=Side.SELL if number % 3 == 0 else Side.BUY,
            quantity=D("0.5"),
            price=D(100 + number % 7),
            fee=D("0.05"),
            fee_asset="EUR",
            strategy=strategy,
        )
        for number in range(first, first + count)
    ]


def statement(number: int = 1) -> Statement:
    return Statement(number, f"s-{number}", "plain", f"{number}.csv", f"{number:064}", "user:1", NOON)


def begin(books: Books, name: str = "old days", user: UserId = USER.id) -> Making:
    """Begin a making; its public ids are told by how many there were before."""
    number: int = books.get(("id", "accounts")) + 1
    wish = Begin(user, name, "EUR", f"a-{number}", f"p-{number}")
    making: Making = books.write(partial(imports.begin, wish=wish, actor=f"user:{user}", now=LATER))
    return making


def know(books: Books, *instruments: Instrument) -> dict[Named, Instrument]:
    found: dict[Named, InstrumentId] = books.write(partial(imports.know_instruments, wanted=instruments, now=LATER))
    return {(one.venue, one.symbol): replace(one, id=found[one.venue, one.symbol]) for one in instruments}


def make_ready(
    books: Books, making: Making, folder: Path, *statements: Iterable[Told], key: bytes = CHAIN_KEY, name: str = ""
) -> Ready:
    """Make the rows of a book ready in a file."""
    told = [list(one) for one in statements]
    strategies = sorted({one.strategy for some in told for one in some if one.strategy})
    account = books.get(keys.account(making.account_id))
    known: dict[str, int] = books.write(
        partial(
            imports.know_strategies, user_id=account.user_id, names={one: f"u-{one}" for one in strategies}, now=LATER
        )
    )
    symbols = sorted({one.symbol for some in told for one in some if one.symbol})
    instruments = know(books, *map(traded, symbols))
    numbers = {named: StrategyId(number) for named, number in known.items()}
    place = BookPlace(making.account_id, making.portfolio_id, instruments, numbers, "user:1", LATER)
    return staged(folder / (name or f"{making.account_id}.part"), place, told, key)


def staged(path: Path, place: BookPlace, statements: Sequence[Iterable[Told]], key: bytes = CHAIN_KEY) -> Ready:
    """Make the rows of a book ready for a place that is known."""
    spool = Spool(path)
    for number, things in enumerate(statements, start=1):
        given = spool.begin_statement(statement(number), VENUE)
        lines = 0
        for one in things:
            spool.add(given, one, f"raw {one.lines[0]}")
            lines += 1
        spool.end_statement(given, lines)
    spool.settle()
    build(spool, place, key, lambda _done, _total: None)
    spool.close()
    return ready_in(path)


def take(books: Books, ready: Ready, *numbers: int, user: UserId = USER.id) -> None:
    """Take chunks in; without a number, all of them."""
    for number in numbers or range(1, ready.chunks + 1):
        books.write(partial(imports.take, user_id=user, chunk=chunk_of(ready, number)))


def ending(ready: Ready) -> Finish:
    number = ready.account_id
    return Finish(number, ready.chunks, ready.statements, (f"a-before-{number}", f"p-before-{number}"))


def finish(books: Books, ready: Ready, user: UserId = USER.id) -> Finished:
    done: Finished = books.write(
        partial(imports.finish, user_id=user, ending=ending(ready), actor=f"user:{user}", now=LATER)
    )
    return done


async def import_book(
    directory: DataDirectory, *statements: Iterable[Told], name: str = "old days", progress: Progress | None = None
) -> Finished:
    """Bring a whole book into a data directory, whoever is its desk."""
    told = [list(one) for one in statements]
    wanted = [traded(symbol) for symbol in sorted({one.symbol for some in told for one in some if one.symbol})]
    async with importing_into(directory) as desk:
        found = await desk.know_instruments(wanted)
        names = sorted({one.strategy for some in told for one in some if one.strategy})
        strategies = {made: StrategyId(number) for made, number in (await desk.know_strategies(USER.id, names)).items()}
        making = await desk.begin(USER.id, name, "EUR")
        instruments = {(one.venue, one.symbol): replace(one, id=found[one.venue, one.symbol]) for one in wanted}
        place = BookPlace(making.account_id, making.portfolio_id, instruments, strategies, "user:1", LATER)
        directory.imports.mkdir(exist_ok=True)
        ready = staged(directory.imports / f"{making.account_id}.part", place, told, directory.chain_key())
        await desk.take_all(USER.id, ready.path.name, progress or (lambda _done, _chunks: None))
        return await desk.finish(USER.id, ready.path.name)


def bring(books: Books, folder: Path, *statements: Iterable[Told], name: str = "old days") -> Finished:
    """Bring a whole book in."""
    ready = make_ready(books, begin(books, name), folder, *statements)
    take(books, ready)
    return finish(books, ready)
