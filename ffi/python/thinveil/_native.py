"""The C ABI: the header read by cffi, the library opened, statuses turned into exceptions."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from types import TracebackType
from typing import Any, Self

from cffi import FFI

from .errors import from_record

ABI_VERSION = 1

# cffi hands out objects that no type describes.
CData = Any


def _declarations() -> str:
    """The header without its preprocessor's lines, but for plain numbers."""
    text = files("thinveil").joinpath("thinveil.h").read_text("utf-8")
    text = re.sub(r"#ifdef __cplusplus.*?#endif[^\n]*", "", text, flags=re.S)
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    lines = text.replace("\\\n", " ").splitlines()
    number = re.compile(r"#define \w+ \d+\s*$")
    return "\n".join(line for line in lines if not line.startswith("#") or number.match(line))


ffi: Any = FFI()
ffi.cdef(_declarations())
lib: Any = ffi.dlopen(str(files("thinveil").joinpath("libthinveil.so")))

if lib.tv_abi_version() < ABI_VERSION:
    raise ImportError(f"libthinveil has ABI {lib.tv_abi_version()}, this package wants {ABI_VERSION}")


def check(status: int) -> None:
    """Raises what a status says."""
    if status != lib.TV_OK:
        raise from_record(json.loads(ffi.string(lib.tv_last_error_json())))


def text(value: str | None) -> CData:
    """A C string, or NULL; it lives as long as the object returned."""
    return ffi.NULL if value is None else ffi.new("char[]", value.encode())


def take_text(call: Any, *arguments: CData) -> str:
    """Makes a call whose last argument is a text that it hands out."""
    out = ffi.new("char **")
    check(call(*arguments, out))
    try:
        return bytes(ffi.string(out[0])).decode()
    finally:
        lib.tv_string_free(out[0])


def take_json(call: Any, *arguments: CData) -> Any:
    """The same for a record."""
    return json.loads(take_text(call, *arguments))


class Handle:
    """The owner of one handle: closes it once, at `close`, at the end of a `with`, or when nobody
    refers to it any more."""

    _close: str

    def __init__(self, pointer: CData) -> None:
        self._pointer: CData | None = pointer

    @classmethod
    def _make(cls, kind: str, call: Any, *arguments: CData) -> CData:
        out = ffi.new(f"{kind} **")
        check(call(*arguments, out))
        return out[0]

    @property
    def _handle(self) -> CData:
        if self._pointer is None:
            raise ValueError(f"this {type(self).__name__} is closed")
        return self._pointer

    def close(self) -> None:
        """Closes it; closing twice does nothing."""
        pointer, self._pointer = getattr(self, "_pointer", None), None
        if pointer is not None:
            check(getattr(lib, self._close)(pointer))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        try:
            self.close()
        except Exception:
            # The interpreter is going down.
            pass
