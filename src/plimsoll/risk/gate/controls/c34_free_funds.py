"""Control 34, free cash or margin: what the order may cost at worst, fee included, is there and not promised twice.

Spot buys are paid from cash, spot sales from coins, derivatives from the account's free margin. Cash and margin keep a
buffer of equity free; coins need none.

One wallet pays for spot and derivatives alike, asset by asset, as venues count in their plain modes: what a derivative
binds or has lost of an asset buys no coins, an open profit is margin and no money to spend, and coins bought on spot
are margin only for what settles in them, however much they add to equity.

Of closes it is asked only where one portfolio's leg is closed by an order that opens at the venue, which nets the legs
of an account. It says what that takes and refuses nothing: closing is sacred.
"""

from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

from plimsoll.model import money
from plimsoll.model.order import Side
from plimsoll.risk.gate.snapshot import Proposal, Snapshot, known, known_price
from plimsoll.risk.gate.verdict import (
    PASS,
    Control,
    Finding,
    cannot_evaluate,
    chosen_leverage,
    refuse,
    reservation,
    warn,
)
from plimsoll.risk.limits import Limits


class _Funds(NamedTuple):
    """What the order takes and what there is, both in `unit`."""

    needed: Decimal
    free: Decimal
    unit: str


def judge(proposal: Proposal, snapshot: Snapshot, limits: Limits) -> Finding:
    """Refuse an order that the account could not pay at the worst price."""
    if proposal.closes:
        return _of_close(proposal, snapshot, limits)
    funds = _funds(proposal, snapshot, limits)
    if funds is None:
        return cannot_evaluate("what the order may cost, or what is free", "wait until price and account are known")
    if funds.needed > funds.free:
        return refuse(
            "not_enough_free",
            f"at worst the order takes more {funds.unit} than is free",
            observed=funds.needed,
            limit=funds.free,
            remedy="order less, cancel a waiting order, or deposit",
        )
    return PASS


def _of_close(proposal: Proposal, snapshot: Snapshot, limits: Limits) -> Finding:
    instrument = snapshot.instrument
    if instrument is None or not instrument.is_derivative or proposal.terms.reduce_only:
        return PASS
    funds = _funds(replace(proposal, closes=False), snapshot, limits)
    return warn(
        "close_opens_at_venue",
        "this close of one portfolio opens at the venue, which nets all legs of the account",
        observed="its margin is not known" if funds is None else funds.needed,
        limit="" if funds is None else funds.free,
        remedy="" if funds is not None and funds.needed <= funds.free else "the venue may refuse it: free some margin",
    )


def largest_value(proposal: Proposal, snapshot: Snapshot, limits: Limits) -> Decimal | None:
    """Give the largest value that passes: the cost grows with the value, so the same share of both."""
    funds = _funds(proposal, snapshot, limits)
    if funds is None or not known_price(proposal.value):
        return None
    if funds.needed <= 0:
        return proposal.value
    return money.settle_share(proposal.value, max(funds.free, money.ZERO), funds.needed)


def _funds(proposal: Proposal, snapshot: Snapshot, limits: Limits) -> _Funds | None:
    instrument = snapshot.instrument
    if instrument is None:
        return None
    if not instrument.is_derivative and proposal.terms.side is Side.SELL:
        coins, reserved, bound = snapshot.coins, snapshot.reserved_coins, snapshot.coins_bound
        if not known(proposal.quantity) or not known(coins) or not known(reserved) or bound is None:
            return None
        return _Funds(proposal.quantity, coins - reserved - bound.margin - bound.loss, instrument.base)

    equity, rate, leverage = snapshot.equity, snapshot.cash_rate, chosen_leverage(snapshot, limits)
    if not known(proposal.worst_cost) or not known(equity) or not known_price(rate) or not known(snapshot.fee_ratio):
        return None
    cash, reserved, bound = snapshot.cash, snapshot.reserved_cash, snapshot.cash_bound
    if not known(cash) or not known(reserved) or bound is None or not known_price(leverage):
        return None
    needed, asset = reservation(proposal, snapshot, instrument, leverage)
    buffer = money.settle_product(max(equity, money.ZERO), limits.cash_buffer_ratio)
    wallet = (
        cash - reserved - bound.margin - bound.loss - (buffer if rate == 1 else money.settle_quotient(buffer, rate))
    )
    if not instrument.is_derivative:
        return _Funds(needed, wallet, asset)
    used = snapshot.margin_used
    if not known(used):
        return None
    # The account as a whole must carry it too: what is owed in another asset is missing here.
    wallet += bound.profit
    if rate == 1:  # nearly always
        return _Funds(needed, min(equity - used - reserved - buffer, wallet), f"{asset} of margin")
    free = equity - used - money.settle_product(reserved, rate) - buffer
    return _Funds(
        money.settle_product(needed, rate),
        min(free, money.settle_product(wallet, rate)),
        "margin of the account's currency",
    )


CONTROL = Control(34, "free cash or margin", judge, binds_close=True, largest_value=largest_value)
