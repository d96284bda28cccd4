"""The JSON shapes that several resources share."""

from typing import Annotated, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

T = TypeVar("T")
Name = Annotated[str, Field(min_length=1, max_length=100)]
Scope = Annotated[str, Field(min_length=1, max_length=128)]
Scopes = Annotated[list[Scope], Field(max_length=128)]
LongText = Annotated[str, Field(min_length=1, max_length=1_024)]


class Asked(BaseModel):
    """A request body: exact types, no unknown member."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Change(Asked):
    """A partial change (PATCH): what is left out stays as it is. Null is no value but for `CLEARABLE`."""

    CLEARABLE: ClassVar[frozenset[str]] = frozenset()

    @field_validator("*", mode="before")
    @classmethod
    def _is_given(cls, value: object, info: ValidationInfo) -> object:
        if value is None and info.field_name not in cls.CLEARABLE:
            raise PydanticCustomError("null_refused", "Leave it out to keep it as it is; null is not a value.")
        return value


class Shown(BaseModel):
    """An answer."""

    model_config = ConfigDict(frozen=True)


class Page(Shown, Generic[T]):
    """One page of a list; `next` is the opaque cursor of the following one, absent on the last."""

    items: list[T]
    next: str | None = None
