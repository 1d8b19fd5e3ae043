"""Orders over HTTP: placed once however often they are sent, refused with every reason, honest about what is lost."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

from plimsoll.edges.api.rates import Rate, Rates
from plimsoll.ledger import keys
from plimsoll.model.ids import AccountId
from plimsoll.model.order import OrderState
from plimsoll.people.actor import Right
from plimsoll.store.connection import CommitUnclear
from tests.builders.desk import FaultyVenue, Sent
from tests.edges.contract import check_answer
from tests.edges.house import ADA, API, EVE, House, play

D = Decimal
BUY: dict[str, Any] = {"symbol": "BTC/USDT", "side": "BUY", "quantity": "0.01", "portfolio": "main"}
RESTING: dict[str, Any] = {**BUY, "type": "LIMIT", "price": "49000", "allow_repeat": True}


def line_of(house: House, account: AccountId = ADA.account.id) -> FaultyVenue:
    """Put a bad line between the desk and the venue of an account."""
    ports = house.served[account].ports
    line = FaultyVenue(house.venues[account])
    ports.venue = line
    return line


def test_an_order_is_placed_filled_and_told(tmp_path: Path) -> None:
    """201 with the order as the book has it; the key that it was given by nobody is in the answer."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        placed = await ada.post("/orders", BUY)
        assert placed.status_code == 201
        order = placed.json()["order"]
        assert (order["state"], order["filled_quantity"], order["triggered_by"]) == ("FILLED", "0.01", "manual")
        assert not placed.json()["repeated"]
        again = await ada.post("/orders", BUY, Idempotency_Key=placed.headers["idempotency-key"])
        assert again.json()["order"]["id"] == order["id"]
        assert (await ada.get(f"/orders/{order['id']}")).json() == order

    play(tmp_path, story)


def test_the_same_key_is_the_same_order(tmp_path: Path) -> None:
    """The first answer is 201, every later one 200 and `repeated`; for another order the key is refused with 409."""

    async def story(house: House) -> None:
        key = await house.key()
        first = await key.post("/orders", RESTING, Idempotency_Key="mine")
        second = await key.post("/orders", {**RESTING, "quantity": "0.010"}, Idempotency_Key="mine")
        assert (first.status_code, second.status_code) == (201, 200)
        assert second.json() == {**first.json(), "repeated": True}
        assert first.json()["order"]["triggered_by"] == "api"
        before = house.everything()
        other = await key.post("/orders", {**RESTING, "quantity": "0.02"}, Idempotency_Key="mine")
        assert (other.status_code, other.json()["code"]) == (409, "intent_key_reused")
        assert house.everything() == {**before, "risk_breaches": before["risk_breaches"] + 1}
        # Another person's key of the same name is another key.
        eve = await house.key(EVE)
        theirs = await eve.post("/orders", RESTING, Idempotency_Key="mine")
        assert theirs.status_code == 201
        assert theirs.json()["order"]["id"] != first.json()["order"]["id"]

    play(tmp_path, story)


def test_the_same_key_at_the_same_moment_is_one_order(tmp_path: Path) -> None:
    """Ten at once: one is placed, the others are told the same order; it fills once."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        told = await asyncio.gather(*(ada.post("/orders", BUY, Idempotency_Key="one") for _ in range(10)))
        assert sorted(answer.status_code for answer in told) == [200] * 9 + [201]
        assert len({answer.json()["order"]["id"] for answer in told}) == 1
        assert (house.rows("orders"), house.rows("trades")) == (1, 1)

    play(tmp_path, story)


NO_KEYS = ["", " ", "a b", "x" * 129, "ö", "tab\t"]


def test_a_key_that_is_none_is_refused(tmp_path: Path) -> None:
    """1 to 128 visible ASCII characters, and nothing is written otherwise."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        before = house.everything()
        for key in NO_KEYS:
            # As bytes: a client would refuse some of these before we could.
            headers = {name.encode(): value.encode() for name, value in ada.headers.items()}
            headers[b"idempotency-key"] = key.encode()
            told = await ada.http.post(API + "/orders", json=BUY, headers=headers)
            assert (told.status_code, told.json()["code"]) == (422, "validation"), key
            assert "Idempotency-Key" in told.json()["detail"]
        assert house.everything() == before

    play(tmp_path, story)


def test_a_refusal_names_every_control_that_said_no(tmp_path: Path) -> None:
    """422 with number, name, what was seen, what was allowed and what to do; asked again, the same answer."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        absurd = {**BUY, "symbol": "BTC/USDT:USDT", "quantity": "1000"}
        told = await ada.post("/orders", absurd, Idempotency_Key="absurd")
        assert (told.status_code, told.json()["code"]) == (422, "order_refused")
        assert told.headers["idempotency-key"] == "absurd"
        reasons = told.json()["reasons"]
        assert {reason["number"] for reason in reasons} >= {22, 27, 28}
        assert all(reason["name"] and reason["sentence"] and reason["remedy"] for reason in reasons)
        check_answer(API + "/orders", "post", 422, "application/problem+json", told.json())
        again = await ada.post("/orders", absurd, Idempotency_Key="absurd")
        assert again.json()["reasons"] == reasons
        preview = (await ada.post("/orders/preview", absurd)).json()
        assert [check["number"] for check in preview["reasons"]] == [reason["number"] for reason in reasons]

    play(tmp_path, story)


def test_a_preview_writes_nothing(tmp_path: Path) -> None:
    """Every check with its outcome, what it takes and what would be left; and no row anywhere."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        before = house.everything()
        seen = (await ada.post("/orders/preview", {**BUY, "symbol": "BTC/USDT:USDT"})).json()
        assert seen["approved"]
        assert (seen["quantity"], seen["value"], seen["required"]) == ("0.01", "500", "100")
        assert seen["position_after"] == "0.01"
        assert seen["quote_age_seconds"] == 0
        assert {check["outcome"] for check in seen["checks"]} <= {"PASS", "WARN", "NOT_APPLICABLE"}
        assert house.everything() == before

    play(tmp_path, story)


INEXACT = [
    ("quantity", b"0.01", "write it as text"),
    ("quantity", b"1e5", "write it as text"),
    ("quantity", b"100000000000000000000", "write it as text"),
    ("quantity", b"NaN", "without NaN and Infinity"),
    ("quantity", b"Infinity", "valid JSON"),
    ("quantity", b'"NaN"', "plain decimal"),
    ("quantity", b'"1e5"', "plain decimal"),
    ("quantity", b'" 1"', "plain decimal"),
    ("quantity", b'"0.0000000000000000001"', "18 decimal places"),
    ("quantity", b'"123456789012345678901"', "20 digits"),
    ("quantity", b"true", "plain decimal"),
    ("quantity", b"[1]", "plain decimal"),
    ("side", b'"HOLD"', "BUY"),
    ("symbol", b"7", "string"),
    ("reduce_only", b'"yes"', "boolean"),
    ("post_only", b"1", "boolean"),
    ("allow_repeat", b'"true"', "boolean"),
]


def test_a_number_that_is_not_exact_is_refused_at_the_door(tmp_path: Path) -> None:
    """Floats, exponents and things that are no numbers: named with the remedy, nothing written, no key used."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        before = house.everything()
        headers = {**ada.headers, "content-type": "application/json", "idempotency-key": "k"}
        for field, value, words in INEXACT:
            body = b'{"symbol":"BTC/USDT","side":"BUY","portfolio":"main","' + field.encode() + b'":' + value + b"}"
            told = await ada.http.post(API + "/orders", content=body, headers=headers)
            assert (told.status_code, told.json()["code"]) == (422, "validation"), value
            assert words in told.json()["detail"], value
        assert house.everything() == before
        assert (await ada.post("/orders", BUY, Idempotency_Key="k")).status_code == 201

    play(tmp_path, story)


def test_a_whole_number_is_exact(tmp_path: Path) -> None:
    """An integer of JSON has lost nothing on its way."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        placed = await ada.post("/orders", {**BUY, "quantity": 1})
        assert placed.json()["order"]["quantity"] == "1"

    play(tmp_path, story)


IMPOSSIBLE: list[tuple[dict[str, Any], str]] = [
    ({**BUY, "quantity": None}, "illegal_quantity"),
    ({**BUY, "quote_value": "10"}, "illegal_quantity"),
    ({**BUY, "price": "1"}, "illegal_price"),
    ({**BUY, "type": "LIMIT"}, "illegal_price"),
    ({**BUY, "type": "STOP"}, "illegal_stop_price"),
    ({**BUY, "symbol": "DOGE/USDT"}, "symbol_unknown"),
    ({**BUY, "quantity": "-1"}, "order_refused"),
    ({**BUY, "quantity": "0"}, "order_refused"),
]


def test_terms_that_cannot_be_are_refused_by_their_field(tmp_path: Path) -> None:
    """422 with a code of its own, and no order comes of it."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        for wish, code in IMPOSSIBLE:
            told = await ada.post("/orders", wish)
            assert (told.status_code, told.json()["code"]) == (422, code), wish
        assert house.rows("orders") == 0

    play(tmp_path, story)


def test_orders_are_taken_back_in_two_words(tmp_path: Path) -> None:
    """POST cancel and DELETE do the same; an order that has ended answers 409, and says how it ended."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        ids = [(await ada.post("/orders", RESTING)).json()["order"]["id"] for _ in range(2)]
        assert {row["id"] for row in (await ada.get("/orders")).json()["items"]} == set(ids)
        first = await ada.post(f"/orders/{ids[0]}/cancel")
        second = await ada.delete(f"/orders/{ids[1]}")
        assert [told.json()["state"] for told in (first, second)] == ["CANCELED", "CANCELED"]
        again = await ada.delete(f"/orders/{ids[1]}")
        assert (again.status_code, again.json()["code"]) == (409, "order_not_live")
        assert "CANCELED" in again.json()["detail"]
        assert (await ada.get("/orders")).json() == {"items": [], "next": None}

    play(tmp_path, story)


def test_orders_are_listed_by_page_state_and_symbol(tmp_path: Path) -> None:
    """Open ones from memory and all from the book, a page at a time, each once."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        for number in range(5):
            symbol = "BTC/USDT:USDT" if number == 2 else "BTC/USDT"
            await ada.post("/orders", {**RESTING, "symbol": symbol})
        await ada.post("/orders", BUY)
        for status, wanted in (("open", 5), ("all", 6), ("closed", 1)):
            seen: list[str] = []
            cursor = None
            while True:
                told = (
                    await ada.get("/orders", status=status, limit=2, **({"cursor": cursor} if cursor else {}))
                ).json()
                seen += [row["id"] for row in told["items"]]
                cursor = told["next"]
                if cursor is None:
                    break
            assert (len(seen), len(set(seen))) == (wanted, wanted), status
        one = await ada.get("/orders", symbol="BTC/USDT:USDT")
        assert [row["symbol"] for row in one.json()["items"]] == ["BTC/USDT:USDT"]
        assert (await ada.get("/orders", symbol="DOGE/USDT")).json()["items"] == []
        for params in ({"cursor": "x"}, {"limit": 501}, {"limit": 0}, {"status": "gone"}):
            refused = await ada.get("/orders", **params)
            assert refused.status_code == 422, params

    play(tmp_path, story)


def test_a_trade_for_a_value_is_answered_with_its_fills(tmp_path: Path) -> None:
    """Size, price and fee added up; again with the same key the same, also when others traded meanwhile."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        wish = {"product_id": "BTC/USDT", "side": "BUY", "size_usd": "100", "portfolio": "main"}
        told = await ada.post("/trades/execute", wish, Idempotency_Key="t")
        assert told.status_code == 201
        trade = told.json()
        assert (trade["size_usd"], trade["size_crypto"], trade["price"]) == ("100", "0.002", "50000")
        assert (trade["status"], trade["commission_currency"], trade["triggered_by"]) == ("FILLED", "USDT", "manual")
        await ada.post("/orders", BUY)
        again = await ada.post("/trades/execute", wish, Idempotency_Key="t")
        assert (again.status_code, again.json()) == (200, trade)
        listed = (await ada.get("/trades", symbol="BTC/USDT")).json()["items"]
        assert [row["size_crypto"] for row in listed] == ["0.01", "0.002"]
        assert listed[1]["order_id"] == trade["order_id"]
        page = (await ada.get("/trades", limit=1)).json()
        rest = (await ada.get("/trades", limit=1, cursor=page["next"])).json()
        assert [page["items"][0]["id"], rest["items"][0]["id"]] == [row["id"] for row in listed]
        assert rest["next"] is None

    play(tmp_path, story)


def test_an_order_of_unknown_fate_is_said_to_be_one(tmp_path: Path) -> None:
    """202 while the venue has not said; the price of a trade without fills is unknown, not zero."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        line = line_of(house)
        line.fates.append(Sent.REQUEST_LOST)
        wish = {"product_id": "BTC/USDT:USDT", "side": "BUY", "size_usd": "100", "portfolio": "main"}
        told = await ada.post("/trades/execute", wish)
        assert (told.status_code, told.json()["status"]) == (202, "UNKNOWN")
        assert (told.json()["price"], told.json()["size_usd"], told.json()["size_crypto"]) == (None, None, "0")
        refused = await ada.post("/orders", {**BUY, "symbol": "BTC/USDT:USDT"})
        assert refused.json()["code"] == "order_refused"  # nothing opens there while its fate is unknown

    play(tmp_path, story)


def test_an_order_that_the_venue_refuses_is_in_the_book_with_its_reason(tmp_path: Path) -> None:
    """201: the gate let it pass and it was sent; its state is REJECTED and says why."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        line_of(house).fates.append(Sent.REJECTED)
        placed = await ada.post("/orders", BUY)
        assert (placed.status_code, placed.json()["order"]["state"]) == (201, "REJECTED")
        assert "reserved" in placed.json()["order"]["reason"]

    play(tmp_path, story)


def test_nothing_written_is_said_only_when_it_is_certain(tmp_path: Path) -> None:
    """503 either way. Before the order was written: nothing is. After it was sent: the same key tells."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        before = house.everything()
        house.books.writes_left = 0
        told = await ada.post("/orders", BUY, Idempotency_Key="a")
        assert (told.status_code, told.json()["code"]) == (503, "store_failed")
        assert "nothing was written" in told.json()["detail"]
        assert "retry-after" in told.headers
        house.books.writes_left = None
        assert house.everything() == before
        assert (await ada.post("/orders", BUY, Idempotency_Key="a")).status_code == 201

        house.books.writes_left = 1  # the intent is written; what the venue said is not
        told = await ada.post("/orders", {**BUY, "quantity": "0.02"}, Idempotency_Key="b")
        assert (told.status_code, told.json()["code"]) == (503, "outcome_unclear")
        assert told.headers["idempotency-key"] == "b"
        assert "nothing was written" not in told.text
        house.books.writes_left = None
        await house.served[ADA.account.id].attendant.sync()
        again = await ada.post("/orders", {**BUY, "quantity": "0.02"}, Idempotency_Key="b")
        assert (again.status_code, again.json()["order"]["state"]) == (200, "FILLED")
        assert house.rows("orders") == 2

    play(tmp_path, story)


def test_a_commit_without_an_answer_leaves_it_open_what_happened(tmp_path: Path) -> None:
    """Nobody knows whether it was written, so nobody is told that it was not; the same key finds it."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        house.books.fails_with = lambda: CommitUnclear("COMMIT: disk I/O error")
        house.books.writes_left = 0
        told = await ada.post("/orders", BUY, Idempotency_Key="a")
        assert (told.status_code, told.json()["code"]) == (503, "outcome_unclear")
        assert told.headers["retry-after"] == "1"
        house.books.writes_left = None
        order = house.books.hot.shelf(keys.ORDER, ADA.account.id)[0]
        assert order.state is OrderState.PENDING
        await house.served[ADA.account.id].attendant.sync()

    play(tmp_path, story)


def test_the_portfolio_is_chosen_where_there_is_no_choice(tmp_path: Path) -> None:
    """Ada has two and one of them is `main`: that one. A key that may touch only the other orders for that."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        wish = {name: value for name, value in BUY.items() if name != "portfolio"}
        assert (await ada.post("/orders", wish)).json()["order"]["portfolio"] == ADA.portfolios[0].uid
        savings = await house.key(ADA, Right.READ, Right.TRADE, portfolios=[ADA.portfolios[1]])
        placed = await savings.post("/orders", {**wish, "quantity": "0.02"})
        assert placed.json()["order"]["portfolio"] == ADA.portfolios[1].uid
        named = await savings.post("/orders", {**RESTING, "portfolio": "savings"})
        assert named.json()["order"]["portfolio"] == ADA.portfolios[1].uid
        assert (await savings.post("/orders", BUY)).status_code == 404
        assert len((await savings.get("/orders", status="all")).json()["items"]) == 2
        assert len((await ada.get("/orders", status="all")).json()["items"]) == 3

    play(tmp_path, story)


def test_rates_bind_opening_and_never_closing(tmp_path: Path) -> None:
    """The third order has to wait and is told how long; a close, a cancel, a halt and a preview are let in."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        held = [await ada.post("/orders", {**RESTING, "price": str(49_000 + number)}) for number in range(2)]
        await house.quote("48000")  # both fill
        before = house.everything()
        late = await ada.post("/orders", RESTING, Idempotency_Key="late")
        assert (late.status_code, late.json()["code"]) == (429, "too_many")
        assert 1 <= int(late.headers["retry-after"]) <= 60
        assert house.everything() == before
        assert (await ada.post("/orders/preview", RESTING)).status_code == 200
        nothing_there = {**BUY, "side": "SELL", "reduce_only": True, "symbol": "BTC/USDT:USDT"}
        assert (await ada.post("/orders", nothing_there)).status_code == 429  # whatever it calls itself
        same_side = {**BUY, "reduce_only": True}
        assert (await ada.post("/orders", same_side)).status_code == 429
        assert (await ada.post("/orders", {**nothing_there, "symbol": "DOGE/USDT"})).status_code == 429
        assert house.everything() == before
        part = {**BUY, "side": "SELL", "reduce_only": True, "quantity": "0.005"}
        assert (await ada.post("/orders", part)).status_code in (201, 422)  # the gate was asked
        position = (await ada.get("/positions")).json()["items"][0]["position_id"]
        assert (await ada.post("/guards/manual-close", {"position_id": position})).json()["outcome"] == "FLAT"
        assert (await ada.delete(f"/orders/{held[0].json()['order']['id']}")).status_code == 409
        assert (await ada.post("/halts/flatten")).status_code == 200
        assert (await ada.post("/halts")).status_code == 200
        assert (await ada.post("/halts/lift")).status_code == 429
        house.clock.move(1)
        await house.quote("48000")
        await house.sees()
        lifted = await ada.post("/halts/lift")
        assert lifted.status_code == 200, lifted.text

    # Each costs a token of its person; coming in costs none.
    play(tmp_path, story, rates=Rates(Rate(100, 100), Rate(1, 2), Rate(50, 100)))


def test_reads_have_a_rate_of_their_own(tmp_path: Path) -> None:
    """Who asks too often is told when to come again; another person is not kept waiting by it."""

    async def story(house: House) -> None:
        ada, eve = await house.key(ADA), await house.key(EVE)
        answers = [(await ada.get("/halts")).status_code for _ in range(4)]
        assert answers == [200, 200, 200, 429]
        assert (await eve.get("/halts")).status_code == 200
        house.clock.move(0.5)
        assert (await ada.get("/halts")).status_code == 200

    play(tmp_path, story, rates=Rates(read=Rate(2, 3)))


def test_a_cancel_that_could_not_be_written_may_have_happened(tmp_path: Path) -> None:
    """The venue has ended it and the book could not be told: nobody says that nothing happened."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        order = (await ada.post("/orders", RESTING)).json()["order"]["id"]
        house.books.writes_left = 1  # who wants it is written; how it ended is not
        told = await ada.delete(f"/orders/{order}")
        assert (told.status_code, told.json()["code"]) == (503, "outcome_unclear")
        assert "nothing was written" not in told.text
        house.books.writes_left = None
        await house.served[ADA.account.id].attendant.sync()
        assert (await ada.get(f"/orders/{order}")).json()["state"] == "CANCELED"

    play(tmp_path, story)


def test_a_close_that_could_not_be_written_may_have_happened(tmp_path: Path) -> None:
    """It was sent; closing again adds only what is missing."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        await ada.post("/orders", {**BUY, "symbol": "BTC/USDT:USDT"})
        position = (await ada.get("/positions")).json()["items"][0]["position_id"]
        house.books.writes_left = 1
        told = await ada.post("/guards/manual-close", {"position_id": position})
        assert (told.status_code, told.json()["code"]) == (503, "outcome_unclear")
        house.books.writes_left = None
        await house.served[ADA.account.id].attendant.sync()
        again = await ada.post("/guards/manual-close", {"position_id": position})
        assert again.json()["outcome"] == "FLAT"
        assert house.rows("orders") == 2

    play(tmp_path, story)
