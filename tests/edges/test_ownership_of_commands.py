"""I15 for what people do: every use case that takes an id from outside refuses another's, whoever hands it over.

The routes find things by their owner before they command (`estate`, `find`; the matrix of routes asks each of them).
Behind them a use case checks again, or can reach no account but the one that it works for. Here Eve stands past the
routes and says Ada's ids, to Ada's own use cases and to hers.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import pytest

from plimsoll.bots.host import NewBot
from plimsoll.desk.cancel_order import cancel_order
from plimsoll.desk.place_order import place_order
from plimsoll.desk.ports import Ports
from plimsoll.desk.preview_order import preview_order
from plimsoll.desk.settle_differences import resolve_break, settle_external_order
from plimsoll.edges.api.estate import Estate
from plimsoll.edges.api.problems import Refused
from plimsoll.ledger import accounts, breaks, external_orders, keys
from plimsoll.ledger.breaks import Found
from plimsoll.ledger.external_orders import ExternalStatus
from plimsoll.model.errors import CommandRefused
from plimsoll.model.ids import BrokerOrderId, IntentKey
from plimsoll.model.order import Intent, Order, OrderState, OrderTerms, OrderType, Side
from plimsoll.model.venue import VenueOrder
from plimsoll.people.actor import Actor
from plimsoll.store.draft import Draft
from tests.edges.house import ADA, EVE, House, Tenant, play
from tests.edges.test_api_matrix import things_of


@dataclass(frozen=True, slots=True)
class Scene:
    """Eve with her token, and the ids of Ada's things."""

    house: House
    eve: Actor
    ids: dict[str, str]
    order: Order
    break_id: int
    external_id: int

    @property
    def adas(self) -> Ports:
        return self.house.served[ADA.account.id].ports

    @property
    def own(self) -> Ports:
        return self.house.served[EVE.account.id].ports

    def intent(self, account: Tenant, portfolio: Tenant) -> Intent:
        """Give a wish of Eve's for an account and a portfolio."""
        terms = OrderTerms(account.spot.id, Side.BUY, OrderType.MARKET, quantity=Decimal("0.01"))
        key, now = IntentKey("api:hers"), self.house.clock.now()
        return Intent(key, account.account.id, portfolio.portfolios[0].id, EVE.user.id, terms, "api", now)


async def placed(ports: Ports, intent: Intent) -> str | None:
    """Give the gate's no to an order."""
    answer = await place_order(ports, intent)
    assert answer.order is None
    return "not_yours" if '"not_yours"' in answer.checks_json else None


async def previewed(ports: Ports, intent: Intent) -> str | None:
    """Give the gate's no to a question."""
    seen = await preview_order(ports, intent)
    codes = [judged.finding.refusal.code for judged in seen.reasons if judged.finding.refusal is not None]
    return "not_yours" if "not_yours" in codes else None


async def none_of(answer: Awaitable[object]) -> str | None:
    """Say that there was nothing of that name."""
    return "nothing" if await answer is None else None


def bot(scene: Scene) -> int:
    return int(scene.ids["bot"].rpartition(".")[2])


def new_bot(scene: Scene) -> NewBot:
    return NewBot("hers", "hold", ADA.portfolios[0].id, ADA.spot.id, {})


#: Where the check stands, and what is said there to another's id.
Case = tuple[str, Callable[[Scene], Awaitable[object]], str]
CASES: dict[str, Case] = {
    "an order for her account and portfolio": (
        "control 5 of the gate",
        lambda it: placed(it.adas, it.intent(ADA, ADA)),
        "not_yours",
    ),
    "an order on her portfolio in one's own account": (
        "control 5 of the gate",
        lambda it: placed(it.own, it.intent(EVE, ADA)),
        "not_yours",
    ),
    "an order that names her account at one's own desk": (
        "place_order works for one account",
        lambda it: place_order(it.own, it.intent(ADA, ADA)),
        "account_unknown",
    ),
    "a question for her account and portfolio": (
        "control 5 of the gate",
        lambda it: previewed(it.adas, it.intent(ADA, ADA)),
        "not_yours",
    ),
    "a question that names her account": (
        "preview_order works for one account",
        lambda it: preview_order(it.own, it.intent(ADA, ADA)),
        "account_unknown",
    ),
    "a cancel of her order": (
        "cancel_order looks in its own account",
        lambda it: cancel_order(it.own, it.order.client_order_id, actor=it.eve.name),
        "order_not_live",
    ),
    "a bot on her portfolio, made where it belongs": (
        "BotHost asks the actor",
        lambda it: it.house.served[ADA.account.id].bots.create(new_bot(it), it.eve),
        "portfolio_unknown",
    ),
    "a bot on her portfolio, made in one's own account": (
        "BotHost works for one account",
        lambda it: it.house.served[EVE.account.id].bots.create(new_bot(it), it.eve),
        "portfolio_unknown",
    ),
    "a start of her bot": (
        "BotHost asks the actor",
        lambda it: it.house.served[ADA.account.id].bots.start(bot(it), it.eve),
        "bot_unknown",
    ),
    "a stop of her bot": (
        "BotHost asks the actor",
        lambda it: it.house.served[ADA.account.id].bots.stop(bot(it), it.eve),
        "bot_unknown",
    ),
    "a decision of her bot": (
        "BotHost asks the actor",
        lambda it: it.house.served[ADA.account.id].bots.evaluate(bot(it), it.eve, forced=True),
        "bot_unknown",
    ),
    "a start of her bot by one's own account": (
        "BotHost works for one account",
        lambda it: it.house.served[EVE.account.id].bots.start(bot(it), it.eve),
        "bot_unknown",
    ),
    "the end of her key": (
        "the unit looks among the actor's keys",
        lambda it: it.house.people.revoke_key(it.eve, it.ids["key"]),
        "key_unknown",
    ),
    "a key for her portfolio": (
        "the unit asks the actor",
        lambda it: it.house.people.make_key(it.eve, "hers", ("read",), 1, [ADA.portfolios[0].id]),
        "portfolio_unknown",
    ),
    "the end of her difference": (
        "resolve_break looks in its own account",
        lambda it: none_of(resolve_break(it.own, it.break_id, "mine", it.eve)),
        "nothing",
    ),
    "her order at the venue": (
        "settle_external_order looks in its own account",
        lambda it: none_of(settle_external_order(it.own, it.external_id, ExternalStatus.IGNORED, it.eve)),
        "nothing",
    ),
}


async def set_up(house: House) -> Scene:
    """Let Ada own one of everything, a difference and an order of hers at the venue too, and let Eve come in."""
    ids = await things_of(house, ADA, await house.signs_in(ADA))
    client, now = await house.signs_in(EVE), house.clock.now()
    eve = house.people.session(client.http.cookies["plimsoll"])
    assert eve is not None
    waiting = VenueOrder(
        instrument_id=ADA.spot.id,
        broker_order_id=BrokerOrderId("venue-1"),
        client_order_id=None,
        side=Side.BUY,
        type=OrderType.LIMIT,
        quantity=Decimal(1),
        filled_quantity=Decimal(0),
        price=Decimal(1),
        state=OrderState.NEW,
        updated_at=now,
    )

    def unit(draft: Draft) -> None:
        breaks.write_found(draft, ADA.account.id, [Found("balance", "USDT", "one too many", "look")], now)
        external_orders.write_seen(draft, ADA.account.id, [(waiting, False)], now)

    await house.books.write(unit)
    hot = house.books.hot
    (live,) = (one for one in hot.shelf(keys.ORDER, ADA.account.id) if one.uid == ids["order"])
    (found,) = breaks.open_breaks(hot, ADA.account.id)
    (external,) = external_orders.waiting(hot, ADA.account.id)
    return Scene(house, eve, ids, live, found.id, external.id)


def unchanged(house: House) -> dict[str, int]:
    """Count everything but the gate's own record of a refusal."""
    return {name: rows for name, rows in house.everything().items() if name not in ("verdicts", "risk_breaches")}


def test_a_deleted_portfolio_is_nobodys_to_name(tmp_path: Path) -> None:
    """It is not listed and not found; the account is what is left of it, and still its owner's."""

    async def story(house: House) -> None:
        kept, gone = ADA.portfolios
        deleted = replace(gone, deleted_at=house.clock.now())
        await house.books.write(lambda draft: accounts.write_portfolio(draft, deleted))
        client = await house.signs_in(ADA)
        ada = house.people.session(client.http.cookies["plimsoll"])
        assert ada is not None
        estate = Estate(house.desk)
        assert estate.portfolios(ada) == [kept]
        for said in (gone.uid, gone.name):
            with pytest.raises(Refused):
                estate.portfolio(ada, said)
        assert estate.all_of(ADA.account.id) == {kept.id}
        assert [served.ports.account_id for served in estate.accounts(ada)] == [ADA.account.id]

    play(tmp_path, story)


@pytest.mark.parametrize("what", CASES)
def test_anothers_id_is_refused_behind_the_routes_too(tmp_path: Path, what: str) -> None:
    """Each in the words that a missing one gets; no order, no bot, no key is made, and hers stay as they were."""
    where, command, said = CASES[what]

    async def story(house: House) -> None:
        scene = await set_up(house)
        before, hers = unchanged(house), house.books.hot.shelf(keys.ORDER, ADA.account.id)
        try:
            answer = await command(scene)
        except CommandRefused as refused:
            answer = refused.refusals[0].code
        assert answer == said, where
        assert unchanged(house) == before
        assert house.books.hot.shelf(keys.ORDER, ADA.account.id) == hers
        assert breaks.open_breaks(house.books.hot, ADA.account.id)[0].id == scene.break_id
        assert external_orders.waiting(house.books.hot, ADA.account.id)[0].id == scene.external_id

    play(tmp_path, story)
