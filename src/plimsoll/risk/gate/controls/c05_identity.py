"""Control 5, identity: who wants it may trade, and portfolio, account and venue belong together.

It binds closes too: nobody closes another's position, and a paper order never reaches a venue of real money.
"""

from plimsoll.model.account import Account, Portfolio, User
from plimsoll.model.order import Intent
from plimsoll.risk.gate.snapshot import Proposal, Snapshot
from plimsoll.risk.gate.verdict import PASS, Control, Finding, cannot_evaluate, refuse
from plimsoll.risk.limits import Limits

_MAY_TRADE = frozenset({"admin", "trader"})


def judge(proposal: Proposal, snapshot: Snapshot, _limits: Limits) -> Finding:
    """Refuse who may not trade, what is not theirs, and the wrong venue."""
    user, account, portfolio = snapshot.user, snapshot.account, snapshot.portfolio
    if user is None:
        return cannot_evaluate("the user", "sign in again")
    if account is None:
        return cannot_evaluate("the account", "choose one of your accounts")
    if portfolio is None:
        return cannot_evaluate("the portfolio", "choose one of the account's portfolios")
    if not user.active:
        return _may_not_trade("deactivated", "ask an admin to activate the user")
    if not user.approved:
        return _may_not_trade("waiting for approval", "ask an admin to approve the user")
    if user.role not in _MAY_TRADE:
        return _may_not_trade(f"a {user.role}", "ask an admin for the role of trader")
    if not _belong_together(proposal.intent, user, account, portfolio):
        # Another's account answers exactly like one that does not exist: the sentence tells nothing about it.
        return refuse(
            "not_yours",
            "there is no such account and portfolio of this user",
            observed=f"account {proposal.intent.account_id}, portfolio {proposal.intent.portfolio_id}",
            limit="one's own",
            remedy="choose one of your accounts and one of its portfolios",
        )
    if snapshot.venue.name != account.broker:
        return refuse(
            "wrong_venue",
            "the order is on its way to another venue than its account's",
            observed=snapshot.venue.name,
            limit=account.broker,
            remedy="stop trading and report this: the desk is wired wrongly",
        )
    return PASS


def _may_not_trade(what: str, remedy: str) -> Finding:
    return refuse(
        "user_may_not_trade", f"the user is {what} and may not trade", observed=what, limit="trader", remedy=remedy
    )


def _belong_together(intent: Intent, user: User, account: Account, portfolio: Portfolio) -> bool:
    return (
        intent.user_id == user.id == account.user_id == portfolio.user_id
        and intent.account_id == account.id == portfolio.account_id
        and intent.portfolio_id == portfolio.id
    )


CONTROL = Control(5, "identity", judge, binds_close=True)
