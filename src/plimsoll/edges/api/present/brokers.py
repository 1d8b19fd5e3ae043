"""A broker's definition, as it is shown and as it comes in."""

from plimsoll.edges.api.schemas import BrokerDefinition, BrokerRow, CredentialFieldRow, RateLimitRow
from plimsoll.ledger.brokers import Listed
from plimsoll.model.broker import Broker, BrokerKind, CredentialField, FieldKind, RateLimit


def broker_row(listed: Listed) -> BrokerRow:
    """Show a definition."""
    broker = listed.broker
    return BrokerRow(
        slug=broker.slug,
        name=broker.name,
        kind=broker.kind.value,
        markets=sorted(broker.markets),
        order_types=sorted(broker.order_types),
        spot=broker.spot,
        margin=broker.margin,
        futures=broker.futures,
        leverage_min=broker.leverage_min,
        leverage_max=broker.leverage_max,
        maker_fee_ratio=broker.maker_fee_ratio,
        taker_fee_ratio=broker.taker_fee_ratio,
        rate_limits=[RateLimitRow(what=one.what, count=one.count, seconds=one.seconds) for one in broker.rate_limits],
        credential_fields=[_field_row(field) for field in broker.credential_fields],
        version=listed.version,
    )


def _field_row(field: CredentialField) -> CredentialFieldRow:
    return CredentialFieldRow(
        name=field.name,
        label=field.label,
        kind=field.kind.value,
        required=field.required,
        secret=field.secret,
        regex=field.regex,
        help=field.help,
    )


def broker_of(slug: str, wish: BrokerDefinition) -> Broker:
    """Make a definition of what came in.

    Raises: Illegal
    """
    return Broker(
        slug,
        wish.name,
        BrokerKind(wish.kind),
        frozenset(wish.markets),
        frozenset(wish.order_types),
        wish.spot,
        wish.margin,
        wish.futures,
        wish.leverage_min,
        wish.leverage_max,
        wish.maker_fee_ratio,
        wish.taker_fee_ratio,
        tuple(RateLimit(one.what, one.count, one.seconds) for one in wish.rate_limits),
        tuple(
            CredentialField(one.name, one.label, FieldKind(one.kind), one.required, one.secret, one.regex, one.help)
            for one in wish.credential_fields
        ),
    )
