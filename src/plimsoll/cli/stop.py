"""`plimsoll halt` and `plimsoll flatten`: to the desk that runs, or as the desk when none does.

What if the desk hangs, or runs on another machine? On a server a halt is written beside it, and binds it all the same.
"""

import asyncio
import sys
from collections.abc import Callable

from plimsoll.bootstrap import DataDirectory, DeskIsRunning, take_the_desk
from plimsoll.cli.at_rest import command_at_rest
from plimsoll.cli.commands import Done
from plimsoll.cli.door import Message, NobodyAnswers, ask
from plimsoll.cli.words import NOT_DONE, NoDesk, print_table, say
from plimsoll.desk.halt import MANUAL
from plimsoll.ledger.outside import halt_from_outside
from plimsoll.model.account import TradingState
from plimsoll.model.clock import SystemClock
from plimsoll.model.errors import PlimsollError
from plimsoll.store.place import PostgresPlace

#: A desk that is just starting or ending holds its lock and has no door; it is waited for this long.
PATIENCE_SECONDS = 10.0
_LOOK_AGAIN_SECONDS = 0.05
#: A desk that has not answered a halt by then hangs; on a server the halt then goes beside it.
ANSWER_SECONDS = 15.0

#: How an answer is told to a person.
Show = Callable[[Done], None]


class DeskDoesNotAnswer(PlimsollError):
    """The desk of this folder holds its lock and does not answer: look at its log, or stop it and ask again."""

    def __init__(self, directory: DataDirectory) -> None:
        super().__init__(f"{directory.path}: {type(self).__doc__}")


class OutcomeNotKnown(PlimsollError):
    """The desk ended before it answered: `plimsoll status` shows what became of the command; repeating it is safe."""


def command(directory: DataDirectory, name: str, words: Message) -> Done:
    """Give a command to whoever is the desk, or be it.

    Raises: NoDesk, DeskDoesNotAnswer, OutcomeNotKnown, StoreFailed
    """
    if directory.server is None and not directory.database.exists():
        raise NoDesk(directory)
    outside = None if name != "halt" or words.get("lift") else directory.server
    patience = None if outside is None else ANSWER_SECONDS
    try:
        return asyncio.run(_find_the_desk(directory, name, words, patience)) or _be_the_desk(directory, name, words)
    except (DeskDoesNotAnswer, DeskIsRunning) as deaf:
        if outside is None:
            raise
        return _halt_beside(outside, words, deaf)


def _halt_beside(server: PostgresPlace, words: Message, deaf: PlimsollError) -> Done:
    """Stop a desk that cannot be talked to: it hangs, or runs elsewhere."""
    state, reason = TradingState(str(words["state"])), str(words.get("reason", ""))
    halts = halt_from_outside(server, state, MANUAL, reason, SystemClock().now())
    failure = f"{deaf} The halt binds it from its next order on; live orders were not taken back."
    shown = [{"source": halt.source, "state": str(halt.state), "reason": halt.reason} for halt in halts]
    answer = {"state": state, "reason": reason, "cancelled": [], "failures": [failure], "halts": shown}
    return Done(NOT_DONE, answer)


async def _find_the_desk(directory: DataDirectory, name: str, words: Message, patience: float | None) -> Done | None:
    clock = SystemClock()
    until = clock.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            take_the_desk(directory).release()
        except DeskIsRunning:
            pass
        else:
            return None
        try:
            async with asyncio.timeout(patience):
                told = await ask(directory.socket, name, words)
        except TimeoutError:
            raise DeskDoesNotAnswer(directory) from None
        except NobodyAnswers:
            if clock.monotonic() > until:
                raise DeskDoesNotAnswer(directory) from None
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        except ConnectionError as lost:
            raise OutcomeNotKnown(OutcomeNotKnown.__doc__) from lost
        else:
            return _read(told)


def _read(told: Message) -> Done:
    answer, exit_code = told.get("answer"), told.get("exit_code")
    if not isinstance(answer, dict) or not isinstance(exit_code, int):
        return Done(NOT_DONE, {"error": str(told.get("error", "the desk's answer was not understood"))})
    return Done(exit_code, {str(key): value for key, value in answer.items()})


def _be_the_desk(directory: DataDirectory, name: str, words: Message) -> Done:
    lock = take_the_desk(directory)
    try:
        return command_at_rest(directory, name, words)
    finally:
        lock.release()


def show_halt(done: Done) -> None:
    """Tell a person how a halt or a lift went."""
    if "lifted" in done.answer:
        say(f"Lifted: {done.answer['lifted']}.")
    else:
        say(f"{done.answer['state']} is in force. Orders taken back: {len(_list(done, 'cancelled'))}.")
    _show_failures_and_halts(done)


def show_link(done: Done) -> None:
    """Tell a person the link."""
    say("Open it in a browser within 30 minutes; it works once:")
    sys.stdout.write(f"{done.answer['url']}\n")


def show_flatten(done: Done) -> None:
    """Tell a person how a flatten went."""
    rows = [[entry.get(name) for name in ("portfolio", "symbol", "quantity", "outcome")] for entry in _entries(done)]
    print_table("Positions", ("portfolio", "symbol", "quantity left", "outcome"), rows)
    if done.answer["flat"]:
        say("Flat.")
    elif done.waiting is not None or any(entry.get("outcome") in ("SENT", "UNDER_WAY") for entry in _entries(done)):
        say("NOT flat: a close waits for the next price. On a replay that has ended there is no market to close at.")
    else:
        say("NOT flat.")
    _show_failures_and_halts(done)


def _show_failures_and_halts(done: Done) -> None:
    for failure in _list(done, "failures"):
        say(f"Failed: {failure}")
    rows = [[entry.get(name) for name in ("source", "state", "reason")] for entry in _entries(done, "halts")]
    if rows:
        print_table("Halts in force", ("source", "state", "reason"), rows)


def _list(done: Done, name: str) -> list[object]:
    value = done.answer.get(name, [])
    return value if isinstance(value, list) else []


def _entries(done: Done, name: str = "positions") -> list[dict[str, object]]:
    return [entry for entry in _list(done, name) if isinstance(entry, dict)]
