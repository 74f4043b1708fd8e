"""Exceptions, one for each kind of status."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Reason:
    """Why something was refused, and what to do about it."""

    code: str
    message: str
    remedy: str
    database: str | None = None
    table: str | None = None
    column: str | None = None


class ThinveilError(Exception):
    """What every call may raise. Tells where, never a value."""

    def __init__(self, message: str, code: int, place: dict[str, Any]) -> None:
        super().__init__(message)
        self.code = code
        """The status, a `TV_ERROR_…` of thinveil.h."""
        self.relation: str | None = place.get("relation") or None
        self.block: int | None = place.get("block")
        self.line_pointer: int | None = place.get("line_pointer")
        self.column: str | None = place.get("column")


class ArgumentError(ThinveilError, ValueError):
    """An argument makes no sense; the message says what would."""


class RefusedError(ThinveilError):
    """Policy, plan or audit refused: `reasons` lists every reason."""

    reasons: list[Reason]


class NotFoundError(ThinveilError, LookupError):
    """Nothing has that name."""


class BusyError(ThinveilError):
    """Something else holds what is needed."""


class CancelledError(ThinveilError):
    """The work was cancelled, and undid what it had done."""


class DataError(ThinveilError):
    """The data is damaged, or a mask can't take a value."""


class CustomMaskError(DataError):
    """A custom mask failed, or its output does not fit exactly."""


class EnvironmentFailure(ThinveilError, OSError):
    """The operating system, or a PostgreSQL server, did not do its part."""


class InternalError(ThinveilError):
    """A defect of thinveil."""


_BY_CODE: dict[int, type[ThinveilError]] = {
    200: RefusedError,
    201: NotFoundError,
    202: BusyError,
    203: CancelledError,
    305: CustomMaskError,
}
_BY_KIND: dict[int, type[ThinveilError]] = {
    1: ArgumentError,
    3: DataError,
    4: EnvironmentFailure,
    9: InternalError,
}


def from_record(record: dict[str, Any]) -> ThinveilError:
    """The exception for an `error` of docs/json."""
    code = int(record["code"])
    kind = _BY_CODE.get(code) or _BY_KIND.get(code // 100, ThinveilError)
    error = kind(record["message"], code, record["place"])
    if isinstance(error, RefusedError):
        known = Reason.__dataclass_fields__
        error.reasons = [
            Reason(**{name: value for name, value in reason.items() if name in known})
            for reason in record["refused"]
        ]
    return error
