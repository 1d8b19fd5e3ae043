"""What the database itself refuses, on both engines: read off the schema's page, so that no table is forgotten.

Each table gets one row that is good. Every CHECK must then refuse that row with one cell changed, every key a second
one, every foreign key the loss of what it points to, every trigger a change of a fact.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    Executable,
    Index,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    delete,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DatabaseError, IntegrityError

from plimsoll.ledger import schema
from plimsoll.store.columns import Exact, Utc
from plimsoll.store.place import Place
from tests.builders.places import by_hand

Values = dict[str, Any]
Key = PrimaryKeyConstraint | UniqueConstraint | Index

NOON = datetime(2022, 1, 21, 12, tzinfo=UTC)
TABLES = schema.metadata.sorted_tables
FACTS = (*schema.FACTS, "audit_log")

#: Cells of the good row where the first word of an enumeration, 1, noon or nothing will not do.
GOOD: dict[str, Values] = {
    "trades": {"revision": 1, "effect": "CORRECT"},
    "cash_lines": {"instrument_id": 1, "strategy_id": 1},
    "position_entries": {"kind": "SPLIT", "per": Decimal(1)},
    "bots": {"strategy_version_id": 1},
}

#: Changes that a constraint must refuse, where its words are no enumeration and no sign.
BAD: dict[str, list[Values]] = {
    "ck_cash_lines_pocket": [{"pocket": pocket} for pocket in ("", "Spot", "isolated:", "isolated", "my isolated:1")],
    "ck_balances_pocket": [{"pocket": pocket} for pocket in ("", "Spot", "isolated:", "isolated", "my isolated:1")],
    "ck_cash_lines_belongs": [{"instrument_id": None}, {"strategy_id": None}],
    "ck_position_entries_kind": [{"kind": "", "per": None}, {"kind": "SWAP", "per": None}],
    "ck_position_entries_per": [{"per": None}, {"kind": "IN"}],
    "ck_trades_revision": [{"revision": -1}, {"effect": None}, {"revision": 0}],
}

#: What takes a row out of a key that binds some rows only.
OUTSIDE: dict[str, Values] = {
    "uq_alerts_user_id_name": {"deleted_at": NOON},
    "uq_breaks_open": {"status": "GONE"},
    "uq_schedules_user_id_name": {"deleted_at": NOON},
    "uq_screeners_user_id_name": {"deleted_at": NOON},
}

#: Changes that no constraint may refuse.
ALSO_GOOD: dict[str, list[Values]] = {
    "cash_lines": [{"pocket": "isolated:1"}, {"instrument_id": None, "strategy_id": None}],
    "position_entries": [{"kind": "IN", "per": None}, {"cost": None}],
    "trades": [{"revision": 0, "effect": None}, {"price": Decimal("0.000000000000000001")}],
}


@pytest.fixture
def filled(place: Place) -> Iterator[Connection]:
    """Give somebody at the console of a database with one good row in every table; all of it is undone at the end."""
    with by_hand(place) as engine, engine.connect() as connection:
        for table in TABLES:
            connection.execute(insert(table).values(good_row(table)))
        yield connection
        connection.rollback()


def good_row(table: Table) -> Values:
    """Give a row that every constraint allows; what may be unknown is."""
    row = {column.name: None if column.nullable else _good_cell(table, column) for column in table.columns}
    return {**row, **GOOD.get(table.name, {})}


def _good_cell(table: Table, column: Column[Any], number: int = 0) -> Any:
    """Give the n-th of the values that a column takes."""
    words = _enumerated(table).get(column.name)
    if words:
        return words[number % len(words)]
    if isinstance(column.type, Utc):
        return NOON + timedelta(days=number)
    if isinstance(column.type, Exact):
        return Decimal(1 + number)
    return 1 + number if _is_whole(column) else f"said {number}"


def _is_whole(column: Column[Any]) -> bool:
    return column.type.python_type is int


def checks_of(table: Table) -> list[CheckConstraint]:
    return sorted(
        (constraint for constraint in table.constraints if isinstance(constraint, CheckConstraint)),
        key=lambda constraint: str(constraint.name),
    )


_ONE_OF = re.compile(r"^(\w+) IN \(([^)]*)\)")
_ABOVE = re.compile(r"^(\w+) > '?0'?$")
_NOT_BELOW = re.compile(r"^(\w+) >= '?0'?$")


def _enumerated(table: Table) -> dict[str, list[Any]]:
    """Read which columns take which words only."""
    found = {}
    for check in checks_of(table):
        for term in str(check.sqltext).split(" AND "):
            match = _ONE_OF.match(term)
            if match:
                words = [word.strip() for word in match[2].split(",")]
                found[match[1]] = [word[1:-1] if word.startswith("'") else int(word) for word in words]
    return found


def bad_changes(table: Table, check: CheckConstraint) -> list[Values]:
    """Give changes to a good row that a check must refuse, at least one for each thing it says."""
    given = BAD.get(str(check.name))
    if given is not None:
        return given
    changes: list[Values] = []
    for term in str(check.sqltext).split(" AND "):
        above, not_below, one_of = _ABOVE.match(term), _NOT_BELOW.match(term), _ONE_OF.match(term)
        if one_of:
            whole = _is_whole(table.columns[one_of[1]])
            changes += [{one_of[1]: word} for word in ((2, -1) if whole else ("", "nonsense"))]
        elif above or not_below:
            name = (above or not_below)[1]  # type: ignore[index]
            number = int if _is_whole(table.columns[name]) else Decimal
            changes += [{name: number(-1)}, *([{name: number(0)}] if above else [])]
            if number is Decimal:
                changes.append({name: Decimal("-0.000000000000000001")})
        else:
            raise AssertionError(f"{check.name} says {term!r}: add a row to BAD that it must refuse")
    return changes


def refused(connection: Connection, table: Table, row: Values) -> str:
    """Try a row; give what the database says against it."""
    with pytest.raises(IntegrityError) as refusal, connection.begin_nested():
        connection.execute(insert(table).values(row))
    return str(refusal.value.orig)


def allowed(connection: Connection, table: Table, row: Values) -> None:
    """Try a row that nothing may be said against, and take it back."""
    with connection.begin_nested() as undone:
        connection.execute(insert(table).values(row))
        undone.rollback()


def keys_of(table: Table) -> list[Key]:
    keys: list[Key] = [constraint for constraint in table.constraints if isinstance(constraint, UniqueConstraint)]
    keys += [index for index in table.indexes if index.unique]
    return [table.primary_key, *sorted(keys, key=lambda key: str(key.name))]


def names_of(key: Key) -> list[str]:
    return [column.name for column in key.columns]


def another_row(table: Table, number: int = 1, same: Iterable[str] = ()) -> Values:
    """Give a good row that shares no cell of a key with another number's, but `same` and what points elsewhere."""
    row = good_row(table)
    for name in {name for key in keys_of(table) for name in names_of(key)} - set(same):
        if not table.columns[name].foreign_keys and row[name] is not None and name not in GOOD.get(table.name, {}):
            row[name] = _good_cell(table, table.columns[name], number)
    return row


# Cells ----------------------------------------------------------------------------------------------------------------


def test_every_check_refuses_every_bad_row(filled: Connection) -> None:
    """Enumerations, yes or no, signs to the eighteenth place, and what must come together; each by its name."""
    tried = 0
    for table in TABLES:
        row = another_row(table)
        for check in checks_of(table):
            for change in bad_changes(table, check):
                said = refused(filled, table, {**row, **change})
                assert str(check.name) in said, f"{change}: {said}"
                tried += 1
    assert tried > 100


def test_every_word_of_an_enumeration_is_taken(filled: Connection) -> None:
    """And what else stands at the edge of what is allowed."""
    for table in TABLES:
        changes = [{name: word} for name, words in _enumerated(table).items() for word in words]
        for change in [*changes, *ALSO_GOOD.get(table.name, [])]:
            row = {**another_row(table), **change}
            if not (set(change) & set(GOOD.get(table.name, {}))) or change in ALSO_GOOD.get(table.name, []):
                allowed(filled, table, row)


def test_nothing_that_must_be_known_may_be_unknown(filled: Connection) -> None:
    """Every column that is never null refuses it."""
    for table in TABLES:
        for column in table.columns:
            # SQLite hands out a number that is the whole key where none is given.
            handed_out = _is_whole(column) and list(table.primary_key.columns) == [column]
            if not column.nullable and not handed_out:
                said = refused(filled, table, {**another_row(table), column.name: None})
                assert "not null" in said.lower().replace("-", " "), f"{table.name}.{column.name}: {said}"
                assert column.name in said


# Keys -----------------------------------------------------------------------------------------------------------------


def test_no_key_is_given_twice(filled: Connection) -> None:
    """Whatever else differs. Where a key may be unknown (nobody's messenger), a known one still binds."""
    for table in TABLES:
        for key in keys_of(table):
            first, names = good_row(table), names_of(key)
            unknown = [name for name in names if first[name] is None]
            with filled.begin_nested() as undone:
                if unknown:
                    first = {**another_row(table), **{name: _good_cell(table, table.columns[name]) for name in unknown}}
                    filled.execute(insert(table).values(first))
                second = {**another_row(table, 2, names), **{name: first[name] for name in names}}
                said = refused(filled, table, second)
                assert said.partition("\n")[0] == blamed(filled, table, key), said
                undone.rollback()


def blamed(connection: Connection, table: Table, key: Key) -> str:
    """Give what the database says of a key that is taken: PostgreSQL names it, SQLite its columns."""
    if connection.dialect.name == "sqlite":
        return "UNIQUE constraint failed: " + ", ".join(f"{table.name}.{name}" for name in names_of(key))
    preparer = connection.dialect.identifier_preparer
    name = preparer.format_index(key) if isinstance(key, Index) else preparer.format_constraint(key)
    return f'duplicate key value violates unique constraint "{name}"'


def test_what_a_key_leaves_out_may_be_there_twice(filled: Connection) -> None:
    """A break that is gone, an alert that was deleted: their names are free again."""
    seen = set()
    for table in TABLES:
        for index in table.indexes:
            condition = index.dialect_options["sqlite"]["where"]
            if index.unique and condition is not None:
                assert str(index.dialect_options["postgresql"]["where"]) == str(condition)
                names = names_of(index)
                allowed(filled, table, {**another_row(table, 1, names), **OUTSIDE[str(index.name)]})
                seen.add(str(index.name))
    assert seen == set(OUTSIDE)


def test_keys_bind_although_something_is_unknown() -> None:
    """A column of a key of several is never null: with a null, two equal rows would both be taken."""
    for table in TABLES:
        for key in keys_of(table):
            nullable = [name for name in names_of(key) if table.columns[name].nullable]
            assert nullable == [] or len(names_of(key)) == 1, f"{table.name}: {nullable}"


def test_who_has_no_messenger_is_in_nobody_s_way(filled: Connection) -> None:
    """The one key that may be unknown: any number of people have none."""
    optional = [key for table in TABLES for key in keys_of(table) for column in key.columns if column.nullable]
    assert [key.name for key in optional] == ["uq_users_telegram_user_id"]
    assert good_row(schema.users)["telegram_user_id"] is None
    allowed(filled, schema.users, another_row(schema.users))


# What points elsewhere ------------------------------------------------------------------------------------------------


def test_nothing_points_to_what_is_not_there(filled: Connection) -> None:
    """Every foreign key, one by one."""
    for table in TABLES:
        for column in table.columns:
            if column.foreign_keys:
                said = refused(filled, table, {**another_row(table), column.name: 999})
                assert "foreign key constraint" in said.lower(), f"{table.name}.{column.name}: {said}"


def test_nothing_goes_with_what_it_belongs_to(filled: Connection) -> None:
    """No account, portfolio, person or instrument with anything of theirs can be removed, nor get another number."""
    pointed_to = {key.column.table.name for table in TABLES for key in table.foreign_keys}
    assert {"users", "accounts", "portfolios", "instruments", "bots", "strategies"} <= pointed_to
    for name in sorted(pointed_to):
        table = schema.metadata.tables[name]
        for change in (delete(table), update(table).values(id=77)):
            before = filled.execute(select(func.count()).select_from(table)).scalar()
            with pytest.raises(IntegrityError, match=r"(?i)foreign key constraint"), filled.begin_nested():
                filled.execute(change)
            assert filled.execute(select(func.count()).select_from(table)).scalar() == before


def test_no_foreign_key_cascades() -> None:
    """None is told to remove, empty or follow; and none is checked later than at once."""
    for table in TABLES:
        for key in table.foreign_key_constraints:
            assert (key.ondelete, key.onupdate, key.deferrable, key.initially) == (None, None, None, None), key.name


# Facts ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FACTS)
def test_facts_can_be_neither_changed_nor_removed(filled: Connection, name: str) -> None:
    """I10: by anybody who has not first removed the trigger; not by writing over them either."""
    table = schema.metadata.tables[name]
    over = on_conflict(filled, table)
    for change in (update(table).values(account_id=table.c.account_id), delete(table), over, *truncate(filled, table)):
        with pytest.raises(DatabaseError, match=f"{name} holds facts: they are added"), filled.begin_nested():
            filled.execute(change)
    assert len(filled.execute(select(table)).all()) == 1


def on_conflict(connection: Connection, table: Table) -> Executable:
    """Write over the good row, as the store does with what may change."""
    insert_over = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    keys = [column.name for column in table.primary_key.columns]
    statement = insert_over(table).values(good_row(table))
    return statement.on_conflict_do_update(index_elements=keys, set_={"account_id": 1})


def truncate(connection: Connection, table: Table) -> list[Executable]:
    return [text(f"TRUNCATE {table.name}")] if connection.dialect.name == "postgresql" else []
