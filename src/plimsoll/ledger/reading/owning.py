"""What is whose, as SQL: the one place where a row is found to be somebody's.

Each predicate is about a column of the table that is read: the portfolio, the account, the user or the scope that a row
belongs to. A new noun takes one of them; there is no fifth way to own something.
"""

from typing import Any

from sqlalchemy import Column, ColumnElement, Select, and_, false, or_, select

from plimsoll.ledger import schema
from plimsoll.model.account import Scope
from plimsoll.model.asker import Asker


def own_portfolios(asker: Asker) -> Select[Any]:
    """Select the ids of the portfolios that he may touch, with their accounts; none that was deleted.

    An account is one user's, and so are its portfolios: where the two differ, it is nobody's to read.
    """
    portfolios, accounts = schema.portfolios.c, schema.accounts.c
    mine = (
        select(portfolios.id, portfolios.account_id)
        .join(schema.accounts, accounts.id == portfolios.account_id)
        .where(portfolios.user_id == asker.user_id, accounts.user_id == asker.user_id)
        .where(portfolios.deleted_at.is_(None), accounts.deleted_at.is_(None))
    )
    return mine if asker.portfolios is None else mine.where(portfolios.id.in_(sorted(asker.portfolios)))


def in_own_portfolio(asker: Asker, portfolio_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """Demand a portfolio that he may touch."""
    return portfolio_id.in_(own_portfolios(asker).with_only_columns(schema.portfolios.c.id))


def in_own_account(asker: Asker, account_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """Demand an account that is wholly his to see.

    A deleted portfolio counts for what it was: the account's equity tells of it, too.
    """
    accounts, portfolios = schema.accounts.c, schema.portfolios.c
    others = portfolios.user_id != asker.user_id
    if asker.portfolios is not None:
        others = or_(others, portfolios.id.not_in(sorted(asker.portfolios)))
    parts_of_others = select(portfolios.id).where(portfolios.account_id == accounts.id, others).exists()
    touched = own_portfolios(asker).with_only_columns(portfolios.account_id)
    whole = select(accounts.id).where(accounts.id.in_(touched), ~parts_of_others)
    return account_id.in_(whole)


def by_himself(asker: Asker, user_id: Column[Any]) -> ColumnElement[bool]:
    """Demand what he set up himself; a token for some portfolios only sees nothing that is over all of them."""
    return user_id == asker.user_id if asker.portfolios is None else false()


def over_him(asker: Asker, scope_type: Column[Any], scope_id: Column[Any]) -> ColumnElement[bool]:
    """Demand a scope that binds him: the desk, himself, an account or a portfolio or a bot of his."""
    bots = select(schema.bots.c.id).where(in_own_portfolio(asker, schema.bots.c.portfolio_id))
    return or_(
        scope_type == Scope.DESK,
        and_(scope_type == Scope.USER, by_himself(asker, scope_id)),
        and_(scope_type == Scope.ACCOUNT, in_own_account(asker, scope_id)),
        and_(scope_type == Scope.PORTFOLIO, in_own_portfolio(asker, scope_id)),
        and_(scope_type == Scope.STRATEGY, scope_id.in_(bots)),
    )
