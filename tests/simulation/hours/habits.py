"""What people and programs want of a desk: they trade, they stop, they look, they err, and some mean harm.

Each habit is one thing that a caller does, from its first question to its last answer. What an answer to it can never
be is said here and told to the record; all else that must follow is the oracle's business.
"""

import asyncio
from decimal import Decimal
from fractions import Fraction
from typing import Any

from tests.simulation.hours.callers import TAKEN, TRIES, Caller, Habit, stepped

#: Of the account's first money: what an order is worth.
_SHARES = (0.003, 0.03)
_LIFTABLE = frozenset({"manual", "guard:drawdown", "parity"})
#: What only says how the desk is: no answer about what was asked for.
_NOT_NOW = frozenset({429, 503})
_LOOKS = (
    *("/orders", "/trades", "/positions", "/portfolios", "/portfolio", "/halts", "/guards", "/bots", "/equity"),
    *("/system/health", "/margin/status", "/funds/history", "/audit", "/events", "/breaches", "/pnl"),
    *("/reconciliation/{account}", "/reconciliation/{account}/log", "/accounts/{account}/sync-log"),
)
#: Decides after minutes instead of hours.
_HASTY = {
    **dict.fromkeys(("rsi_period", "macd_fast", "ma_fast", "macd_signal"), "2"),
    **dict.fromkeys(("macd_slow", "ma_slow"), "3"),
    "act_at": "0.1",
    "confirmation_minutes": "1",
    "cooldown_minutes": "2",
    "trade_size": "100",
}
D = Decimal


# Trading --------------------------------------------------------------------------------------------------------------


async def trades(caller: Caller) -> None:
    """Trade at the market, or wait for a price."""
    await caller.insist(caller.wish(_terms(caller)))


async def presses_twice(caller: Caller) -> None:
    """Send one wish twice at once."""
    wish = caller.wish(_terms(caller))
    await asyncio.gather(caller.insist(wish), caller.insist(wish))


async def asks_again_later(caller: Caller) -> None:
    """Ask for a wish of the past once more: the answer is that of the past."""
    wish = caller.earlier()
    if wish is not None:
        await caller.insist(wish)


async def mistakes_a_key(caller: Caller) -> None:
    """Use a key again for something else: it must be refused."""
    wish = caller.earlier()
    if wish is None:
        return
    other = {**wish.body, "side": "BUY" if wish.body["side"] == "SELL" else "SELL"}
    _told, answer = await caller.ask("POST", "/orders", other, key=wish.key)
    if answer is not None and answer.status in TAKEN:
        caller.record.surprise("I1", f"{wish.key} was taken for another order: {answer.body}")


async def wants_the_absurd(caller: Caller) -> None:
    """Ask for what nobody may have."""
    absurd: dict[str, Any] = caller.chance.choice(
        (
            {"quantity": "1000000"},
            {"quantity": "0"},
            {"quantity": "-1"},
            {"quantity": "0.000000000000000001"},
            {"quantity": "NaN"},
            {"symbol": "NOTHING/USDT"},
            # A purchase: a sale of coins that are held is a close, and no price of its own keeps one back.
            {"side": "BUY", "type": "LIMIT", "price": "0.01", "quantity": "1"},
            {"portfolio": "somebody's"},
        )
    )
    wish = caller.wish({**_terms(caller), **absurd})
    await caller.insist(wish)
    if wish.order is not None:
        caller.record.surprise("GATE", f"the absurd was taken: {wish.body} became {wish.order}")


async def reduces(caller: Caller) -> None:
    """Sell of what is held, or buy back, by an order that may only reduce, and is sometimes more than there is."""
    held = await caller.finds("/positions")
    if held is None:
        return
    part = D(held["quantity"]) * D(str(round(caller.chance.uniform(0.2, 1.2), 2)))
    body = {
        "symbol": held["symbol"],
        "side": "SELL" if held["side"] == "LONG" else "BUY",
        "quantity": str(stepped(part, caller.lot(held["symbol"]))),
        "reduce_only": True,
    }
    await caller.insist(caller.wish(body))


async def spends(caller: Caller) -> None:
    """Trade for a value at once."""
    symbol = caller.chance.choice(caller.market.symbols)
    body = {"product_id": symbol, "side": "BUY", "size_usd": str(caller.chance.randrange(20, 200))}
    await caller.ask("POST", "/trades/execute", body)


async def closes(caller: Caller) -> None:
    """Close one position whole."""
    held = await caller.finds("/positions")
    if held is not None:
        await caller.ask("POST", "/guards/manual-close", {"position_id": held["position_id"]})


async def cancels(caller: Caller) -> None:
    """Take an order back, perhaps one that has ended."""
    if caller.orders:
        await caller.ask("POST", f"/orders/{caller.chance.choice(caller.orders[-8:])}/cancel")


async def cancels_what_waits(caller: Caller) -> None:
    """Take back one that waits, as the list has it."""
    waiting = await caller.finds("/orders", "status=open")
    if waiting is not None:
        await caller.ask("DELETE", f"/orders/{waiting['id']}")


async def keeps_a_bot(caller: Caller) -> None:
    """Have a bot trade, let it rest, or have it decide now."""
    bot = await caller.finds("/bots")
    if bot is None:
        body = {"name": "hasty", "strategy": "signals", "symbol": caller.market.symbols[0], "params": _HASTY}
        await caller.ask("POST", "/bots", body)
        return
    doing = caller.chance.choice(("start", "start", "stop", "evaluate"))
    await caller.ask("POST", f"/bots/{bot['id']}/{doing}", {"forced": True} if doing == "evaluate" else None)


# Stopping -------------------------------------------------------------------------------------------------------------


async def flattens(caller: Caller) -> None:
    """Close everything, and let it trade again a while later."""
    await caller.ask("POST", "/halts/flatten", {"reason": "enough"})
    await caller.rests(5, 60)
    await lifts(caller)


async def stops(caller: Caller) -> None:
    """Stop trading for a while."""
    state = caller.chance.choice(("REDUCE_ONLY", "CANCEL_ONLY", "HALTED"))
    await caller.ask("POST", "/halts", {"state": state, "reason": "a pause"})
    await caller.rests(5, 90)
    await lifts(caller)


async def lifts(caller: Caller) -> None:
    """Lift whatever a person may lift, until it is lifted."""
    for _ in range(TRIES):
        _told, answer = await caller.ask("GET", "/halts")
        if answer is not None and answer.status == 200:
            sources = [row["source"] for row in answer.body["items"] if row["source"] in _LIFTABLE]
            if not sources:
                return
            await caller.ask("POST", "/halts/lift", {"source": sources[0]}, signed=True)
        await caller.rests()


# Looking --------------------------------------------------------------------------------------------------------------


async def asks_first(caller: Caller) -> None:
    """Ask what an order would do."""
    await caller.ask("POST", "/orders/preview", _terms(caller))


async def looks(caller: Caller) -> None:
    """Look at something that is his."""
    path = caller.chance.choice(_LOOKS)
    await caller.ask("GET", path.format(account=_account(caller.market.number)))


async def compares(caller: Caller) -> None:
    """Have the book compared with the venue now, and say of every difference that it was looked at."""
    path = f"/reconciliation/{_account(caller.market.number)}"
    await caller.ask("POST", f"{path}/sync", {})
    found = await caller.finds(f"{path}/breaks")
    if found is not None:
        await caller.ask("POST", f"{path}/breaks/{found['id']}/resolve", {"resolution": "looked at"})


async def follows(caller: Caller) -> None:
    """Follow the stream for a while, from where he was."""
    door, follower = caller.front.door(), caller.follower
    if door is None or door.app is None or follower.is_open:
        return
    follower.open(door.app, door.spawn, caller.by_program)
    await caller.rests(2, 15)
    follower.close()
    for gap in follower.gaps:
        caller.record.surprise("STREAM", f"the stream of {caller.name} left something out: {gap}")


async def stays_signed_in(caller: Caller) -> None:
    """Look at something by hand, so that his browser is not forgotten."""
    await caller.ask("GET", "/auth/me", signed=True)


async def tries_what_is_not_his(caller: Caller) -> None:
    """Ask for somebody else's things: there are none."""
    other = _account(3 - caller.market.number)
    paths = [("GET", f"/reconciliation/{other}"), ("POST", f"/reconciliation/{other}/sync")]
    uid = caller.foreign()
    if uid is not None:
        paths += [("GET", f"/orders/{uid}"), ("POST", f"/orders/{uid}/cancel"), ("DELETE", f"/orders/{uid}")]
    method, path = caller.chance.choice(paths)
    told, _answer = await caller.ask(method, path)
    if told.status is not None and told.status not in (404, *_NOT_NOW):
        caller.record.surprise(
            "OWNER", f"{caller.name} was answered {told.status} to {method} {path}, which is not his"
        )


# Steps ----------------------------------------------------------------------------------------------------------------


def _account(number: int) -> str:
    return f"account-{number}"


def _terms(caller: Caller) -> dict[str, Any]:
    chance = caller.chance
    symbol, side = chance.choice(caller.market.symbols), chance.choice(("BUY", "SELL"))
    price, lot = caller.front.price(symbol), caller.lot(symbol)
    worth = D(caller.market.deposit) * D(str(round(chance.uniform(*_SHARES), 4)))
    terms: dict[str, Any] = {"symbol": symbol, "side": side}
    kind = chance.random()
    if kind < 0.1:
        return {**terms, "quote_value": str(stepped(worth, D("0.01"))), "allow_smaller": True}
    terms["quantity"] = str(max(stepped(Fraction(worth) / Fraction(price), lot), lot))
    if kind < 0.45:
        return terms
    distance = D(str(round(chance.uniform(-0.001, 0.004), 5)))
    # Below the price for who buys, above it for who sells; a stop waits on the other side.
    is_stop = kind > 0.93
    at = price * (1 - distance if (side == "BUY") is not is_stop else 1 + distance)
    at = stepped(at, caller.tick(symbol))
    if is_stop:
        return {**terms, "type": "STOP", "stop_price": str(at)}
    in_force = chance.choice(("IOC", "FOK")) if kind > 0.83 else "GTC"
    return {**terms, "type": "LIMIT", "price": str(at), "time_in_force": in_force}


HABITS: tuple[tuple[Habit, float], ...] = (
    (trades, 50),
    (presses_twice, 5),
    (asks_again_later, 3),
    (mistakes_a_key, 2),
    (wants_the_absurd, 4),
    (reduces, 10),
    (spends, 3),
    (closes, 5),
    (cancels, 5),
    (cancels_what_waits, 6),
    (keeps_a_bot, 3),
    (flattens, 0.7),
    (stops, 1),
    (lifts, 2),
    (asks_first, 3),
    (looks, 6),
    (compares, 1.5),
    (follows, 1.5),
    (stays_signed_in, 6),
    (tries_what_is_not_his, 1.5),
)
