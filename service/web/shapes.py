"""The JSON shapes that several resources share."""

from typing import Annotated, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, ValidationInfo, field_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

T = TypeVar("T")
Name = Annotated[str, Field(min_length=1, max_length=100)]
Scope = Annotated[str, Field(min_length=1, max_length=128)]
Scopes = Annotated[list[Scope], Field(max_length=128)]
OwnRate = Annotated[
    str,
    Field(
        pattern=r"^(unlimited|[1-9][0-9]{0,8}/[smhd])$",
        description="So many in one s, m, h or d, or unlimited, in place of each policy's own figure; null for that.",
        examples=["5000/h"],
    ),
]
LongText = Annotated[str, Field(min_length=1, max_length=1_024)]


class _NullUnseen:
    """Keeps the null out of the OpenAPI document that stands for what was left out."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        shown = handler(schema)
        kept = [one for one in shown.pop("anyOf", ()) if one != {"type": "null"}]
        return {**shown, **kept[0]} if kept else shown


LeftOut = Annotated[T | None, _NullUnseen()]
"""A member of a `Change` that may be left out and is never null."""


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
