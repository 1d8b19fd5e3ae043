"""The imported book that somebody is shown under a name, as the next statement finds it."""

from dataclasses import dataclass

from sqlalchemy import Engine, func, select

from plimsoll.ledger import schema
from plimsoll.ledger.accounts import STATEMENT
from plimsoll.ledger.imported.spool import Statement, statement_from_row
from plimsoll.model.ids import AccountId, UserId
from plimsoll.store.statements import select_as_stored


@dataclass(frozen=True, slots=True)
class Book:
    """What an imported book is made of; empty where there is none."""

    account_id: AccountId | None = None
    statements: tuple[Statement, ...] = ()
    trade_count: int = 0
    #: Above the numbers of all statements that a book of this name ever had, those taken back included.
    next_number: int = 1
    #: Where a portfolio of this name is traded; empty for nowhere.
    traded_at: str = ""


def book_named(engine: Engine, user_id: UserId, name: str) -> Book:
    """Look for somebody's imported book."""
    accounts, portfolios, imports = schema.accounts.c, schema.portfolios.c, schema.imports.c
    making = (
        select(accounts.id, accounts.deleted_at)
        .join(schema.portfolios, portfolios.account_id == accounts.id)
        .where(accounts.broker == STATEMENT, accounts.user_id == user_id, portfolios.name == name)
    )
    trading = (
        select(accounts.broker)
        .join(schema.portfolios, portfolios.account_id == accounts.id)
        .where(accounts.broker != STATEMENT, portfolios.user_id == user_id, portfolios.name == name)
        .where(accounts.deleted_at.is_(None), portfolios.deleted_at.is_(None))
    )
    with engine.connect() as connection:
        every = connection.execute(making).all()
        traded_at = str(connection.execute(trading).scalars().first() or "")
        numbers = select(func.max(imports.number)).where(imports.account_id.in_([row.id for row in every]))
        next_number = (connection.execute(numbers).scalar() or 0) + 1
        shown = next((row for row in every if row.deleted_at is None), None)
        if shown is None:
            return Book(next_number=next_number, traded_at=traded_at)
        asked = select_as_stored(schema.imports).where(imports.account_id == shown.id)
        statements = tuple(statement_from_row(tuple(row)) for row in connection.execute(asked))
        counted = select(func.max(schema.trades.c.id)).where(schema.trades.c.account_id == shown.id)
        # They are numbered without holes.
        trade_count = connection.execute(counted).scalar() or 0
    return Book(AccountId(shown.id), statements, trade_count, next_number, traded_at)
