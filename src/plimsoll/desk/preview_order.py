"""Preview an order: what the gate would say to it now, with every check, and what the account would be afterwards.

The gate is asked as `place_order` asks it, of the same snapshot built by the same function in the scribe's line, behind
whatever is being written. Nothing is written: no verdict, no breach, no key is used up.

"Afterwards" is the account as if all of the order had filled at once at the price it is valued at, fee paid; the fill
is booked on a copy by the ledger's own rules. It is told for an order that is refused as well, so that a person sees
how far off it is; not for a close that is none.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from plimsoll.desk.account_figures import has_load, waiting_of
from plimsoll.desk.place_order import Question, question_of, view_of
from plimsoll.desk.ports import Ports
from plimsoll.desk.snapshot import MarketView, holdings_of, max_price_age
from plimsoll.ledger import verdicts
from plimsoll.model import money
from plimsoll.model.cash import lines_of
from plimsoll.model.errors import Illegal
from plimsoll.model.ids import BrokerTradeId
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import Intent, Side
from plimsoll.model.position import Position
from plimsoll.model.trade import Trade, TradeReport
from plimsoll.risk.gate.controls import CONTROLS
from plimsoll.risk.gate.examine import examine, largest_that_passes
from plimsoll.risk.gate.snapshot import Proposal, known_price, resized
from plimsoll.risk.gate.verdict import Approved, Judged, Verdict, chosen_leverage, refusals
from plimsoll.risk.margin import Margin, Waiting, liquidation_prices, margin_of
from plimsoll.risk.valuation import Holdings, Prices, value_account
from plimsoll.store.draft import Draft


@dataclass(frozen=True, slots=True)
class OrderPreview:
    """What an order would be told, and what it would do; amounts in the account's currency, None is unknown."""

    approved: bool
    #: Every control's finding, in the list's order, for the size that was asked for.
    checks: tuple[Judged, ...]
    #: The refusing ones among them; beside `approved` they say why a smaller size was.
    reasons: tuple[Judged, ...]
    #: What would be sent: rounded down to the lot, or the smaller size that was approved.
    quantity: Decimal | None
    #: Of that quantity, at `price`: the order's own price, its trigger, or the side it would take.
    value: Decimal | None
    price: Decimal | None
    #: As a taker.
    fee: Decimal | None
    leverage: Decimal
    #: In `required_asset`, the fee apart: initial margin of a derivative, cash for coins, the coins that are sold.
    required: Decimal | None
    required_asset: str
    load_before: Decimal | None
    #: All of these as if the whole order had filled.
    load_after: Decimal | None
    margin_after: Decimal | None
    available_after: Decimal | None
    liquidation_price: Decimal | None
    #: Signed.
    position_after: Decimal | None
    #: The largest quantity that would pass if it were asked for now; None where none would, or nobody can tell.
    largest_quantity: Decimal | None
    price_source: str
    quote_age: timedelta | None


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the unit read: the gate's question, and what the account has at the same moment."""

    question: Question
    holdings: Holdings
    waiting: Waiting
    has_load: bool


@dataclass(frozen=True, slots=True)
class _After:
    """An account when an order has filled."""

    margin: Margin
    position_quantity: Decimal
    liquidation_price: Decimal | None


async def preview_order(ports: Ports, intent: Intent) -> OrderPreview:
    """Say what `place_order` would say to an intent now, and what the order would do.

    Raises: CommandRefused for an account that is not this one; StoreFailed
    """
    market = view_of(ports)
    seen: _Seen = await ports.books.write(lambda draft: _look(draft, ports, intent, market))
    return _preview(seen, market)


def _look(draft: Draft, ports: Ports, intent: Intent, market: MarketView) -> _Seen:
    before = verdicts.find(draft, intent)
    reused = before is not None and before.body_hash != verdicts.body_hash(intent)
    question = question_of(draft, ports, intent, market, key_reused=reused)
    instrument, account = question.snapshot.instrument, question.account
    also = () if instrument is None else (instrument.base, instrument.cash_asset)
    holdings = holdings_of(draft, account, question.limits, also=also)
    return _Seen(question, holdings, waiting_of(draft, account.id, holdings), has_load(draft, account))


def _preview(seen: _Seen, market: MarketView) -> OrderPreview:
    question, proposal, snapshot = seen.question, seen.question.proposal, seen.question.snapshot
    verdict, checks = examine(proposal, snapshot, question.limits, CONTROLS)
    sent = _as_sent(question, verdict)
    instrument, leverage = snapshot.instrument, chosen_leverage(snapshot, question.limits)
    required, asset = _required(sent, instrument, leverage)
    prices = Prices(market.quotes, market.now, max_price_age(question.limits, market.source))
    after = None
    if sent is not None and instrument is not None and not (sent.closes and not isinstance(verdict, Approved)):
        after = _after(seen, sent, instrument, leverage, prices, trusted=not market.blind)
    return OrderPreview(
        approved=isinstance(verdict, Approved),
        checks=checks,
        reasons=refusals(checks),
        quantity=None if sent is None else sent.quantity,
        value=None if sent is None else sent.value,
        price=proposal.reference,
        fee=_fee(sent, snapshot.fee_ratio),
        leverage=leverage,
        required=required,
        required_asset=asset,
        load_before=_margin(seen, seen.holdings, prices, trusted=not market.blind).load.ratio,
        load_after=None if after is None else after.margin.load.ratio,
        margin_after=None if after is None else after.margin.used,
        available_after=None if after is None else after.margin.available,
        liquidation_price=None if after is None else after.liquidation_price,
        position_after=None if after is None else after.position_quantity,
        largest_quantity=largest_that_passes(proposal, snapshot, question.limits, CONTROLS),
        price_source=market.source.name,
        quote_age=None if snapshot.quote is None else market.now - snapshot.quote.at,
    )


def _as_sent(question: Question, verdict: Verdict) -> Proposal | None:
    """Give the order at the size that would leave, valued at that size; None where it has none."""
    terms = verdict.terms if isinstance(verdict, Approved) else question.proposal.terms
    if not known_price(terms.quantity):
        return None
    return resized(question.proposal, terms.quantity, question.snapshot, question.limits.market_slack_ratio)


def _fee(sent: Proposal | None, fee_ratio: Decimal) -> Decimal | None:
    return None if sent is None or sent.value is None else money.settle_product(sent.value, fee_ratio)


def _required(sent: Proposal | None, instrument: Instrument | None, leverage: Decimal) -> tuple[Decimal | None, str]:
    if instrument is None:
        return None, ""
    if not instrument.is_derivative and sent is not None and sent.terms.side is Side.SELL:
        return sent.quantity, instrument.base
    if sent is None or sent.value is None or sent.reference is None or leverage < 1:
        return None, instrument.cash_asset
    if sent.closes:
        return money.ZERO, instrument.cash_asset
    return money.settle_quotient(instrument.notional(sent.quantity, sent.reference), leverage), instrument.cash_asset


# Afterwards -----------------------------------------------------------------------------------------------------------


def _after(
    seen: _Seen, sent: Proposal, instrument: Instrument, leverage: Decimal, prices: Prices, *, trusted: bool
) -> _After | None:
    """Book the whole order on a copy of the account; None where no such fill could ever be booked."""
    if sent.reference is None or sent.value is None or leverage < 1:
        return None
    try:
        trade = _fill(seen, sent, instrument, sent.reference, prices)
    except Illegal:
        return None
    intent, held = sent.intent, seen.holdings
    key = (intent.portfolio_id, instrument.id, intent.strategy_id or 0, sent.leg)
    before = next((position for position, _instrument in held.positions if position.key == key), None)
    if before is None:
        before = Position(intent.account_id, intent.portfolio_id, instrument.id, intent.strategy_id, sent.leg)
    position = before.after(trade, instrument)
    lines = lines_of(trade, instrument, position.realized_pnl - before.realized_pnl)
    others = [item for item in held.positions if item[0].key != key]
    holdings = replace(
        held,
        balances=[*held.balances, *((line.asset, line.amount) for line in lines)],
        positions=others if position.is_flat else [*others, (position, instrument)],
        leverages={**held.leverages, instrument.id: leverage},
    )
    margin = _margin(seen, holdings, prices, trusted=trusted)
    liquidated_at = liquidation_prices(holdings, prices).get(instrument.id) if trusted else None
    return _After(margin, position.quantity, liquidated_at)


def _fill(seen: _Seen, sent: Proposal, instrument: Instrument, price: Decimal, prices: Prices) -> Trade:
    """Make up the fill of a whole order, as its venue would report it.

    Raises: Illegal for numbers that no fill may have
    """
    intent, notional = sent.intent, instrument.notional(sent.quantity, price)
    report = TradeReport(
        account_id=intent.account_id,
        instrument_id=instrument.id,
        broker_trade_id=BrokerTradeId("preview"),
        side=sent.terms.side,
        quantity=sent.quantity,
        price=price,
        fee=money.settle_product(notional, seen.question.snapshot.fee_ratio),
        fee_currency=instrument.cash_asset,
        exec_time=prices.now,
        leg=sent.leg,
    )
    return Trade(report, intent.portfolio_id, intent.strategy_id, intent.triggered_by, notional)


def _margin(seen: _Seen, holdings: Holdings, prices: Prices, *, trusted: bool) -> Margin:
    worth = value_account(holdings, prices)
    if not trusted:  # the gate sees no equity either
        worth = replace(worth, equity=None)
    return margin_of(holdings, prices, worth, seen.waiting, seen.question.limits.leverage_cap, applies=seen.has_load)
