"""Verify: prove that the books are whole, from the database alone, without trusting what the desk remembers.

1. The place is sound, of this release, and its facts are guarded.
2. Every chain holds from its first link: an edit, a deletion, an insertion, a swap, each at its place; with the stamp,
   a tail that was cut off.
3. Cells are canonical: decimals in their one text, times of 27 characters. Facts and events are numbered without holes.
4. Caches equal their fold: positions, days and balances; every order and every state it went through.
5. Every approved verdict has its order, and every order its verdict. What a row names is there, and of the same owner.

It opens the database for reading only and sees one moment of it, so it may run beside a desk at work. What it could not
look at it says (`unseen`), instead of calling it sound. It reads as a stream (see `proof`), whatever the books' size.
"""

from collections.abc import Callable
from pathlib import Path

from sqlalchemy.exc import DatabaseError

from plimsoll.ledger.verify.belongs import check_belongings
from plimsoll.ledger.verify.cells import check_cells
from plimsoll.ledger.verify.chains import check_chains, check_events, check_stamp
from plimsoll.ledger.verify.folds import check_balances, check_positions
from plimsoll.ledger.verify.guards import check_guards
from plimsoll.ledger.verify.orders import check_orders
from plimsoll.ledger.verify.proof import Proof
from plimsoll.ledger.verify.report import Finding, VerifyReport
from plimsoll.ledger.verify.sound import is_sound
from plimsoll.store.connection import StoreFailed
from plimsoll.store.place import Place, reader

__all__ = ["Finding", "VerifyReport", "verify"]

#: In the order they are made: first what the bytes say, then what they mean.
CHECKS: tuple[Callable[[Proof], None], ...] = (
    check_cells,
    check_chains,
    check_events,
    check_belongings,
    check_positions,
    check_balances,
    check_orders,
)


def verify(place: Place, chain_key: bytes | None, stamp_path: Path | None) -> VerifyReport:
    """Look at everything; without the key or the stamp, at all that can be seen without them."""
    engine = reader(place)
    try:
        with engine.connect() as connection:
            proof = Proof(connection, chain_key)
            if not is_sound(proof, place):
                proof.unseen.append("nothing else was looked at: the place itself is not sound")
                return proof.report()
            check_guards(proof, place)
            for check in CHECKS:
                check(proof)
            check_stamp(proof, stamp_path)
            return proof.report()
    except (DatabaseError, StoreFailed) as error:
        said = error.orig if isinstance(error, DatabaseError) else error
        damaged = Finding("unreadable_file", "", str(place), f"the database cannot be read: {said}")
        return VerifyReport((damaged,), {}, ("nothing was looked at",))
    finally:
        engine.dispose()
