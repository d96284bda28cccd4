"""Column types that hold the same and compare the same on SQLite and PostgreSQL."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Integer, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator

from service.limits import Rate

NUMBER = BigInteger().with_variant(Integer(), "sqlite")
"""A rising number; SQLite counts up only what is called INTEGER."""


class UtcDateTime(TypeDecorator[datetime]):
    """Aware instants in UTC. A naive one is a defect and is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a naive datetime is no instant: {value!r}")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Id(TypeDecorator[str]):
    """Text that is compared byte by byte, so that pages in order of id are the same everywhere."""

    impl = String().with_variant(String(collation="C"), "postgresql")
    cache_ok = True


class Figure(TypeDecorator[Rate]):
    """A rate, as it is written: `5000/h`."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: Rate | None, dialect: Dialect) -> str | None:
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Rate | None:
        return None if value is None else Rate.parse(value)


class Json(TypeDecorator[Any]):
    """A JSON value, as given."""

    impl = JSON().with_variant(JSONB(), "postgresql")
    cache_ok = True
