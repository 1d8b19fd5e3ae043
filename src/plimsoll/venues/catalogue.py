"""The brokers that a release knows: what each offers, charges, limits, and asks for.

Adapters come and go by themselves; a definition here says what can be set up, not that it can be traded yet. Fees are
those of a new customer on the first market that the broker is known for, before any discount; what an order really
cost is told with its trade. Limits are per account unless their name says otherwise.

Source: fees and asked credentials of exchanges: `describe()` of ccxt 4.5.90, and the exchanges' own spot lists where it
        has another market's · request weights, requests and messages: developers.binance.com (rate limits),
        docs.cdp.coinbase.com (rate limits), alpaca.markets/support (usage limit), TWS API documentation (pacing), all
        read 2026-11-21 · counts of orders, leverage and the form of keys: as generally known, not looked up anew; an
        admin corrects them, and what the venue itself answers rules.
"""

from decimal import Decimal
from typing import Final

from plimsoll.model.broker import Broker, BrokerKind, CredentialField, FieldKind, RateLimit
from plimsoll.model.instrument import AssetType
from plimsoll.model.order import OrderType

_ONE = Decimal(1)
_ALL_TYPES = frozenset(OrderType)
_EXCHANGE_TYPES = frozenset({OrderType.MARKET, OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT})
_CRYPTO_MARKETS = frozenset({AssetType.CRYPTO, AssetType.PERPETUAL, AssetType.FUTURE})
_NO_WITHDRAWALS = "Let the key read and trade; a key that may withdraw is refused."


def _text(name: str, label: str, regex: str, help_: str, *, required: bool = True) -> CredentialField:
    return CredentialField(name, label, FieldKind.TEXT, required, secret=False, regex=regex, help=help_)


def _secret(name: str, label: str, regex: str, help_: str) -> CredentialField:
    return CredentialField(name, label, FieldKind.PASSWORD, required=True, secret=True, regex=regex, help=help_)


def _number(name: str, label: str, regex: str, help_: str) -> CredentialField:
    return CredentialField(name, label, FieldKind.NUMBER, required=True, secret=False, regex=regex, help=help_)


PAPER: Final = Broker(
    slug="paper",
    name="Paper",
    kind=BrokerKind.PAPER,
    markets=frozenset({AssetType.CRYPTO, AssetType.PERPETUAL, AssetType.FUTURE}),
    order_types=_ALL_TYPES,
    spot=True,
    margin=True,
    futures=True,
    leverage_min=_ONE,
    leverage_max=Decimal(5),
    maker_fee_ratio=Decimal("0.001"),
    taker_fee_ratio=Decimal("0.001"),
    rate_limits=(),
    credential_fields=(),
)

BINANCE: Final = Broker(
    slug="binance",
    name="Binance",
    kind=BrokerKind.CRYPTO,
    markets=_CRYPTO_MARKETS,
    order_types=_ALL_TYPES,
    spot=True,
    margin=True,
    futures=True,
    leverage_min=_ONE,
    leverage_max=Decimal(125),
    maker_fee_ratio=Decimal("0.001"),
    taker_fee_ratio=Decimal("0.001"),
    rate_limits=(
        RateLimit("request weight of the address", 6_000, 60),
        RateLimit("orders", 100, 10),
        RateLimit("orders of a day", 200_000, 86_400),
    ),
    credential_fields=(
        _text("api_key", "API key", r"[A-Za-z0-9]{16,128}", _NO_WITHDRAWALS),
        _secret("api_secret", "Secret key", r"[A-Za-z0-9]{16,128}", "Shown once, when the key is made."),
    ),
)

BYBIT: Final = Broker(
    slug="bybit",
    name="Bybit",
    kind=BrokerKind.CRYPTO,
    markets=_CRYPTO_MARKETS,
    order_types=_ALL_TYPES,
    spot=True,
    margin=True,
    futures=True,
    leverage_min=_ONE,
    leverage_max=Decimal(100),
    maker_fee_ratio=Decimal("0.001"),
    taker_fee_ratio=Decimal("0.001"),
    rate_limits=(RateLimit("requests of the address", 600, 5), RateLimit("orders", 10, 1)),
    credential_fields=(
        _text("api_key", "API key", r"[A-Za-z0-9]{10,64}", _NO_WITHDRAWALS),
        _secret("api_secret", "API secret", r"[A-Za-z0-9]{16,128}", "Shown once, when the key is made."),
    ),
)

OKX: Final = Broker(
    slug="okx",
    name="OKX",
    kind=BrokerKind.CRYPTO,
    markets=_CRYPTO_MARKETS,
    order_types=_ALL_TYPES,
    spot=True,
    margin=True,
    futures=True,
    leverage_min=_ONE,
    leverage_max=Decimal(100),
    maker_fee_ratio=Decimal("0.001"),
    taker_fee_ratio=Decimal("0.0015"),
    rate_limits=(RateLimit("orders of an instrument", 60, 2),),
    credential_fields=(
        _text("api_key", "API key", r"[A-Za-z0-9-]{16,64}", _NO_WITHDRAWALS),
        _secret("api_secret", "Secret key", r"[A-Za-z0-9]{16,128}", "Shown once, when the key is made."),
        _secret("passphrase", "Passphrase", r"\S{8,64}", "You chose it when you made the key."),
    ),
)

COINBASE: Final = Broker(
    slug="coinbase",
    name="Coinbase",
    kind=BrokerKind.CRYPTO,
    markets=_CRYPTO_MARKETS,
    order_types=frozenset({OrderType.MARKET, OrderType.LIMIT, OrderType.STOP_LIMIT}),
    spot=True,
    margin=False,
    futures=True,
    leverage_min=_ONE,
    leverage_max=Decimal(10),
    maker_fee_ratio=Decimal("0.006"),
    taker_fee_ratio=Decimal("0.012"),
    rate_limits=(RateLimit("private requests", 30, 1), RateLimit("public requests of the address", 10, 1)),
    credential_fields=(
        _text(
            "api_key", "Key name", r"organizations/[0-9a-f-]{36}/apiKeys/[0-9a-f-]{36}|[0-9a-f-]{36}", _NO_WITHDRAWALS
        ),
        CredentialField(
            "api_secret",
            "Private key",
            FieldKind.MULTILINE,
            required=True,
            secret=True,
            regex=r"(?s)-----BEGIN [A-Z ]+-----.+-----END [A-Z ]+-----\s*|[A-Za-z0-9+/=]{40,200}",
            help="The whole of it, with its first and last line; shown once, when the key is made.",
        ),
    ),
)

KRAKEN: Final = Broker(
    slug="kraken",
    name="Kraken",
    kind=BrokerKind.CRYPTO,
    markets=frozenset({AssetType.CRYPTO}),
    order_types=_ALL_TYPES,
    spot=True,
    margin=True,
    futures=False,
    leverage_min=_ONE,
    leverage_max=Decimal(5),
    maker_fee_ratio=Decimal("0.0016"),
    taker_fee_ratio=Decimal("0.0026"),
    rate_limits=(RateLimit("requests", 1, 1),),
    credential_fields=(
        _text("api_key", "API key", r"[A-Za-z0-9+/=]{40,100}", _NO_WITHDRAWALS),
        _secret("api_secret", "Private key", r"[A-Za-z0-9+/=]{60,120}", "Shown once, when the key is made."),
    ),
)

INTERACTIVE_BROKERS: Final = Broker(
    slug="interactive-brokers",
    name="Interactive Brokers",
    kind=BrokerKind.BROKER,
    markets=frozenset({AssetType.EQUITY, AssetType.ETF, AssetType.FUTURE, AssetType.FOREX, AssetType.CFD}),
    order_types=_ALL_TYPES,
    spot=True,
    margin=True,
    futures=True,
    leverage_min=_ONE,
    leverage_max=Decimal(4),
    # By the share, the contract or the order, with a least amount: no ratio says it.
    maker_fee_ratio=None,
    taker_fee_ratio=None,
    rate_limits=(RateLimit("messages of a connection", 50, 1),),
    credential_fields=(
        _text("host", "Host of TWS or the Gateway", r"[A-Za-z0-9.:-]{1,253}", "Usually 127.0.0.1."),
        _number("port", "Port", r"[1-9][0-9]{0,4}", "7496 and 7497 for TWS, 4001 and 4002 for the Gateway."),
        _number("client_id", "Client id", r"[0-9]{1,9}", "A number that no other program uses there."),
        _text("account", "Account", r"[A-Z]{1,3}[0-9]{4,10}", "Such as U1234567; DU… is a paper account."),
    ),
)

METATRADER_5: Final = Broker(
    slug="metatrader-5",
    name="MetaTrader 5",
    kind=BrokerKind.MT5,
    markets=frozenset({AssetType.FOREX, AssetType.CFD, AssetType.FUTURE, AssetType.EQUITY}),
    order_types=_EXCHANGE_TYPES,
    spot=False,
    margin=True,
    futures=True,
    leverage_min=_ONE,
    leverage_max=Decimal(500),
    # Every broker behind it has a tariff of its own, often within the spread.
    maker_fee_ratio=None,
    taker_fee_ratio=None,
    rate_limits=(),
    credential_fields=(
        _number("login", "Login", r"[1-9][0-9]{3,17}", "The number of the trading account."),
        _secret("password", "Password", r"\S.{3,63}", "The trader's; the investor's may only look."),
        _text("server", "Server", r"[A-Za-z0-9 ._-]{1,100}", "As the terminal lists it, such as Broker-Demo."),
        _text(
            "bridge_url",
            "Address of the bridge",
            r"wss?://[A-Za-z0-9.:\[\]-]{1,253}(/\S*)?",
            "Where the agent beside the terminal listens; empty on Windows, beside the terminal itself.",
            required=False,
        ),
        CredentialField(
            "bridge_token",
            "Token of the bridge",
            FieldKind.PASSWORD,
            required=False,
            secret=True,
            regex=r"\S{16,200}",
            help="Made when the agent is set up.",
        ),
    ),
)

ALPACA: Final = Broker(
    slug="alpaca",
    name="Alpaca",
    kind=BrokerKind.BROKER,
    markets=frozenset({AssetType.EQUITY, AssetType.ETF, AssetType.CRYPTO}),
    order_types=_ALL_TYPES,
    spot=True,
    margin=True,
    futures=False,
    leverage_min=_ONE,
    leverage_max=Decimal(4),
    # Of shares and funds; coins cost 0.15 % and 0.25 %.
    maker_fee_ratio=Decimal(0),
    taker_fee_ratio=Decimal(0),
    rate_limits=(RateLimit("requests", 200, 60),),
    credential_fields=(
        _text("api_key", "Key id", r"[A-Z0-9]{16,32}", "PK… is a paper account's, AK… a live one's."),
        _secret("api_secret", "Secret key", r"[A-Za-z0-9/+]{32,64}", "Shown once, when the key is made."),
    ),
)

#: In the order in which they are offered.
CATALOGUE: Final = (
    PAPER,
    BINANCE,
    BYBIT,
    OKX,
    COINBASE,
    KRAKEN,
    INTERACTIVE_BROKERS,
    METATRADER_5,
    ALPACA,
)
