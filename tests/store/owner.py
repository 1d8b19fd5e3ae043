"""An owner of books in a process of its own, who does as he is told, one line at a time, and says what came of it.

`pay REF` writes a deposit · `freeze REF` stops the process inside that unit, its transaction begun and its lease
checked · `renew` · `end`. Frozen is SIGSTOP: what a suspended machine, a paused container or a debugger makes of it.
"""

import os
import signal
import sys
from typing import Any

from plimsoll.ledger import queries
from plimsoll.ledger.schema import metadata
from plimsoll.model.money import install_exact_arithmetic
from plimsoll.store.draft import Draft
from plimsoll.store.lease import Holder, take_lease
from plimsoll.store.place import PostgresPlace, writer
from plimsoll.store.scribe import Unit
from tests.builders.ledger import Books, paying


def freezing(unit: Unit) -> Unit:
    """Stop the process when the server has answered a question of this unit."""

    def frozen(draft: Draft) -> Any:
        draft.find("all_users")
        os.kill(os.getpid(), signal.SIGSTOP)
        return unit(draft)

    return frozen


def main(url: str, schema: str, name: str, seconds: str) -> None:
    """Own these books until the end of the input."""
    install_exact_arithmetic()
    place = PostgresPlace(url, schema)
    lease = take_lease(place, Holder(name, name), float(seconds))
    fence = lease.fence(heeds_control=True)
    books = Books(writer(place, metadata, queries.compiled("postgresql"), fence=fence))
    print("epoch", lease.epoch, flush=True)  # noqa: T201
    for line in sys.stdin:
        word, *rest = line.split()
        try:
            if word == "renew":
                print("moved" if lease.renew() else "renewed", flush=True)  # noqa: T201
            elif word == "end":
                books.close()
                lease.release()
                return
            else:
                unit = paying("1", rest[0])
                books.write(freezing(unit) if word == "freeze" else unit)
                print("written", flush=True)  # noqa: T201
        except Exception as failure:  # noqa: BLE001  told to the test
            print(type(failure).__name__, flush=True)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
