"""What belongs to whom: the one place where a name or an id that came from outside becomes an account or a portfolio.

Rule 1. Every question carries the actor. What is not his, or not within what his token may touch, does not exist.
Rule 2. What concerns a whole account (its equity, halts, guards, margin) is seen only by a token that may touch every
        portfolio of it: a key for one portfolio must not learn, or stop, what the others do.

Rule 3. Imported books are his to see and nobody's to trade on: they are found where a portfolio is named, and stand
        behind all others where portfolios are listed. What adds up what somebody has now leaves them out.

A desk's accounts and portfolios are made before it is served, so they are looked up once. Who adds a route that makes
one also tells the estate. Imported books come and go while it is served, and are looked up each time.
"""

from collections import defaultdict
from typing import TYPE_CHECKING

from plimsoll.edges.api.problems import Refused, missing, refused_field
from plimsoll.ledger import accounts as account_rows
from plimsoll.ledger import keys
from plimsoll.model.account import Account, Portfolio
from plimsoll.model.ids import AccountId, PortfolioId, UserId
from plimsoll.people.actor import Actor

if TYPE_CHECKING:
    from plimsoll.edges.served import ServedAccount, ServedDesk


class Estate:
    """Who owns what of one desk."""

    def __init__(self, desk: "ServedDesk") -> None:
        self._desk = desk
        self._of_user: defaultdict[UserId, list[Portfolio]] = defaultdict(list)
        self._of_account: defaultdict[AccountId, set[PortfolioId]] = defaultdict(set)
        for key, value in sorted(desk.books.hot.snapshot().items(), key=lambda item: str(item[0])):
            is_served = key[0] == keys.PORTFOLIO and value.account_id in desk.accounts
            # What was deleted is nobody's to name, and no part of what an account is now.
            if is_served and value.deleted_at is None:
                self._of_user[value.user_id].append(value)
                self._of_account[value.account_id].add(value.id)
        for portfolios in self._of_user.values():
            portfolios.sort(key=lambda portfolio: portfolio.id)

    def portfolios(self, actor: Actor) -> list[Portfolio]:
        """List what he may touch and trade on, oldest first."""
        return [portfolio for portfolio in self._of_user.get(actor.user.id, []) if actor.owns(portfolio)]

    def imported(self, actor: Actor) -> list[Portfolio]:
        """List the imported books that he may see, oldest first."""
        shown: list[Portfolio] = self._desk.books.hot.shelf(keys.IMPORTED, actor.user.id)
        return sorted((one for one in shown if actor.owns(one)), key=lambda one: one.id)

    def seen(self, actor: Actor) -> list[Portfolio]:
        """List all that he may see: what he trades on first."""
        return [*self.portfolios(actor), *self.imported(actor)]

    def is_imported(self, portfolio: Portfolio) -> bool:
        """Say whether nobody trades on a portfolio of his."""
        return portfolio.account_id not in self._desk.accounts

    def account_ids(self, actor: Actor) -> list[AccountId]:
        """List every account of the actor's user, whatever the token may touch of them: for what is unique per user."""
        return list(dict.fromkeys(portfolio.account_id for portfolio in self._of_user.get(actor.user.id, [])))

    def ids(self, actor: Actor) -> frozenset[PortfolioId]:
        """Give the ids of what he may touch, as the filter of every read."""
        return frozenset(portfolio.id for portfolio in self.portfolios(actor))

    def portfolio(self, actor: Actor, said: str) -> Portfolio:
        """Find a portfolio by its id, or by its name where only one has it; of what he trades on first.

        Raises: Refused
        """
        traded, seen = self.portfolios(actor), self.seen(actor)
        named = [portfolio for portfolio in seen if portfolio.uid == said]
        named = named or [portfolio for portfolio in traded if portfolio.name == said]
        named = named or [portfolio for portfolio in seen if portfolio.name == said]
        if not named:
            raise missing()
        if len(named) > 1:
            raise refused_field("portfolio", said, "several accounts have one of this name: give its id")
        return named[0]

    def chosen(self, actor: Actor, said: str | None) -> Portfolio:
        """Find the portfolio that a command is for; without a word, the one that there is, or the only `main`.

        Raises: Refused
        """
        if said is not None:
            return self.portfolio(actor, said)
        mine = self.portfolios(actor)
        mains = mine if len(mine) == 1 else [item for item in mine if item.name == account_rows.MAIN]
        if len(mains) != 1:
            raise refused_field("portfolio", None, "say which portfolio: `GET portfolios` lists yours")
        return mains[0]

    def within(self, actor: Actor, said: str | None) -> list[Portfolio]:
        """List the portfolios that a read is about: the one that is named, or all that he trades on.

        Raises: Refused
        """
        return self.portfolios(actor) if said is None else [self.portfolio(actor, said)]

    def accounts(self, actor: Actor) -> list["ServedAccount"]:
        """List the accounts that are wholly his to see."""
        mine = self.portfolios(actor)
        touched, numbers = frozenset(item.id for item in mine), dict.fromkeys(item.account_id for item in mine)
        return [self._desk.accounts[number] for number in numbers if self._of_account[number] <= touched]

    def account(self, actor: Actor, said: str | None) -> "ServedAccount":
        """Find an account by its id; without a word, the only one.

        Raises: Refused
        """
        mine = self.accounts(actor)
        if said is None:
            if len(mine) == 1:
                return mine[0]
            if not mine:
                raise missing()
            raise refused_field("account", None, "say which account: `GET portfolios` names yours")
        for served in mine:
            if self.record(served).uid == said:
                return served
        raise missing()

    def number(self, actor: Actor, said: str) -> AccountId:
        """Find the number of an account by its id: one that he trades on, or that of an imported book.

        Raises: Refused
        """
        for portfolio in self.imported(actor):
            record: Account = self._desk.books.hot.get(keys.account(portfolio.account_id))
            if record.uid == said:
                return record.id
        return self.account(actor, said).ports.account_id

    def some(self, actor: Actor, said: str | None) -> list["ServedAccount"]:
        """List the accounts that are meant: the one that is named, or all of his.

        Raises: Refused
        """
        return self.accounts(actor) if said is None else [self.account(actor, said)]

    def all_of(self, account_id: AccountId) -> frozenset[PortfolioId]:
        """Give every portfolio of an account, to see whether somebody's are the whole of it."""
        return frozenset(self._of_account[account_id])

    def of(self, portfolio: Portfolio) -> "ServedAccount":
        """Give the account that a portfolio of his belongs to.

        Raises: Refused for an imported book
        """
        if self.is_imported(portfolio):
            said = f"`{portfolio.name}` was imported: it is a history, and nobody trades on it; name another portfolio"
            raise Refused(409, "portfolio_imported", said)
        return self._desk.accounts[portfolio.account_id]

    def record(self, served: "ServedAccount") -> Account:
        """Give what the book knows of an account."""
        found: Account = self._desk.books.hot.get(keys.account(served.ports.account_id))
        return found
