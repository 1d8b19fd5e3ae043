"""What people choose from: brokers, versions of strategies, names and tiers of instruments."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from plimsoll.ledger import accounts, brokers, instrument_names, strategies, tiers
from plimsoll.ledger.tiers import Tier
from plimsoll.model.account import Mode
from plimsoll.model.broker import Broker, CredentialField, FieldKind, RateLimit
from plimsoll.model.errors import CommandRefused, Illegal
from plimsoll.model.ids import AccountId, InstrumentId, UserId
from plimsoll.store.draft import Draft
from plimsoll.venues.catalogue import BINANCE, CATALOGUE, KRAKEN, PAPER
from plimsoll.venues.paper.rules import PaperRules
from tests.builders.ledger import (
    ACCOUNT,
    NOON,
    PERPETUAL,
    SPOT,
    Books,
    D,
    assert_hot_equals_database,
    books_in_memory,
)


@pytest.fixture
def books() -> Iterator[Books]:
    opened = books_in_memory().open()
    yield opened
    assert_hot_equals_database(opened)
    opened.close()


def later(days: int) -> datetime:
    return NOON + timedelta(days=days)


# Brokers --------------------------------------------------------------------------------------------------------------


def release(*shipped: Broker) -> Any:
    return lambda draft: brokers.write_release(draft, shipped)


def slugs(books: Books) -> list[str]:
    return [one.broker.slug for one in brokers.listed(books.scribe.hot)]


def test_the_catalogue_ships_with_nine_brokers_and_says_all_of_each(books: Books) -> None:
    assert brokers.is_behind(books.scribe.hot, CATALOGUE)
    books.write(release(*CATALOGUE))
    assert not brokers.is_behind(books.scribe.hot, CATALOGUE)
    assert slugs(books) == [
        *("paper", "binance", "bybit", "okx", "coinbase", "kraken"),
        *("interactive-brokers", "metatrader-5", "alpaca"),
    ]
    for one in brokers.listed(books.scribe.hot):
        assert one.version == 0
        assert one.broker.markets
        assert one.broker.order_types
        assert one.broker.credential_fields or one.broker is PAPER or one.broker.slug == "paper"
        # Whatever lets somebody in is a secret, and says how it looks.
        assert all(field.secret for field in one.broker.credential_fields if field.kind is FieldKind.PASSWORD)


def test_paper_is_said_to_charge_what_it_charges() -> None:
    rules = PaperRules()
    assert (PAPER.maker_fee_ratio, PAPER.taker_fee_ratio) == (rules.maker_fee_ratio, rules.taker_fee_ratio)


def test_a_release_brings_up_to_date_what_nobody_touched_and_nothing_else(books: Books) -> None:
    books.write(release(BINANCE, KRAKEN))
    books.write(lambda draft: brokers.change(draft, replace(KRAKEN, name="Kraken, as we have it")))
    newer = (replace(BINANCE, name="Binance 2"), replace(KRAKEN, name="Kraken 2"))
    assert brokers.is_behind(books.scribe.hot, newer)
    books.write(release(*newer))
    assert [(one.broker.name, one.version) for one in brokers.listed(books.scribe.hot)] == [
        ("Binance 2", 0), ("Kraken, as we have it", 1)
    ]  # fmt: skip
    assert not brokers.is_behind(books.scribe.hot, newer)


def test_what_an_admin_took_out_no_release_brings_back(books: Books) -> None:
    books.write(release(BINANCE, KRAKEN))
    books.write(lambda draft: brokers.remove(draft, "kraken", NOON))
    books.write(release(BINANCE, replace(KRAKEN, name="new")))
    assert slugs(books) == ["binance"]


def test_a_slug_is_given_once_for_ever(books: Books) -> None:
    own = replace(BINANCE, slug="our-own", name="Ours")
    books.write(lambda draft: brokers.add(draft, own))
    with pytest.raises(CommandRefused, match="broker_exists"):
        books.write(lambda draft: brokers.add(draft, own))
    books.write(lambda draft: brokers.remove(draft, "our-own", NOON))
    with pytest.raises(CommandRefused, match="was taken out"):
        books.write(lambda draft: brokers.add(draft, own))
    assert slugs(books) == []


@pytest.mark.parametrize("slug", ["kraken", "nobody"])
def test_what_is_not_listed_is_neither_changed_nor_taken_out(books: Books, slug: str) -> None:
    books.write(release(KRAKEN))
    books.write(lambda draft: brokers.remove(draft, "kraken", NOON))
    for change in (
        lambda draft: brokers.change(draft, replace(KRAKEN, slug=slug)),
        lambda draft: brokers.remove(draft, slug, NOON),
    ):
        with pytest.raises(CommandRefused, match="broker_unknown"):
            books.write(change)


def test_a_definition_that_accounts_live_by_stays(books: Books) -> None:
    """Every paper account lives by `paper`, whatever its venue is called; a deleted account keeps nothing."""
    books.write(release(PAPER, BINANCE))
    live = replace(ACCOUNT, id=AccountId(2), uid="a-2", name="live", broker="binance", mode=Mode.LIVE)
    synthetic = replace(ACCOUNT, broker="paper-synthetic")
    books.write(lambda draft: accounts.write_account(draft, live))
    books.write(lambda draft: accounts.write_account(draft, synthetic))
    for slug in ("paper", "binance"):
        with pytest.raises(CommandRefused, match="broker_in_use"):
            books.write(partial(brokers.remove, slug=slug, now=NOON))
    assert slugs(books) == ["paper", "binance"]
    # Seen in the same group, too.
    gone = replace(live, deleted_at=NOON)
    together = books.together(
        lambda draft: accounts.write_account(draft, gone), lambda draft: brokers.remove(draft, "binance", NOON)
    )
    assert not any(isinstance(answer, BaseException) for answer in together), together
    assert slugs(books) == ["paper"]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"slug": "Binance"}, "slug"),
        ({"slug": ""}, "slug"),
        ({"slug": "bin ance"}, "slug"),
        ({"name": " "}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"leverage_min": D(0)}, "leverage_max"),
        ({"leverage_max": D("0.5")}, "leverage_max"),
        ({"leverage_max": D("NaN")}, "leverage_max"),
        ({"maker_fee_ratio": D("NaN")}, "maker_fee_ratio"),
        ({"taker_fee_ratio": D(1)}, "taker_fee_ratio"),
        ({"credential_fields": BINANCE.credential_fields[:1] * 2}, "credential_fields"),
    ],
)
def test_a_definition_that_cannot_be_is_refused(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(Illegal) as refused:
        replace(BINANCE, **wrong)
    assert refused.value.field == field


def test_a_field_needs_a_pattern_and_a_limit_a_number() -> None:
    with pytest.raises(Illegal, match="regex"):
        CredentialField("key", "Key", FieldKind.TEXT, required=True, secret=False, regex="(", help="")
    with pytest.raises(Illegal, match="seconds"):
        RateLimit("orders", 1, 0)


# Strategies -----------------------------------------------------------------------------------------------------------


def version(params: dict[str, str], user: int = 1, name: str = "signals", kind: str = "signals", uid: str = "") -> Any:
    uid = uid or f"s-{user}-{name}-{kind}-{sorted(params.items())}"
    return lambda draft: strategies.version_for(draft, UserId(user), name, kind, params, uid, NOON)


def test_the_same_rules_and_parameters_are_the_same_version_and_others_the_next(books: Books) -> None:
    first = books.write(version({"rsi": "14", "fast": "10"}))
    assert books.write(version({"fast": "10", "rsi": "14"})) == first
    second = books.write(version({"rsi": "7"}))
    third = books.write(version({"rsi": "7"}, kind="other"))
    assert [(one.id, one.version) for one in (first, second, third)] == [(1, 1), (2, 2), (3, 3)]
    assert books.write(version({"rsi": "14", "fast": "10"})) == first, "an old version is still that one"


def test_versions_are_counted_for_each_user_and_name(books: Books) -> None:
    books.write(version({}))
    books.write(lambda draft: accounts.write_user(draft, _bob()))
    assert books.write(version({}, user=2)).version == 1
    assert books.write(version({}, name="mine")).version == 1


def test_two_that_ask_in_one_group_get_one_version(books: Books) -> None:
    one, other = books.together(version({"a": "1"}, uid="x"), version({"a": "1"}, uid="y"))
    assert one == other


def _bob() -> Any:
    from tests.builders.ledger import USER

    return replace(USER, id=UserId(2), uid="u-2", name="Bob")


# Names of instruments -------------------------------------------------------------------------------------------------


def named(instrument: int, symbol: str, until: datetime) -> Any:
    return lambda draft: instrument_names.write_alias(draft, InstrumentId(instrument), "paper", symbol, until)


def called(books: Books, symbol: str, at: datetime | None = None) -> tuple[int, ...]:
    return instrument_names.instruments_called(books.scribe.hot, "paper", symbol, at)


def test_an_old_name_means_what_it_meant_then(books: Books) -> None:
    """LUNA was instrument 1 until day 10, and 2 until day 20; today nobody is called so."""
    books.write(named(1, "LUNA/USDT", later(10)))
    books.write(named(2, "LUNA/USDT", later(20)))
    assert called(books, "LUNA/USDT", NOON) == (1,)
    assert called(books, "LUNA/USDT", later(10)) == (2,)
    assert called(books, "LUNA/USDT", later(20)) == ()
    assert called(books, "LUNA/USDT") == (1, 2)
    assert called(books, SPOT.symbol) == called(books, SPOT.symbol, NOON) == (SPOT.id,)
    assert called(books, "NOBODY/USDT") == ()


def test_the_same_alias_again_changes_nothing_and_a_contradiction_is_refused(books: Books) -> None:
    first = books.write(named(1, "LUNA/USDT", later(10)))
    assert books.write(named(1, "LUNA/USDT", later(10))) == first
    with pytest.raises(Illegal, match="instrument 1"):
        books.write(named(2, "LUNA/USDT", later(10)))


# Tiers ----------------------------------------------------------------------------------------------------------------

SMALL = Tier(D(0), D(50_000), D(20), D("0.004"))
LARGE = Tier(D(50_000), None, D(10), D("0.01"), D(300))


def told(*table: Tier) -> Any:
    return lambda draft: tiers.write_tiers(draft, PERPETUAL.id, table, NOON)


def test_a_table_takes_the_place_of_the_one_before(books: Books) -> None:
    books.write(told(SMALL, LARGE))
    assert tiers.tiers_of(books.scribe.hot, PERPETUAL.id) == [SMALL, LARGE]
    only = replace(SMALL, notional_to=None)
    books.write(told(only))
    assert tiers.tiers_of(books.scribe.hot, PERPETUAL.id) == [only]
    books.write(told(only))


@pytest.mark.parametrize(
    "table", [(), (SMALL,), (LARGE,), (LARGE, SMALL), (SMALL, replace(LARGE, notional_from=D(60_000)))]
)
def test_a_table_with_a_gap_or_an_end_is_refused(books: Books, table: tuple[Tier, ...]) -> None:
    books.write(told(SMALL, LARGE))
    with pytest.raises(Illegal, match="tiers"):
        books.write(told(*table))
    assert tiers.tiers_of(books.scribe.hot, PERPETUAL.id) == [SMALL, LARGE]


def test_where_no_table_is_told_there_is_one_tier_and_none_for_what_is_bought_outright(books: Books) -> None:
    def unit(draft: Draft) -> None:
        tiers.write_known(draft, PERPETUAL, NOON)
        tiers.write_known(draft, SPOT, NOON)

    books.write(unit)
    (only,) = tiers.tiers_of(books.scribe.hot, PERPETUAL.id)
    assert (only.notional_from, only.notional_to, only.max_leverage) == (D(0), None, PERPETUAL.max_leverage)
    assert tiers.tiers_of(books.scribe.hot, SPOT.id) == []
    # A table that a venue told is not put aside for it.
    books.write(told(SMALL, LARGE))
    books.write(unit)
    assert tiers.tiers_of(books.scribe.hot, PERPETUAL.id) == [SMALL, LARGE]
