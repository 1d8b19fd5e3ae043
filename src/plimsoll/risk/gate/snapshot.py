"""What the gate looks at: one proposal and one snapshot of the account, made in the unit that will reserve for it.

`None` says "not known" everywhere. A control that needs an unknown value refuses; none of them guesses.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeGuard

from plimsoll.model import money
from plimsoll.model.account import Account, Portfolio, TradingState, User
from plimsoll.model.ids import ClientOrderId
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import Intent, OrderTerms, OrderType, Side, leg_traded
from plimsoll.model.quote import Quote, SourceFacts
from plimsoll.model.venue import VenueFacts
from plimsoll.risk.valuation import NOTHING_BOUND, Bound


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An account as the gate sees it. Amounts are in the account's currency where no other is named."""

    now: datetime
    user: User | None
    account: Account | None
    portfolio: Portfolio | None
    instrument: Instrument | None
    #: How long ago the venue told us the instrument's rules.
    metadata_age: timedelta | None
    venue: VenueFacts
    source: SourceFacts
    quote: Quote | None
    #: 1: the strictest state of desk, user, account and strategy, and who set it.
    state: TradingState
    state_source: str
    #: 2: compared with the venue since start, and found equal.
    reconciled: bool
    #: 2: orders of unknown fate on this instrument.
    unknown_orders: int
    #: 8: this key was used before, with another body.
    key_reused: bool
    #: Trusted equity; None when it cannot be valued.
    equity: Decimal | None
    #: Account currency for one unit of the instrument's cash asset.
    cash_rate: Decimal | None
    #: Of all pockets: the cash asset (spot: quote, derivative: settle), and the base coins; before reservations.
    cash: Decimal
    coins: Decimal
    #: Held back by live orders: in the cash asset, and in coins (spot sales).
    reserved_cash: Decimal
    reserved_coins: Decimal
    #: Initial margin of all derivatives' positions at their leverage.
    margin_used: Decimal | None
    #: Signed quantity of the position that the order would change (portfolio, instrument, strategy, leg), and how much
    #: of it closing market orders in flight will take, unsigned.
    position_quantity: Decimal
    closing_quantity: Decimal
    #: Signed value of the account's position in this instrument, and of those of its live opening orders in it that
    #: stand on the *same side* as the intent: buys and sells may not cancel out, because one side may fill alone.
    position_value: Decimal | None
    pending_value: Decimal | None
    #: Sum of the unsigned values of all the account's positions and live opening orders; and of the signed values of
    #: all its positions and of the live opening orders on the intent's side.
    gross_value: Decimal | None
    net_value: Decimal | None
    #: The leverage chosen for this symbol; None when unset.
    leverage: Decimal | None
    #: The account can borrow or holds derivatives; a plain spot account has no load.
    has_load: bool
    #: The venue's taker fee for this instrument.
    fee_ratio: Decimal
    #: 38: loss from the unitised peak; None when blind.
    drawdown: Decimal | None
    #: 45: when the last order with the same instrument, side, quantity and price was made.
    last_same_at: datetime | None = None
    #: 50: orders sent minus orders approved, as last counted; anything but 0 stops the desk.
    parity_difference: int = 0
    #: 11: the market is open now; None when nobody told us. What trades round the clock needs no answer.
    session_open: bool | None = None
    #: Spot: how much of that position all its live sales may still take, waiting ones and those of unknown fate too.
    selling_quantity: Decimal = money.ZERO
    #: 34: what open derivatives make of the cash asset, and of the base coins of a spot order; None: one has no price.
    cash_bound: Bound | None = NOTHING_BOUND
    coins_bound: Bound | None = NOTHING_BOUND


@dataclass(frozen=True, slots=True)
class Proposal:
    """An intent with its size made into a quantity, and what that is worth."""

    intent: Intent
    client_order_id: ClientOrderId
    terms: OrderTerms
    #: The price the order is valued at: its limit, its trigger, else the side it would take; None when unknown.
    reference: Decimal | None
    #: What was asked for, in the account's currency: the quote value given, or quantity at the reference price.
    value: Decimal | None
    #: The worst that a fill can cost, slack of control 18 included: in the instrument's cash asset, and in the
    #: account's currency. What is reserved.
    worst_cost: Decimal | None
    worst_value: Decimal | None
    #: It is said to be a close, or sells coins that are held: bound by the controls of a close only.
    closes: bool
    #: Which leg of a position it changes; empty where the venue nets.
    leg: str = ""

    @property
    def quantity(self) -> Decimal:
        quantity = self.terms.quantity
        return money.ZERO if quantity is None else quantity


def known(amount: Decimal | None) -> TypeGuard[Decimal]:
    """Say whether there is an amount to calculate with: not missing, not NaN, not infinite."""
    return amount is not None and amount.is_finite()


def known_price(price: Decimal | None) -> TypeGuard[Decimal]:
    """Say whether there is a price to divide by and take shares of."""
    return known(price) and price > 0


def propose(
    intent: Intent, client_order_id: ClientOrderId, snapshot: Snapshot, market_slack_ratio: Decimal
) -> Proposal:
    """Make an intent's size into a quantity, rounded down to the lot, and value it.

    It never fails: what cannot be calculated stays unknown (a size: zero), and the controls refuse it with a reason.
    """
    terms, asked = intent.terms, None
    reference = _reference_price(terms, snapshot.quote)
    if terms.quote_value is not None:
        lots, asked = _lots_and_value(terms.quote_value, reference, snapshot)
        terms = terms.sized(lots)
    closes, leg = _closes(intent, terms, snapshot), leg_of(intent, snapshot.instrument, snapshot.venue)
    proposal = Proposal(intent, client_order_id, terms, reference, None, None, None, closes, leg)
    proposal = valued(proposal, snapshot, market_slack_ratio)
    if asked is None or proposal.value is None:
        return proposal
    # Minimums and limits of ours are tested on what was asked for, not on what is left after rounding to the lot.
    return replace(proposal, value=asked)


def leg_of(intent: Intent, instrument: Instrument | None, venue: VenueFacts) -> str:
    """Say which leg of a position an order changes: the one that a close names, else by its side and what it is for.

    Where long and short stand beside each other an order never turns a position round: without the word that it
    closes, a sale opens the short leg, however long the other is.
    """
    if intent.leg or not venue.hedging or instrument is None or not instrument.is_derivative:
        return intent.leg
    return leg_traded(intent.terms.side, closes=intent.terms.reduce_only or intent.closes_leg)


def resized(proposal: Proposal, quantity: Decimal, snapshot: Snapshot, market_slack_ratio: Decimal) -> Proposal:
    """Give the same proposal at another quantity, valued anew."""
    smaller = replace(proposal, terms=proposal.terms.sized(quantity))
    return valued(smaller, snapshot, market_slack_ratio)


def valued(proposal: Proposal, snapshot: Snapshot, market_slack_ratio: Decimal) -> Proposal:
    """Value a proposal at its reference price and at the worst one; unknown stays unknown."""
    instrument, rate, reference = snapshot.instrument, snapshot.cash_rate, proposal.reference
    quantity = proposal.quantity
    if instrument is None or reference is None or not known_price(rate) or not known(quantity):
        return _unvalued(proposal)
    price, slack = _dearest_price(proposal.terms, instrument, reference, snapshot.quote), 1 + market_slack_ratio
    try:
        value = money.settle_product(instrument.notional(quantity, reference), rate)
        if instrument.inverse:  # the value falls as the price rises, so the slack is taken of the value
            cost = money.settle_product(instrument.notional(quantity, price), slack)
        else:
            cost = instrument.notional(quantity, price * slack)
        return replace(proposal, value=value, worst_cost=cost, worst_value=money.settle_product(cost, rate))
    except ArithmeticError:  # more digits than any number of ours may have: control 9 says which
        return _unvalued(proposal)


def _unvalued(proposal: Proposal) -> Proposal:
    return replace(proposal, value=None, worst_cost=None, worst_value=None)


def quote_notional(instrument: Instrument, quantity: Decimal, price: Decimal) -> Decimal:
    """Value a quantity in the quote currency; an inverse contract counts it already."""
    return quantity * instrument.multiplier * (1 if instrument.inverse else price)


def _lots_and_value(wanted: Decimal, price: Decimal | None, snapshot: Snapshot) -> tuple[Decimal, Decimal | None]:
    instrument, rate = snapshot.instrument, snapshot.cash_rate
    if instrument is None or price is None or not known_price(wanted):
        return money.ZERO, None
    try:
        per_unit = quote_notional(instrument, Decimal(1), price)
        lots = instrument.round_down_to_lot(money.settle_quotient(wanted, per_unit))
        cash = money.settle_quotient(wanted, price) if instrument.inverse else wanted
        return lots, money.settle_product(cash, rate) if known_price(rate) else None
    except ArithmeticError:
        return money.ZERO, None


def _reference_price(terms: OrderTerms, quote: Quote | None) -> Decimal | None:
    if terms.type in (OrderType.LIMIT, OrderType.STOP_LIMIT):
        price = terms.price
    elif terms.type is OrderType.STOP:
        price = terms.stop_price
    elif quote is None:
        return None
    else:
        price = quote.ask if terms.side is Side.BUY else quote.bid
    return price if known_price(price) else None


def _dearest_price(terms: OrderTerms, instrument: Instrument, reference: Decimal, quote: Quote | None) -> Decimal:
    # A linear buy costs at most its limit. A sale may fill above its limit, at the bid or where its stop was hit, and
    # a short is then larger than its limit says. An inverse contract is dearest where the price is lowest: mirrored.
    if (terms.side is Side.SELL) == instrument.inverse:
        return reference
    dearest = min if instrument.inverse else max
    prices = [reference]
    if known_price(terms.stop_price):
        prices.append(terms.stop_price)
    if quote is not None:
        prices.append(quote.ask if instrument.inverse else quote.bid)
    return dearest(prices)


def _closes(intent: Intent, terms: OrderTerms, snapshot: Snapshot) -> bool:
    if terms.reduce_only or intent.closes_leg:
        return True  # if it does not, control 36 refuses: a close that was meant never becomes an opening order
    # On spot a sale of coins that are held can only reduce, with the flag or without: the venue cannot flip it.
    instrument, quantity = snapshot.instrument, terms.quantity
    if instrument is None or instrument.is_derivative or terms.side is Side.BUY or not known(quantity):
        return False
    left = left_to_close(intent, snapshot)
    return left is not None and snapshot.position_quantity > 0 and 0 < quantity <= left


def left_to_close(intent: Intent, snapshot: Snapshot) -> Decimal | None:
    """Give the quantity of its position that an order may take and still be a close; None when it cannot be known.

    Units: below zero when more is on its way than there is
    """
    position, closing = snapshot.position_quantity, snapshot.closing_quantity
    if not known(position) or not known(closing) or closing < 0:
        return None
    left, instrument, terms = abs(position) - closing, snapshot.instrument, intent.terms
    if instrument is None or instrument.is_derivative or terms.side is Side.BUY:
        return left
    if terms.type is OrderType.MARKET and (terms.reduce_only or intent.closes_leg):
        # A close that is meant, such as a guard's. Protection that waits is not subtracted: it may never fill, and a
        # stop must not keep the position open that it protects. It was taken back first, for it locks the coins.
        return left
    # No venue of spot keeps a waiting sale from selling somebody else's coins, flag or not: every live sale of the
    # position is taken as filled, and the coins must be there.
    selling, coins, reserved = snapshot.selling_quantity, snapshot.coins, snapshot.reserved_coins
    if not known(selling) or selling < 0 or not known(coins) or not known(reserved):
        return None
    return min(left, abs(position) - selling, coins - reserved)
