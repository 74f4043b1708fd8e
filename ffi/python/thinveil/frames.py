"""Masks for data frames, through the Arrow PyCapsule interface."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any, TypeVar, cast

from ._native import CData, Handle, check, ffi, lib, text
from .masks import Key, Mask, Rules

T = TypeVar("T")
Columns = Mapping[str, "str | Mapping[str, Any] | Mask"]

_STREAM = b"arrow_array_stream"
# A capsule that is going away must not be counted again: it goes by its address.
_Destructor = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)
_pointer_of_dying = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)
_get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_get_pointer.restype = ctypes.c_void_p
_get_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
_new_capsule = ctypes.pythonapi.PyCapsule_New
_new_capsule.restype = ctypes.py_object
_new_capsule.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]


class _Table(Handle):
    _close = "tv_table_close"


class MaskedStream:
    """A masked Arrow stream, for whoever takes the PyCapsule interface; it can be read once."""

    def __init__(self, table: _Table, source: Any) -> None:
        capsule = source.__arrow_c_stream__()
        pointer = ffi.cast("struct ArrowArrayStream *", _get_pointer(capsule, _STREAM))
        stream = ffi.new("struct ArrowArrayStream *")
        check(lib.tv_table_mask_stream(table._handle, pointer, stream))
        self._stream: CData | None = ffi.gc(stream, _release)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        stream, self._stream = self._stream, None
        if stream is None:
            raise ValueError("this stream was read before")
        address = int(ffi.cast("uintptr_t", stream))
        _CAPSULES[address] = stream
        return _new_capsule(address, _STREAM, ctypes.cast(_drop_capsule, ctypes.c_void_p))


# The memory of streams that capsules point to.
_CAPSULES: dict[int, object] = {}


def _release(stream: CData) -> None:
    if stream.release != ffi.NULL:
        stream.release(stream)


def _drop(capsule: int) -> None:
    _CAPSULES.pop(_pointer_of_dying(capsule, _STREAM), None)


_drop_capsule = _Destructor(_drop)


def mask(table: T, rules: Rules | Columns, key: Key, *, name: tuple[str, str] | None = None) -> T:
    """Masks a table's columns: gives the same kind of table, with the values that the page rewriter
    would have written.

    `table` is a pyarrow Table or RecordBatchReader, a pandas or polars DataFrame, a DuckDB relation
    (the result is one too), or anything else with `__arrow_c_stream__` (the result is a
    MaskedStream). `rules` maps columns to masks, as a line of a rule file does, or to a Mask of your
    own; or it is a Rules object, and `name` the database and table whose rules count. A column that
    no rule names raises RefusedError, unless the rules say otherwise: `"keep"` keeps it.
    """
    own: dict[str, Mask] = {}
    if not isinstance(rules, Rules):
        own = {column: rule for column, rule in rules.items() if isinstance(rule, Mask)}
        # Its place is taken below.
        rules = Rules.for_columns(
            {
                column: "keep" if isinstance(rule, Mask) else rule
                for column, rule in rules.items()
            }
        )
    database, table_name = name or (None, None)
    arguments = (rules._handle, text(database), text(table_name), key._handle)
    compiled = _Table(_Table._make("tv_table", lib.tv_table_compile, *arguments))
    try:
        for column, one in own.items():
            check(lib.tv_table_set(compiled._handle, text(column), one._handle))
        return cast(T, _as(table, compiled))
    finally:
        compiled.close()


def _as(table: Any, compiled: _Table) -> Any:
    """The masked table, as what it was."""
    library = type(table).__module__.partition(".")[0]
    kind = type(table).__name__
    if library in ("duckdb", "_duckdb"):
        import duckdb

        return duckdb.from_arrow(_as(table.to_arrow_table(), compiled))
    if library == "pandas":
        import pyarrow

        arrow = pyarrow.Table.from_pandas(table)
        # The index's columns are columns of the table: they need rules as all others do.
        return _as(arrow, compiled).to_pandas()
    stream = MaskedStream(compiled, table)
    if library == "polars":
        import polars

        return polars.DataFrame(stream)
    if library == "pyarrow":
        import pyarrow

        reader = pyarrow.RecordBatchReader.from_stream(stream)
        if kind == "RecordBatchReader":
            return reader
        read = reader.read_all()
        return read.to_batches()[0] if kind == "RecordBatch" and read.num_rows else read
    return stream
