"""Keys, rules, and the mask engine."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from ._native import CData, Handle, check, ffi, lib, take_text, text


class Key(Handle):
    """A masking key. It is held by the library alone, which zeroes it when the key is closed."""

    _close = "tv_key_close"

    def __init__(self, secret: bytes) -> None:
        """A key of 32 bytes. Python keeps your copy of them."""
        buffer = ffi.from_buffer("uint8_t[]", secret)
        super().__init__(self._make("tv_key", lib.tv_key_from_bytes, buffer, len(secret)))

    @classmethod
    def from_hex(cls, digits: str) -> Key:
        """A key as `thinveil key new` prints it."""
        return cls(bytes.fromhex(digits.strip()))

    @classmethod
    def generate(cls) -> Key:
        """A key that is drawn, and gone when it is closed."""
        key = cls.__new__(cls)
        Handle.__init__(key, cls._make("tv_key", lib.tv_key_generate))
        return key

    @property
    def id(self) -> str:
        """What manifests call it: tells keys apart, reveals nothing."""
        return take_text(lib.tv_key_id, self._handle)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key can't be sent anywhere: see thinveil.workers.KeyFile")

    def __repr__(self) -> str:
        return "Key(closed)" if self._pointer is None else f"Key(id {self.id})"


class Rules(Handle):
    """A rule set, from a rule file's text. Raises RefusedError with every mistake in it.

    It can be pickled, and then is its text.
    """

    _close = "tv_rules_close"

    def __init__(self, toml: str) -> None:
        super().__init__(self._make("tv_rules", lib.tv_rules_parse, text(toml)))
        self._toml = toml

    def __reduce__(self) -> tuple[type[Rules], tuple[str]]:
        return Rules, (self._toml,)

    @classmethod
    def for_columns(
        cls, columns: Mapping[str, str | Mapping[str, Any]], *, unlisted: str = "deny"
    ) -> Rules:
        """Rules of one table: `{"email": "email", "born": {"mask": "date_shift", "days": 30}}`."""
        lines = ["version = 1", f"unlisted = {_toml(unlisted)}", '[databases.memory.tables."data.frame"]']
        lines += [f"{_toml(name)} = {_toml(rule)}" for name, rule in columns.items()]
        return cls("\n".join(lines) + "\n")


def _toml(value: object) -> str:
    """A value in TOML: a JSON string is a basic string there."""
    if isinstance(value, Mapping):
        pairs = (f"{_toml(str(name))} = {_toml(item)}" for name, item in value.items())
        return "{ " + ", ".join(pairs) + " }"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


# What custom masks call: a stream may use them after the Mask is closed.
_CALLBACKS: dict[int, CData] = {}
_NUMBERS = itertools.count(1)


def _drop(context: CData) -> None:
    _CALLBACKS.pop(int(ffi.cast("uintptr_t", context)), None)


_forget: CData = ffi.callback("void(void *)", _drop)


MaskFunction = Callable[[bytes], bytes]


class Mask(Handle):
    """A mask on one type: values in their stored form in, values of the same length out."""

    _close = "tv_mask_close"

    def __init__(
        self,
        mask: str,
        key: Key,
        *,
        type: str = "text",
        domain: str | None = None,
        options: Mapping[str, Any] | None = None,
        labels: list[tuple[int, str]] | None = None,
    ) -> None:
        spec: dict[str, Any] = {"mask": mask, "type": type, "options": dict(options or {})}
        if domain is not None:
            spec["domain"] = domain
        if labels is not None:
            spec["labels"] = labels
        spec_text = text(json.dumps(spec))
        super().__init__(self._make("tv_mask", lib.tv_mask_compile, spec_text, key._handle))

    @classmethod
    def custom(cls, function: MaskFunction, *, type: str = "text") -> Mask:
        """A mask of your own. Every output is checked: the value's length and number of characters,
        valid for the type. Equal values must give equal outputs."""

        def call(_context: CData, value: CData, length: int, out: CData, written: CData) -> int:
            try:
                masked = function(bytes(ffi.buffer(value, length)))
                written[0] = len(masked)
                if len(masked) == length:
                    ffi.memmove(out, masked, length)
                return 0
            except Exception:
                # Not told on: the exception may quote the value.
                return 1

        kind = "int(void *, const uint8_t *, size_t, uint8_t *, size_t *)"
        callback = ffi.callback(kind, call, error=1)
        mask = cls.__new__(cls)
        number = next(_NUMBERS)
        context = ffi.cast("void *", number)
        _CALLBACKS[number] = callback
        try:
            arguments = (text(type), callback, context, _forget)
            Handle.__init__(mask, cls._make("tv_mask", lib.tv_mask_custom, *arguments))
        except BaseException:
            del _CALLBACKS[number]
            raise
        return mask

    def apply(self, value: bytes) -> bytes:
        """Masks one value: its bytes as PostgreSQL stores them, without a varlena header."""
        out = ffi.new("uint8_t[]", len(value))
        check(lib.tv_mask_apply(self._handle, ffi.from_buffer(value), len(value), out))
        return bytes(ffi.buffer(out))

    def apply_text(self, value: str) -> str:
        """Masks one text."""
        return self.apply(value.encode()).decode()
