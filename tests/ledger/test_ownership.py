"""I15: nobody reads another's rows. Every question that the book answers to people is asked here, and by itself.

The walk finds each public method of what `Reader.of` gives, and an argument for each of its parameters by the type
that is written there. A person's answers must be the same whether or not there is anybody else: so nothing of another's
is in them, not even in a sum. A method that the walk cannot ask fails it, and so does one that has nothing to tell.
"""

import inspect
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from itertools import product
from typing import Any, get_type_hints

import pytest
from sqlalchemy import select, true, update

from plimsoll.ledger import schema
from plimsoll.ledger.database import open_database
from plimsoll.ledger.lots import Matching
from plimsoll.ledger.reading import owning
from plimsoll.ledger.reading.asking import Instruments, Portfolios
from plimsoll.ledger.reading.earnings import By
from plimsoll.ledger.reading.orders import OrderReading
from plimsoll.ledger.reading.paging import Below, Page
from plimsoll.ledger.reading.reader import Own, Reader
from plimsoll.ledger.schema import metadata
from plimsoll.model.account import Scope
from plimsoll.model.asker import Asker
from plimsoll.model.cash import CashKind
from plimsoll.model.ids import AccountId, InstrumentId
from plimsoll.model.lots import LotMethod
from plimsoll.model.order import Order
from plimsoll.store.place import Place, SqlitePlace, people_reader
from tests.builders.owners import ADA, DAY, EVE, NOON, Owner, fill
from tests.builders.places import ENGINES, by_hand
from tests.builders.postgres import Cluster, fresh_place

#: (name of the group, name of the method)
Question = tuple[str, str]


@dataclass(frozen=True, slots=True)
class World:
    """The same book twice: with Ada alone, and with Eve beside her; and Eve alone, to know what is hers."""

    alone: Reader
    both: Reader
    eve: Reader
    is_far: bool

    def candidates(self) -> dict[tuple[str, Any], list[Any]]:
        """List what may be said for a parameter, by its name and the type that is written there."""
        own = self.alone.of(ADA.asker).orders.one("ada-uid-0")
        foreign = self.eve.of(EVE.asker).orders.one("eve-uid-0")
        assert own is not None
        assert foreign is not None
        both = [ADA.portfolio_ids[0], *EVE.portfolio_ids]
        return {
            ("below", Below): [{}, {EVE.account_id: 10**9}, {ADA.account_id: 10**9}],
            ("limit", int): [100],
            ("points", int): [100, 3],
            ("above", int): [0],
            ("ended_only", bool): [False, True],
            ("open_only", bool): [False, True],
            ("uid", str): ["ada-uid-0", "eve-uid-0", "eve-uid-1", "nobody"],
            ("order", Order): [own, foreign],
            ("of", AccountId | None): [None, ADA.account_id, EVE.account_id],
            ("account_id", AccountId): [ADA.account_id, EVE.account_id],
            ("among", Portfolios): [None, both, list(EVE.portfolio_ids), []],
            ("instruments", Instruments): [None, [InstrumentId(1)]],
            ("kind", CashKind | None): [None, CashKind.DEPOSIT],
            ("by", By): list(By),
            ("since", date): [date.fromisoformat(DAY)],
            ("until", date): [date.fromisoformat(DAY)],
            ("matching", Matching): [Matching(), Matching(LotMethod.AVERAGE)],
            ("since", datetime): [NOON],
            ("until", datetime): [NOON + timedelta(days=1)],
            ("since", datetime | None): [None],
            ("until", datetime | None): [None],
        }


def questions() -> list[Question]:
    """List every public method of every group."""
    groups = get_type_hints(Own)
    return [
        (field.name, name)
        for field in fields(Own)
        for name, _method in inspect.getmembers(groups[field.name], inspect.isfunction)
        if not name.startswith("_")
    ]


def ways_to_ask(question: Question, world: World) -> list[dict[str, Any]]:
    """Combine everything that may be said to a method; on PostgreSQL, where an answer is far, one thing at a time."""
    group, name = question
    hints = get_type_hints(getattr(get_type_hints(Own)[group], name))
    hints = {name: hint for name, hint in hints.items() if name not in ("self", "return")}
    candidates = world.candidates()
    said = {name: candidates[name, hint] for name, hint in hints.items()}
    if world.is_far:
        plain = {name: values[0] for name, values in said.items()}
        return [plain, *({**plain, name: value} for name, values in said.items() for value in values[1:])]
    return [dict(zip(said, values, strict=True)) for values in product(*said.values())]


def ask(reader: Reader, asker: Asker, question: Question, said: Mapping[str, Any]) -> Any:
    return getattr(getattr(reader.of(asker), question[0]), question[1])(**said)


def has_something(answer: Any) -> bool:
    return bool(answer.items) if isinstance(answer, Page) else answer not in (None, ())


def walk(world: World, *asked: Question) -> None:
    """Ask everything in every way; fail where the answer depends on somebody else, or where there never is one."""
    for question in asked:
        told = False
        for said in ways_to_ask(question, world):
            own = ask(world.alone, ADA.asker, question, said)
            assert ask(world.both, ADA.asker, question, said) == own, f"{question} {said}"
            told = told or has_something(own)
        assert told, f"{question} has nothing to tell: fill its table"


@pytest.fixture(scope="module", params=ENGINES)
def places(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Place]]:
    """Fill three books on either engine: Ada's alone, Eve's alone, and one for both."""
    casts: dict[str, tuple[Owner, ...]] = {"alone": (ADA,), "eve": (EVE,), "both": (ADA, EVE)}
    with ExitStack() as stack:
        made: dict[str, Place] = {}
        for name, cast in casts.items():
            if request.param == "sqlite":
                made[name] = SqlitePlace(tmp_path_factory.mktemp("books") / f"{name}.db")
            else:
                cluster: Cluster = request.getfixturevalue("postgres_cluster")
                made[name] = stack.enter_context(fresh_place(cluster))
            open_database(made[name])
            with by_hand(made[name]) as engine:
                fill(engine, *cast)
        yield made


@pytest.fixture
def world(places: dict[str, Place]) -> Iterator[World]:
    """Open the books for people."""
    engines = {name: people_reader(place) for name, place in places.items()}
    readers = {name: Reader(engine) for name, engine in engines.items()}
    yield World(**readers, is_far=places["both"].dialect == "postgresql")
    for engine in engines.values():
        engine.dispose()


@pytest.mark.parametrize("question", questions(), ids=".".join)
def test_answers_are_the_same_whoever_else_is_there(world: World, question: Question) -> None:
    """Each question, in every way it can be put, with one's own ids and another's."""
    walk(world, question)


def plant_a_leak(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the predicates away: every row is everybody's."""
    everybodys = select(schema.portfolios.c.id, schema.portfolios.c.account_id)
    monkeypatch.setattr(owning, "own_portfolios", lambda _asker: everybodys)
    for name in ("in_own_portfolio", "in_own_account", "by_himself", "over_him"):
        monkeypatch.setattr(owning, name, lambda *_said: true())


@pytest.mark.parametrize("question", questions(), ids=".".join)
def test_the_walk_finds_a_planted_leak(world: World, monkeypatch: pytest.MonkeyPatch, question: Question) -> None:
    """Without its predicate every method answers with another's rows, and the walk says so.

    On PostgreSQL the second wall still stands, and the same walk finds nothing.
    """
    plant_a_leak(monkeypatch)
    if world.is_far:
        walk(world, question)
    else:
        with pytest.raises(AssertionError, match=question[1]):
            walk(world, question)


def test_a_question_that_is_added_is_walked_by_itself(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that forgets whose rows they are fails, and so does one that nobody said how to ask."""

    def all_orders(self: OrderReading) -> tuple[int, ...]:
        with self._moment() as connection:
            return tuple(connection.execute(select(schema.orders.c.id)).scalars())

    def coloured(self: OrderReading, *, colour: bytes) -> bytes:
        return colour

    monkeypatch.setattr(OrderReading, "all_orders", all_orders, raising=False)
    monkeypatch.setattr(OrderReading, "coloured", coloured, raising=False)
    assert {("orders", "all_orders"), ("orders", "coloured")} <= set(questions())
    with pytest.raises(KeyError, match="colour"):
        walk(world, ("orders", "coloured"))
    if not world.is_far:
        with pytest.raises(AssertionError, match="all_orders"):
            walk(world, ("orders", "all_orders"))


def test_a_token_for_one_portfolio_sees_that_and_nothing_above_it(world: World) -> None:
    """By portfolio, what his whole token sees of it; of the account, of himself and of the other portfolio nothing."""
    first = list(ADA.portfolio_ids[:1])
    for question in questions():
        for said in ways_to_ask(question, world):
            told = ask(world.both, ADA.narrowed(), question, said)
            if "among" in said:
                wider = said["among"]
                narrowed = {**said, "among": first if wider is None else [one for one in first if one in wider]}
                assert told == ask(world.both, ADA.asker, question, narrowed), question
            elif question[0] == "orders":
                whole = ask(world.both, ADA.asker, question, said)
                assert told == (whole if said.get("uid") == "ada-uid-0" or "order" in said else None), question
            elif question in {("watch", "halts"), ("watch", "policies")}:
                assert [one.scope for one in told] == [Scope.STRATEGY], question
            else:
                assert not has_something(told), question


@pytest.mark.parametrize("noun", ["portfolios", "accounts"])
def test_nothing_of_what_was_deleted_is_listed(tmp_path_factory: pytest.TempPathFactory, noun: str) -> None:
    """A deleted portfolio's rows are not there, and of a deleted account nothing is."""
    place = SqlitePlace(tmp_path_factory.mktemp(noun) / "desk.db")
    open_database(place)
    table = metadata.tables[noun]
    gone = ADA.portfolio_ids[1] if noun == "portfolios" else ADA.account_id
    with by_hand(place) as engine:
        fill(engine, ADA, EVE)
        with engine.begin() as connection:
            connection.execute(update(table).where(table.c.id == gone).values(deleted_at=NOON))
        own = Reader(engine).of(ADA.asker)
        left = ADA.portfolio_ids[:1] if noun == "portfolios" else ()
        assert {order.intent.portfolio_id for order in own.orders.page(below={}, limit=9).items} == set(left)
        assert {held.portfolio_id for held in own.holdings.positions()} == set(left)
        assert {line.line.portfolio_id for line in own.holdings.cash_lines(below={}, limit=9).items} == set(left)
        # What the account was worth is told as long as there is the account.
        curve = own.curve.equity(ADA.account_id, since=None, until=None, points=9)
        assert bool(curve) is (noun == "portfolios")
        assert bool(own.watch.notes(below={}, limit=9).items) is (noun == "portfolios")


@pytest.mark.parametrize("table", [schema.strategies, schema.alerts, schema.schedules, schema.screeners], ids=str)
def test_what_a_person_took_away_is_not_listed(tmp_path_factory: pytest.TempPathFactory, table: Any) -> None:
    """Strategies, alerts, schedules and screeners alike."""
    place = SqlitePlace(tmp_path_factory.mktemp("made") / "desk.db")
    open_database(place)
    with by_hand(place) as engine:
        fill(engine, ADA)
        listing = getattr(Reader(engine).of(ADA.asker).made, table.name)
        assert len(listing()) == 1
        with engine.begin() as connection:
            connection.execute(update(table).values(deleted_at=NOON))
        assert listing() == ()
