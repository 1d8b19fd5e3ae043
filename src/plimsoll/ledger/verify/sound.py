"""Whether the place itself is sound, before anybody reads a row of it.

SQLite: `quick_check` reads every page and every row against its table. PostgreSQL keeps no such check within reach of
an ordinary role: there every row is read by the other checks, and a page that does not fit its checksum (a cluster made
with `--data-checksums`) ends the reading with an error, which is a finding.
"""

from collections.abc import Iterator

from sqlalchemy import inspect, text

from plimsoll.ledger import schema
from plimsoll.ledger.database import HEAD
from plimsoll.ledger.verify.proof import Proof
from plimsoll.store.place import Place, SqlitePlace

#: By the server's own word on its checksums.
_UNSEEN = {"off": ("without checksums (initdb --data-checksums): a page that the disk changed unnoticed",)}


def is_sound(proof: Proof, place: Place) -> bool:
    """Look at the place; what stands in the way of reading it is found, and then nothing else can be looked at."""
    found = len(proof.findings)
    if isinstance(place, SqlitePlace):
        for answer in _damages(proof):
            proof.find("damaged_file", "", "file", f"SQLite finds: {answer}")
    else:
        proof.unseen += _UNSEEN.get(str(proof.connection.execute(text("SHOW data_checksums")).scalar()), ())
    if len(proof.findings) == found:
        _check_tables(proof, place)
    return len(proof.findings) == found


def _damages(proof: Proof) -> Iterator[str]:
    answers = [str(answer) for answer in proof.connection.execute(text("PRAGMA quick_check")).scalars()]
    return iter(() if answers == ["ok"] else answers)


def _check_tables(proof: Proof, place: Place) -> None:
    where = "file" if isinstance(place, SqlitePlace) else f"schema {place.schema}"
    known = set(inspect(proof.connection).get_table_names())
    if "alembic_version" not in known:
        proof.find("foreign_file", "", where, "this is no database of a desk")
        return
    version = proof.connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if version != HEAD:
        proof.find("other_release", "alembic_version", where, f"version {version}; this release reads {HEAD}")
        return
    for table in schema.metadata.sorted_tables:
        if table.name not in known:
            proof.find("missing_table", table.name, where, "the table is gone")
