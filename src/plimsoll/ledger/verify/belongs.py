"""What belongs to whom: that what a row names is there, and is of the same owner.

The database itself keeps only that a portfolio, an account or an instrument exists, and only while nobody switches
that off. That a trade's portfolio is of the trade's account it cannot say.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Column, Table, select

from plimsoll.ledger import schema
from plimsoll.ledger.verify.proof import Proof, place_of
from plimsoll.store.draft import Cell
from plimsoll.store.statements import select_as_stored


def check_belongings(proof: Proof) -> None:
    """Look for rows that name what is not there, and for portfolios and orders of another account or user."""
    owners = _Owners(proof)
    for table in schema.metadata.sorted_tables:
        naming = [column for column in table.columns if column.foreign_keys]
        if not naming or proof.is_empty(table):
            continue
        for values in list(proof.ask(select(*naming).distinct())):
            named = dict(zip(naming, values, strict=True))
            for code, sentence in owners.contradictions(named):
                there = (column.is_not_distinct_from(value) for column, value in named.items())
                row = next(proof.ask(select_as_stored(table).where(*there).limit(1)))
                proof.find(code, table.name, place_of(table, row), sentence)


class _Owners:
    """Who and what there is, and who owns it."""

    def __init__(self, proof: Proof) -> None:
        tables: set[Table] = {
            key.column.table for table in schema.metadata.tables.values() for key in table.foreign_keys
        }
        self._known = {table: {row[0] for row in proof.ask(select(table.c.id))} for table in tables}
        accounts, portfolios = schema.accounts.c, schema.portfolios.c
        self._users = {row[0]: row[1] for row in proof.ask(select(accounts.id, accounts.user_id))}
        self._accounts = {row[0]: row[1] for row in proof.ask(select(portfolios.id, portfolios.account_id))}

    def contradictions(self, named: Mapping[Column[Any], Cell]) -> Iterator[tuple[str, str]]:
        """Say what does not fit together in what a row names."""
        for column, value in named.items():
            (key,) = column.foreign_keys
            if value is not None and value not in self._known[key.column.table]:
                yield "belongs_to_nothing", f"{column.name} {value} is not in {key.column.table.name}"
        said = {column.name: value for column, value in named.items()}
        account, portfolio, user = said.get("account_id"), said.get("portfolio_id"), said.get("user_id")
        if account is not None and self._accounts.get(portfolio, account) != account:
            yield "portfolio_of_another", f"portfolio {portfolio} is of account {self._accounts[portfolio]}"
        if user is not None and self._users.get(account, user) != user:
            yield "account_of_another", f"account {account} is of user {self._users[account]}, not of user {user}"
