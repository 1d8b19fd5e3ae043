"""The stamp: how far every chain has come, written to a file outside the database.

The chain shows what was changed, not what was cut off its end: the links that are left still fit. The stamp shows that,
as long as whoever cuts the database does not also hold the file: keep a copy of it elsewhere.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, select

from plimsoll.ledger import schema
from plimsoll.ledger.keys import ChainHead
from plimsoll.ledger.log import json_text
from plimsoll.model.clock import time_text
from plimsoll.model.errors import PlimsollError


class StampContradicted(PlimsollError):
    """The database lacks what an earlier stamp saw: it was cut, rewritten or restored from a backup. Run `verify`."""


class StampUnreadable(PlimsollError):
    """The stamp file is not one of ours: restore it from its copy, or move it away to begin anew."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What was seen of a database at a moment."""

    at: str
    #: Commits so far.
    group: int
    #: Last link by account; 0 is the desk.
    heads: Mapping[int, ChainHead]


def stamp(engine: Engine, path: Path, at: datetime) -> Stamp:
    """Write down how far the chains have come, unless that would hide what an earlier stamp knows.

    Raises: StampContradicted, StampUnreadable
    """
    before = read_stamp(path)
    with engine.connect() as connection:
        if before is not None and (lost := contradictions(connection, before)):
            raise StampContradicted(f"{path}: {'; '.join(lost)}. {StampContradicted.__doc__}")
        return write_stamp(connection, path, at)


def write_stamp(connection: Connection, path: Path, at: datetime) -> Stamp:
    """Write down how far the chains have come as one connection sees them, whatever an earlier stamp says."""
    now = Stamp(time_text(at), _group(connection), _heads(connection))
    heads = {str(account): {"seq": head.seq, "link": head.link} for account, head in now.heads.items()}
    _replace_file(path, json_text({"at": now.at, "group": now.group, "heads": heads}) + "\n")
    return now


def read_stamp(path: Path) -> Stamp | None:
    """Read a stamp back; None when there is none.

    Raises: StampUnreadable
    """
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        heads = {
            int(account): ChainHead(int(head["seq"]), str(head["link"])) for account, head in told["heads"].items()
        }
        return Stamp(str(told["at"]), int(told["group"]), heads)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StampUnreadable(f"{path}: {StampUnreadable.__doc__}") from error


def contradictions(connection: Connection, seen: Stamp) -> list[str]:
    """Say what a stamp saw and the database does not have."""
    lost = []
    for account_id, head in sorted(seen.heads.items()):
        link = _link_at(connection, account_id, head.seq)
        if link is None:
            lost.append(f"account {account_id}: unit {head.seq} was there on {seen.at} and is not now")
        elif link != head.link:
            lost.append(f"account {account_id}: unit {head.seq} is not the one that was there on {seen.at}")
    if (group := _group(connection)) < seen.group:
        lost.append(f"{seen.group} commits were there on {seen.at}, {group} are now")
    return lost


def lost_tail(connection: Connection, seen: Stamp) -> tuple[str, ...]:
    """Say what a stamp saw that is missing at the end, in a database that is otherwise the one it saw.

    Shapes: empty when nothing is missing, and when a unit is another one than it was: then no tail was lost, but the
            book rewritten
    """
    for account_id, head in seen.heads.items():
        if _link_at(connection, account_id, head.seq) not in (None, head.link):
            return ()
    return tuple(contradictions(connection, seen))


def _link_at(connection: Connection, account_id: int, seq: int) -> str | None:
    log = schema.audit_log.c
    return connection.execute(select(log.link).where(log.account_id == account_id, log.seq == seq)).scalar()


def _heads(connection: Connection) -> dict[int, ChainHead]:
    log, heads = schema.audit_log.c, {}
    for account_id in (0, *connection.execute(select(schema.accounts.c.id).order_by(schema.accounts.c.id)).scalars()):
        # One account at a time: its last link is the first row of the key read backwards.
        last = select(log.seq, log.link).where(log.account_id == account_id).order_by(log.seq.desc()).limit(1)
        for seq, link in connection.execute(last):
            heads[account_id] = ChainHead(seq, link)
    return heads


def _group(connection: Connection) -> int:
    return connection.execute(select(schema.heads.c.group_number)).scalar() or 0


def _replace_file(path: Path, text: str) -> None:
    # Cut anywhere, the old stamp or the new one is there, whole.
    beside = path.with_name(path.name + ".new")
    with beside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
