"""What commands of a shell do to a desk that is served: to each of its accounts what they do to one.

What must not enter: how a command came in, and how its answer is shown.
"""

import asyncio
from collections.abc import Sequence

from plimsoll.bootstrap.served import OWNER
from plimsoll.cli.commands import ACTOR, Done, flattened, obey
from plimsoll.cli.door import Message
from plimsoll.cli.import_door import PREFIX, obey_import
from plimsoll.cli.words import DONE, NOT_DONE
from plimsoll.desk.import_book import ImportingHere
from plimsoll.edges.served import ServedAccount, ServedDesk
from plimsoll.runtime.logging import logger

log = logger("commands")

#: How long a flatten waits for its fills before it says that it is not flat yet.
PATIENCE_SECONDS = 10.0
LOOK_AGAIN_SECONDS = 0.1
#: Answered here and nowhere else: a link is made by whoever is the desk.
LINK = "link"


async def obey_served(desk: ServedDesk, importing: ImportingHere, name: str, words: Message, url: str) -> Done:
    """Do what a command says, account by account; the answer joins what each of them answers.

    Shapes: `url` is where the desk is served, or will be; imported books are the desk's, and of none of these accounts
    """
    if name.startswith(PREFIX):
        return await obey_import(importing, name, words)
    if name == LINK:
        return Done(DONE, {"url": sign_in_url(url, await desk.people.new_link(OWNER, ACTOR))})
    # All at once: an account whose market is silent must not hold up the stop of the others.
    done = await asyncio.gather(*(_obey(account, name, words) for account in desk.accounts.values()))
    return done[0] if len(done) == 1 else _joined(done)


def sign_in_url(url: str, token: str) -> str:
    """Give the address of a one-time link; what follows the # never leaves the browser by itself."""
    return f"{url}/#/welcome?token={token}"


async def _obey(account: ServedAccount, name: str, words: Message) -> Done:
    try:
        done = await obey(account.ports, account.protector, name, words)
    except Exception as bug:
        log.exception("command_failed", account=account.ports.account_id, command=name)
        return Done(NOT_DONE, {"error": f"account {account.ports.account_id}: the desk failed at it: {bug!r}"})
    until = account.ports.clock.monotonic() + PATIENCE_SECONDS
    # A flatten that was sent is answered when it is flat: the next price may make it so.
    while done.waiting is not None and done.exit_code != DONE and account.ports.clock.monotonic() < until:
        await asyncio.sleep(LOOK_AGAIN_SECONDS)
        done = flattened(account.ports, done.waiting)
    return done


def _joined(done: Sequence[Done]) -> Done:
    """Join answers: lists one behind the other, `flat` only if all are, and the worst exit code."""
    joined: dict[str, object] = {}
    for one in done:
        for name, value in one.answer.items():
            before = joined.get(name, value)
            if isinstance(value, list) and isinstance(before, list):
                joined[name] = [*(before if name in joined else []), *value]
            elif isinstance(value, bool):
                joined[name] = bool(before) and value
            else:
                joined[name] = before
    return Done(max(one.exit_code for one in done), joined, next((one.waiting for one in done if one.waiting), None))
