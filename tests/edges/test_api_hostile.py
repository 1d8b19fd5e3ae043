"""What a hostile user tried: bodies made to cost, words made to be shown elsewhere, secrets made to come back."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest

from plimsoll.edges.api.answers import MOST_VALUES
from plimsoll.edges.api.problems import MOST_REASONS, in_print, shown_value, translate
from plimsoll.edges.api.rates import Rate, Rates
from plimsoll.ledger import accounts
from plimsoll.ledger.log import Note, write_note
from plimsoll.model.account import Halt, Scope, TradingState
from plimsoll.model.errors import Illegal
from plimsoll.model.quote import Bar
from plimsoll.people.actor import Right
from plimsoll.store.draft import Draft
from tests.edges.house import ADA, API, PASSWORD, Client, House, play

D = Decimal
BUY: dict[str, Any] = {"symbol": "BTC/USDT", "side": "BUY", "quantity": "0.1", "portfolio": "main"}
#: Ten reads at once, three writes by hand, and none comes back while the hour stands still.
TIGHT = Rates(Rate(20, 40), Rate(1, 3), Rate(1, 3))
SECRET = "the-canary-sings-at-dawn"


async def sends(client: Client, path: str, body: bytes, **headers: str) -> httpx2.Response:
    """Send a body as it is."""
    return await client.http.post(
        API + path, content=body, headers={**client.headers, "content-type": "application/json", **headers}
    )


# Bodies that cost ----------------------------------------------------------------------------------------------------


def test_a_body_that_is_wrong_everywhere_gets_a_short_answer(tmp_path: Path) -> None:
    """Some reasons and the count of the others, their names cut; more values than anybody means are not looked at."""

    async def story(house: House) -> None:
        guest, ada = house.browser(), await house.signs_in()
        unknown = {f"{number}{'x' * 20}": 0 for number in range(1_500)}
        told = await sends(guest, "/auth/link", orjson.dumps(unknown))
        assert (told.status_code, len(told.json()["reasons"])) == (422, MOST_REASONS)
        # The two that are missing are among them.
        assert told.json()["detail"].endswith(f"; and {1_502 - MOST_REASONS} more")
        assert len(told.content) < 20_000
        long_names = {f"{number}" + "\x1b" * 3_000: 0 for number in range(2)}
        told = await sends(ada, "/halts", orjson.dumps(long_names))
        assert told.status_code == 422
        assert len(told.content) < 4_000
        assert all(len(reason["observed"]) <= 200 for reason in told.json()["reasons"])
        assert "\\u001b" not in told.text
        crowd = b"[" + b"1," * MOST_VALUES + b"1]"
        for path, body in (("/auth/link", crowd), ("/keys", b'{"name":"x","rights":' + crowd + b"}")):
            told = await sends(ada, path, body)
            assert told.status_code == 422
            assert told.json()["detail"] == "body: send at most 2,000 values"
            assert len(told.content) < 1_000

    play(tmp_path, story)


def test_lists_have_a_length(tmp_path: Path) -> None:
    """A key has at most three rights and names at most a hundred portfolios; no key is made."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        before = house.everything()
        for wish in (
            {"rights": ["read"] * 4},
            {"rights": [1] * 1_000},
            {"rights": ["read"], "portfolios": ["main"] * 101},
            {"rights": ["read"], "portfolios": ["x" * 201]},
            {"rights": ["read"], "days": True},
        ):
            told = await ada.post("/keys", {"name": "x", **wish})
            assert (told.status_code, told.json()["code"]) == (422, "validation"), wish
            assert len(told.content) < 4_000
        assert house.everything() == before

    play(tmp_path, story)


def test_who_asks_is_known_before_his_body_is_read(tmp_path: Path) -> None:
    """Nobody's broken body is answered as nobody's; a right that is missing comes before what is wrong with a wish."""

    async def story(house: House) -> None:
        guest, reader = house.browser(), await house.key(ADA, Right.READ)
        for body in (b"{", b"[" * 100, b" " * 70_000):
            assert (await sends(guest, "/orders", body)).status_code == 401
            assert (await sends(reader, "/orders", body)).status_code == 403
            assert (await sends(guest, "/orders", body, origin="https://evil.example")).status_code == 403

    play(tmp_path, story)


@pytest.mark.parametrize("body", [b"{", b'{"x":1}', b"[" * 30 + b"]" * 30, b" " * 70_000, b'{"reason":"\\u0007"}'])
def test_a_refused_body_spends_where_a_good_one_is_free(tmp_path: Path, body: bytes) -> None:
    """After three of them their sender waits with the fourth; and his halt, which is in order, does not."""

    async def story(house: House) -> None:
        key = await house.key()
        told = [await sends(key, "/halts", body) for _ in range(4)]
        assert [answer.status_code for answer in told[:3]] == [told[0].status_code] * 3
        assert told[0].status_code in (413, 422)
        assert (told[3].status_code, told[3].json()["code"]) == (429, "too_many")
        assert "mend it" in told[3].json()["detail"]
        assert int(told[3].headers["retry-after"]) >= 1
        assert (await key.post("/halts", {"reason": "stop"})).status_code == 200
        assert (await key.get("/halts")).json()["state"] == "REDUCE_ONLY"

    play(tmp_path, story, rates=TIGHT)


def test_a_refused_body_is_paid_once(tmp_path: Path) -> None:
    """Where the request has spent already, its body spends nothing more."""

    async def story(house: House) -> None:
        key = await house.key()
        told = [await sends(key, "/bots", b"{") for _ in range(4)]
        assert [answer.status_code for answer in told] == [422, 422, 422, 429]

    play(tmp_path, story, rates=TIGHT)


def test_strangers_share_what_their_refused_bodies_may_cost(tmp_path: Path) -> None:
    """Together, from wherever they come; who is somebody has a rate of his own, and a good body always gets in."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        told = [await sends(house.browser(), "/auth/sign-in", b"{}") for _ in range(4)]
        assert [answer.status_code for answer in told] == [422, 422, 422, 429]
        assert (await sends(ada, "/auth/link", b"{}")).status_code == 422
        good = await house.browser().post("/auth/sign-in", {"name": "Ada", "password": PASSWORD})
        assert good.status_code == 200
        house.clock.move(1)
        assert (await sends(house.browser(), "/auth/sign-in", b"{}")).status_code == 422

    play(tmp_path, story, rates=TIGHT)


# Words that are shown elsewhere --------------------------------------------------------------------------------------

UNPRINTABLE = ["\x1b[2J", "two\nlines", "\x00", "bell\x07", "\u202eturned", "\x9b31m"]


def test_words_that_others_read_are_in_print(tmp_path: Path) -> None:
    """Reasons and names that could move a terminal's cursor are refused by their field; nothing is done."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        await ada.post("/orders", BUY)
        position = (await ada.get("/positions")).json()["items"][0]["position_id"]
        before = house.everything()
        for words in UNPRINTABLE:
            for path, body, field in (
                ("/halts", {"reason": words}, "reason"),
                ("/halts/flatten", {"reason": words}, "reason"),
                ("/guards/manual-close", {"position_id": position, "reason": words}, "reason"),
                ("/keys", {"name": words, "rights": ["read"]}, "name"),
                ("/bots", {"name": words, "strategy": "hold", "symbol": "BTC/USDT"}, "name"),
            ):
                told = await ada.post(path, body)
                assert (told.status_code, told.json()["code"]) == (422, "validation"), path
                (reason,) = told.json()["reasons"]
                assert reason["sentence"] == f"{field}: use printable characters only, on one line"
                assert reason["observed"].isprintable()
        assert house.everything() == before
        assert (await ada.post("/halts", {"reason": "Grüße, größer als ½ 😀"})).status_code == 200

    play(tmp_path, story)


def test_the_reason_of_a_close_by_hand_is_kept_with_its_order(tmp_path: Path) -> None:
    """Whoever reads the book later finds why."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        await ada.post("/orders", BUY)
        position = (await ada.get("/positions")).json()["items"][0]["position_id"]
        closed = await ada.post("/guards/manual-close", {"position_id": position, "reason": "I do not like it"})
        assert closed.json()["outcome"] == "FLAT"
        with house._engine.connect() as connection:
            kept = connection.exec_driver_sql("SELECT signal_context FROM orders ORDER BY id").scalars().all()
        assert kept == ["", "I do not like it"]

    play(tmp_path, story)


# What comes back -----------------------------------------------------------------------------------------------------

#: Path, and a body with the canary where a careless answer would repeat it.
ECHOES: list[tuple[str, Any]] = [
    ("/auth/sign-in", SECRET),
    ("/auth/sign-in", [SECRET]),
    ("/auth/sign-in", {"name": "Ada", "Password": SECRET}),
    ("/auth/sign-in", {"name": "Ada", "pasword": SECRET}),
    ("/auth/sign-in", {"name": {"password": SECRET}, "password": "x"}),
    ("/auth/sign-in", {"name": [SECRET], "password": {"is": SECRET}}),
    ("/auth/link", {"token": SECRET * 10, "password": SECRET * 50}),
    ("/auth/password", {"current": [SECRET], "new": 7, "newPassword": SECRET}),
    ("/keys", {"name": "x", "rights": [{"token": SECRET}]}),
    ("/bots", {"name": "x", "strategy": "hold", "symbol": "BTC/USDT", "params": {"api_SECRET": [SECRET]}}),
    ("/bots", {"name": "x", "strategy": "hold", "symbol": "BTC/USDT", "params": {"myToken": SECRET}}),
]


@pytest.mark.parametrize(("path", "body"), ECHOES)
def test_no_problem_repeats_a_secret(tmp_path: Path, path: str, body: Any) -> None:
    """A password in the wrong place, of the wrong kind, too long, misspelt: the answer does not have it."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        for content, kind in ((orjson.dumps(body), "application/json"), (orjson.dumps(body), "text/plain")):
            told = await ada.http.post(API + path, content=content, headers={**ada.headers, "content-type": kind})
            assert told.status_code == 422, told.text
            assert SECRET not in told.text

    play(tmp_path, story)


def test_values_are_shown_as_they_were_written() -> None:
    """A decimal as a number, nothing as null, what could act on a screen written out, a secret not at all."""
    assert shown_value("price", D("1E+2")) == "100"
    assert [shown_value("x", value) for value in (None, True, False, 7)] == ["null", "true", "false", "7"]
    assert shown_value("key", "api:mine") == "mine"
    assert shown_value("refreshToken", "abc") == shown_value("current", "abc") == "(not shown)"
    assert shown_value("x", {"a": 1}) == shown_value("body", "text") == "(not shown)"
    assert in_print("plain ½") == "plain ½"
    assert in_print("a\x1b[2J") == "a\\x1b[2J"
    assert len(in_print("\U000e0001" * 1_000)) == 400
    told = translate(Illegal("quantity", D(1), "give a quantity or a value, not both"))
    assert told is not None
    assert told.detail == "quantity = 1: give a quantity or a value, not both"
    strange = translate(Illegal("</script>", "x", "there is no such parameter"))
    assert strange is not None
    assert (strange.code, strange.reasons[0].code) == ("illegal_value", "illegal_value")


def test_messages_use_the_words_that_were_sent(tmp_path: Path) -> None:
    """Numbers as numbers, keys without what we put before them, JSON by the place where it breaks."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        both = await ada.post("/orders", {**BUY, "quote_value": "10"})
        assert both.json()["code"] == "illegal_quantity"
        assert "Decimal" not in both.text
        await ada.post("/orders", BUY, Idempotency_Key="mine")
        reused = await ada.post("/orders", {**BUY, "quantity": "0.2"}, Idempotency_Key="mine")
        assert (reused.status_code, reused.json()["reasons"][0]["observed"]) == (409, "mine")
        assert "api:" not in reused.text
        broken = (await sends(ada, "/orders", b'{"symbol": nonsense}')).json()
        assert broken["detail"] == "body: send valid JSON, without NaN and Infinity; it breaks at character 11"
        assert broken["reasons"][0]["observed"] == "body"
        twice = await sends(ada, "/halts", b'{"state":"HALTED","state":"CANCEL_ONLY"}')
        assert twice.json()["state"] == "CANCEL_ONLY"  # as documented: the last one counts

    play(tmp_path, story)


TIMES = ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "1969-12-31T23:59:59Z", "2200-01-02T00:00:00Z"]


def test_a_time_that_no_book_has_is_refused(tmp_path: Path) -> None:
    """By its field, also where it has no UTC; what a book can have is taken."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        for when in TIMES:
            for name in ("from", "to"):
                told = await ada.get("/equity", **{name: when})
                assert (told.status_code, told.json()["code"]) == (422, "validation"), when
                assert told.json()["detail"] == f"{name}: give a time between 1970 and 2200"
        for when in ("1970-01-01T00:00:00Z", "2199-12-31T23:59:59Z"):
            assert (await ada.get("/equity", **{"from": when, "to": when})).status_code == 200, when

    play(tmp_path, story)


# What a narrow key sees ----------------------------------------------------------------------------------------------


def test_a_key_for_some_portfolios_learns_what_binds_it_and_not_why(tmp_path: Path) -> None:
    """The state of the account or of its person without their reasons; its own portfolio's and the desk's with them."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        savings = await house.key(ADA, Right.READ, portfolios=[ADA.portfolios[1]])
        both = await house.key(ADA, Right.READ, portfolios=list(ADA.portfolios))
        await ada.post("/halts", {"reason": "my divorce"})
        told = await savings.get("/halts")
        assert told.json() == {"state": "REDUCE_ONLY", "items": []}
        assert [row["reason"] for row in (await both.get("/halts")).json()["items"]] == ["my divorce"]

        def more(draft: Draft) -> None:
            now = house.clock.now()
            for scope, number, words in (
                (Scope.USER, ADA.user.id, "the person"),
                (Scope.PORTFOLIO, ADA.portfolios[0].id, "main"),
                (Scope.PORTFOLIO, ADA.portfolios[1].id, "savings"),
                (Scope.DESK, 0, "the desk"),
            ):
                halt = Halt(scope, number, "manual", TradingState.CANCEL_ONLY, words, latched=True)
                accounts.write_halt(draft, halt, now)
            write_note(draft, Note(ADA.account.id, "test", "UPDATE", "HALT", "1", now, {}))

        await house.books.write(more)
        seen = {
            name: {row["reason"] for row in (await client.get("/halts")).json()["items"]}
            for name, client in (("savings", savings), ("both", both), ("ada", ada))
        }
        assert seen["savings"] == {"savings", "the desk"}
        assert seen["both"] == {"savings", "main", "my divorce", "the desk"}
        assert seen["ada"] == {"savings", "main", "my divorce", "the desk", "the person"}
        assert (await savings.get("/halts")).json()["state"] == "CANCEL_ONLY"

    play(tmp_path, story)


# Bots ----------------------------------------------------------------------------------------------------------------


def test_a_bot_tells_what_it_came_to_on_its_last_bar(tmp_path: Path) -> None:
    """The order that it placed there, nothing on the next; and it is asked without a body as with an empty one."""

    async def story(house: House) -> None:
        ada = await house.signs_in()
        wish = {"name": "b", "strategy": "hold", "symbol": "BTC/USDT", "params": {"share": "0.1"}, "portfolio": "main"}
        path = f"/bots/{(await ada.post('/bots', wish)).json()['id']}"
        nothing = {"temperature": None, "trade_executed": False, "trade_id": None}
        assert (await ada.get(path)).json()["result"] == nothing
        await ada.post(f"{path}/start")
        price, minute, host = D(50_000), timedelta(minutes=1), house.served[ADA.account.id].bots

        async def closes() -> None:
            start = house.clock.now() - minute
            await host.on_bar(Bar(ADA.spot.id, start, minute, price, price, price, price, D(1)))

        await closes()
        told = (await ada.get(path)).json()["result"]
        (order,) = (await ada.get("/orders", status="all")).json()["items"]
        assert told == {"temperature": None, "trade_executed": True, "trade_id": order["id"]}
        house.clock.move(60)
        await house.quote()
        await closes()
        assert (await ada.get(path)).json()["result"] == nothing
        bare = await ada.http.post(f"{API}{path}/evaluate", headers=ada.headers)
        assert (bare.status_code, bare.json()["result"]) == (200, nothing)
        for forced in ("yes", 1, None):
            refused = await ada.post(f"{path}/evaluate", {"forced": forced})
            assert (refused.status_code, refused.json()["code"]) == (422, "validation"), forced

    play(tmp_path, story)
