"""Which exchange can be reached from here: asked once, at the very first start of a desk."""

import asyncio
from collections.abc import Collection, Sequence

from plimsoll.market.live.wire import Connect, Wire, connect
from plimsoll.model.errors import WorldFailure


async def find_live(
    symbols: Collection[str], candidates: Sequence[str], *, timeout_seconds: float, connect: Connect = connect
) -> str | None:
    """Ask all candidates at once and name the first that answers; None when none does within the time.

    One that does not trade every kind of the symbols (Kraken has no perpetuals) is taken only when no other answers:
    what is chosen here is the account's source for ever.

    Raises: CcxtMissing, ExchangeUnknown
    """
    wires = {name: connect(name, symbols) for name in candidates}
    asked = {asyncio.create_task(_answers(wire)): name for name, wire in wires.items()}
    try:
        return await _first(asked, {name for name in wires if wires[name].trades(symbols)}, timeout_seconds)
    finally:
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        await asyncio.gather(*(wire.close() for wire in wires.values()))


async def _answers(wire: Wire) -> bool:
    try:
        await wire.greet()
    except WorldFailure:
        return False
    return True


async def _first(asked: dict["asyncio.Task[bool]", str], whole: set[str], seconds: float) -> str | None:
    loop, second_best = asyncio.get_running_loop(), None
    pending, deadline = set(asked), loop.time() + seconds
    while pending and (second_best is None or any(asked[task] in whole for task in pending)):
        done, pending = await asyncio.wait(
            pending, timeout=max(0.0, deadline - loop.time()), return_when=asyncio.FIRST_COMPLETED
        )
        if not done:
            break
        for name in [name for task, name in asked.items() if task in done and task.result()]:
            if name in whole:
                return name
            second_best = second_best or name
    return second_best
