"""The triggers that keep facts as they are: each table of facts has them, or its facts can be changed unnoticed."""

from sqlalchemy import text

from plimsoll.ledger import schema
from plimsoll.ledger.verify.proof import Proof
from plimsoll.store.place import Place, SqlitePlace

_SQLITE = text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND sql LIKE '%RAISE(ABORT%'")
_POSTGRES = text(
    "SELECT t.tgname FROM pg_trigger t"
    " JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = :schema AND t.tgenabled IN ('O', 'A') AND NOT t.tgisinternal"
)


def check_guards(proof: Proof, place: Place) -> None:
    """See that every table of facts refuses to be changed."""
    if isinstance(place, SqlitePlace):
        there = proof.connection.execute(_SQLITE)
        changes: tuple[str, ...] = ("update", "delete")
    else:
        there = proof.connection.execute(_POSTGRES, {"schema": place.schema})
        changes = ("change",)
    names = set(there.scalars())
    for table in (*schema.FACTS, "audit_log"):
        for change in changes:
            if f"tr_{table}_no_{change}" not in names:
                proof.find("unguarded_facts", table, f"trigger tr_{table}_no_{change}", "it is gone or switched off")
