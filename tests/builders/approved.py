"""Orders as the gate approves them, made by hand: what a venue's tests have to offer it."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from plimsoll.model.ids import AccountId, ClientOrderId, IntentKey, PortfolioId, UserId, client_order_id
from plimsoll.model.instrument import Instrument
from plimsoll.model.order import Intent, OrderTerms, OrderType, Side, TimeInForce
from plimsoll.risk.gate.verdict import Approved

ACCOUNT, PORTFOLIO, USER = AccountId(1), PortfolioId(1), UserId(1)
DESK = "DESK"
MADE_AT = datetime(2022, 1, 1, tzinfo=UTC)


def approved(
    key: str,
    side: Side,
    quantity: str | Decimal,
    instrument: Instrument,
    *,
    price: str | None = None,
    stop: str | None = None,
    time_in_force: TimeInForce = TimeInForce.GTC,
    reduce_only: bool = False,
    post_only: bool = False,
    account_id: AccountId = ACCOUNT,
    leg: str = "",
    names_leg: bool = False,
) -> Approved:
    """Give an approved order; price and stop say which type it is. The same key is the same client order id."""
    kind = {
        (False, False): OrderType.MARKET,
        (True, False): OrderType.LIMIT,
        (False, True): OrderType.STOP,
        (True, True): OrderType.STOP_LIMIT,
    }[price is not None, stop is not None]
    terms = OrderTerms(
        instrument_id=instrument.id,
        side=side,
        type=kind,
        quantity=Decimal(quantity),
        price=None if price is None else Decimal(price),
        stop_price=None if stop is None else Decimal(stop),
        time_in_force=time_in_force,
        reduce_only=reduce_only,
        post_only=post_only,
    )
    intent = Intent(
        key=IntentKey(key),
        account_id=account_id,
        portfolio_id=PORTFOLIO,
        user_id=USER,
        terms=terms,
        triggered_by="manual",
        made_at=MADE_AT,
        leg=leg if names_leg else "",
    )
    return Approved(
        account_id=account_id,
        client_order_id=id_of(key, account_id),
        instrument=instrument,
        intent=intent,
        terms=terms,
        leverage=Decimal(1),
        reserved=Decimal(0),
        reserved_asset=instrument.cash_asset,
        reduced_from=None,
        limits_version=1,
        value=Decimal(0),
        closes=reduce_only,
        remarks=(),
        leg=leg,
    )


def id_of(key: str, account_id: AccountId = ACCOUNT) -> ClientOrderId:
    """Give the client order id that a key has."""
    return client_order_id(DESK, account_id, USER, IntentKey(key))


def with_id_of(order: Approved, key: str) -> Approved:
    """Give an order that wrongly carries another one's client order id."""
    return replace(order, client_order_id=id_of(key, order.account_id))
