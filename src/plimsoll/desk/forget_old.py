"""What is kept for a while only, removed piece by piece, so that nothing stands behind it for long."""

from functools import partial

from plimsoll.desk.ports import Ports
from plimsoll.ledger.retention import PIECES, Piece
from plimsoll.store.draft import Draft


async def forget_old(ports: Ports) -> None:
    """Remove what an account, and the desk, keep no longer.

    Raises: StoreFailed, CommitUnclear: what was removed is removed, and the next time goes on
    """
    for piece in PIECES:
        # A unit for each, and the next one in line behind whoever came meanwhile.
        while await ports.books.write(partial(_remove, ports, piece)):
            pass


def _remove(ports: Ports, piece: Piece, draft: Draft) -> bool:
    return piece(draft, ports.account_id, ports.clock.now())
