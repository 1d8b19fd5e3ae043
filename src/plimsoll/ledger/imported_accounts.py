"""Which accounts are imported books, as questions to the database, and which of these nobody is shown.

    imported     brought along; the rows of each are numbered, and linked, by themselves
    hidden       a making that is on its way, was cut off, or was replaced by a later one
    unfinished   hidden, and none of its statements is written: its last unit never ran

Their ids are part of the question: whoever writes `statement` into the account that he trades on hides nothing by it.
"""

from typing import Any

from sqlalchemy import Select, select

from plimsoll.ledger import schema
from plimsoll.ledger.accounts import IMPORTED_BEHIND, STATEMENT

_A = schema.accounts.c


def imported_accounts() -> Select[Any]:
    """Select the ids of all imported books."""
    return select(_A.id).where(_A.broker == STATEMENT, _A.id > IMPORTED_BEHIND)


def hidden_accounts() -> Select[Any]:
    """Select the ids of those that nobody is shown."""
    return imported_accounts().where(_A.deleted_at.is_not(None))


def unfinished_accounts() -> Select[Any]:
    """Select the ids of those that are not whole, and never will be unless their import is under way."""
    statements = schema.imports.c
    return hidden_accounts().where(~select(statements.number).where(statements.account_id == _A.id).exists())
