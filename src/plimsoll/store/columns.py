"""Exact column types: decimal text on SQLite, NUMERIC(38, 18) on PostgreSQL; 27-character text, or TIMESTAMPTZ.

SQLAlchemy's own `Numeric` goes through float on SQLite and is banned here. In SQLite SQL a decimal is only ever
compared for equality; order and ranges use `CAST(… AS REAL)`, and sums are made in Python.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Dialect, Integer, Numeric, String, TypeDecorator
from sqlalchemy.dialects.postgresql import TEXT, TIMESTAMP
from sqlalchemy.types import TypeEngine

from plimsoll.model.clock import TEXT_LENGTH, parse_time, time_text
from plimsoll.model.money import decimal_text

#: A whole number; a book outlives 32 bits.
Whole = Integer().with_variant(BigInteger(), "postgresql")
#: Text that sorts by its bytes on both engines, whatever the language of the machine.
Words = String().with_variant(TEXT(collation="C"), "postgresql")


class Exact(TypeDecorator[Decimal]):
    """A decimal without loss. Its text is canonical, so equal numbers are equal text."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(Numeric(38, 18, asdecimal=True))
        return dialect.type_descriptor(String())

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:  # noqa: ARG002  SQLAlchemy's signature
        return None if value is None else decimal_text(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:  # noqa: ARG002  as above
        return None if value is None else Decimal(value)


class Utc(TypeDecorator[datetime]):
    """A time in UTC to the microsecond. Its text sorts as the time does."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(TIMESTAMP(timezone=True))
        return dialect.type_descriptor(String(TEXT_LENGTH))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None or dialect.name == "postgresql":
            return value
        return time_text(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002  as above
        return parse_time(value) if isinstance(value, str) else value
