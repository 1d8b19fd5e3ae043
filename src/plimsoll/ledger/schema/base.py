"""What every page of the schema is made with: names of constraints, enumerations, signs."""

from collections.abc import Sequence

from sqlalchemy import CheckConstraint, MetaData

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


def one_of(column: str, values: type) -> CheckConstraint:
    """Demand a member of an enumeration."""
    words = ", ".join(f"'{value}'" for value in values)  # type: ignore[attr-defined]  # a StrEnum iterates
    return CheckConstraint(f"{column} IN ({words})", name=column)


def listed(column: str, *values: str) -> CheckConstraint:
    """Demand one of these words."""
    return CheckConstraint(f"{column} IN ({', '.join(map(repr, values))})", name=column)


def yes_or_no(*columns: str) -> CheckConstraint:
    """Demand 0 or 1."""
    return CheckConstraint(" AND ".join(f"{column} IN (0, 1)" for column in columns), name="yes_or_no")


def signs(*, above: Sequence[str] = (), not_below: Sequence[str] = ()) -> CheckConstraint:
    """Demand numbers above zero, and numbers not below it; a null is neither.

    The same words on both engines: on SQLite canonical texts are compared, in which `-` sorts before every digit.
    """
    said = [f"{column} > '0'" for column in above] + [f"{column} >= '0'" for column in not_below]
    return CheckConstraint(" AND ".join(said), name="signs")


def a_pocket() -> CheckConstraint:
    """Demand one of the venue's pockets, or the one that carries debts."""
    return CheckConstraint(
        "pocket IN ('spot', 'margin', 'futures', 'loan') OR pocket LIKE 'isolated:_%'", name="pocket"
    )
