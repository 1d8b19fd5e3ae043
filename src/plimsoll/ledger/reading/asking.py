"""How a question is put: by somebody, at one moment, and a page of one account after the other."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from sqlalchemy import Column, ColumnElement, Connection, Engine, Select, func, select
from sqlalchemy.exc import SQLAlchemyError

from plimsoll.ledger import schema
from plimsoll.ledger.reading import owning
from plimsoll.ledger.reading.paging import Below, Noun, Page, Place, page_of
from plimsoll.model.asker import Asker
from plimsoll.model.ids import AccountId, InstrumentId, PortfolioId
from plimsoll.store.connection import StoreFailed
from plimsoll.store.draft import Row
from plimsoll.store.place import ASKER

#: What narrows a list further: portfolios, instruments; None for no narrowing.
Portfolios = Collection[PortfolioId] | None
Instruments = Collection[InstrumentId] | None


class Reading:
    """Questions of one asker about some nouns. Every public method is one question, of one moment."""

    #: Nothing here but the questions: the walk over all of them (tests) finds a new one by itself.
    __slots__: ClassVar[tuple[str, ...]] = ("_asker", "_engine")

    def __init__(self, engine: Engine, asker: Asker) -> None:
        self._engine, self._asker = engine, asker

    @contextmanager
    def _moment(self) -> Iterator[Connection]:
        # One transaction, in which the second wall knows who asks; with its end it forgets him.
        try:
            with self._engine.connect() as connection:
                if connection.dialect.name == "postgresql":
                    connection.execute(select(func.set_config(ASKER, str(self._asker.user_id), True)))
                yield connection
        except SQLAlchemyError as error:
            raise StoreFailed(f"cannot read the book: {error}") from error

    def _in_own_portfolio(self, portfolio_id: Column[Any], among: Portfolios = None) -> ColumnElement[bool]:
        # `+ 0` keeps SQLite from going by the portfolio's index, and sorting all its rows to show the newest few.
        mine = owning.in_own_portfolio(self._asker, portfolio_id + 0)
        return mine if among is None else mine & (portfolio_id + 0).in_(sorted(among))

    def _page(
        self,
        wanted: Select[Any],
        number: Column[Any],
        *,
        accounts: Select[Any],
        make: Callable[[Row], Noun],
        place: Place[Noun],
        at: Callable[[Noun], Any],
        below: Below,
        limit: int,
    ) -> Page[Noun]:
        """Read one page of what lies under (account, number).

        Shapes: `accounts` selects the ids of those that are read
        """
        account = number.table.c.account_id

        def newest(connection: Connection, account_id: AccountId) -> list[Noun]:
            # One more than asked for: whether it is there says whether there is another page.
            newest_rows = wanted.where(account == account_id).order_by(None).order_by(number.desc()).limit(limit + 1)
            if account_id in below:
                newest_rows = newest_rows.where(number < below[account_id])
            return [make(tuple(row)) for row in connection.execute(newest_rows)]

        with self._moment() as connection:
            numbers = [AccountId(row[0]) for row in connection.execute(accounts.distinct())]
            lists = [newest(connection, account_id) for account_id in numbers]
        return page_of(lists, below, limit, at=at, place=place)

    def _page_by_portfolio(
        self,
        wanted: Select[Any],
        number: Column[Any],
        *,
        among: Portfolios,
        make: Callable[[Row], Noun],
        place: Place[Noun],
        at: Callable[[Noun], Any],
        below: Below,
        limit: int,
    ) -> Page[Noun]:
        # Of the accounts in which he has any portfolio, the rows of his.
        mine = self._in_own_portfolio(number.table.c.portfolio_id, among)
        accounts = select(schema.portfolios.c.account_id).where(self._in_own_portfolio(schema.portfolios.c.id, among))
        return self._page(
            wanted.where(mine), number, accounts=accounts, make=make, place=place, at=at, below=below, limit=limit
        )

    def _page_by_account(
        self,
        wanted: Select[Any],
        number: Column[Any],
        *,
        of: AccountId | None,
        make: Callable[[Row], Noun],
        place: Place[Noun],
        at: Callable[[Noun], Any],
        below: Below,
        limit: int,
    ) -> Page[Noun]:
        # Of the accounts that are wholly his; of one of them, where one is named.
        mine = owning.in_own_account(self._asker, number.table.c.account_id)
        accounts = select(schema.accounts.c.id).where(owning.in_own_account(self._asker, schema.accounts.c.id))
        if of is not None:
            accounts = accounts.where(schema.accounts.c.id == of)
        return self._page(
            wanted.where(mine), number, accounts=accounts, make=make, place=place, at=at, below=below, limit=limit
        )
