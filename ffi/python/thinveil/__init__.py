"""Masked snapshots and thin clones of PostgreSQL data directories, and the same masks on data
frames. Over the C ABI of thinveil (libthinveil)."""

from ._native import ffi as _ffi
from ._native import lib as _lib
from .errors import (
    ArgumentError,
    BusyError,
    CancelledError,
    CustomMaskError,
    DataError,
    EnvironmentFailure,
    InternalError,
    NotFoundError,
    Reason,
    RefusedError,
    ThinveilError,
)
from .frames import MaskedStream, mask
from .masks import Key, Mask, Rules
from .pools import Clone, Pool, ProgressEvent, Snapshot
from .segments import Plan

__version__: str = bytes(_ffi.string(_lib.tv_version())).decode()

__all__ = [
    "ArgumentError",
    "BusyError",
    "CancelledError",
    "Clone",
    "CustomMaskError",
    "DataError",
    "EnvironmentFailure",
    "InternalError",
    "Key",
    "Mask",
    "MaskedStream",
    "NotFoundError",
    "Plan",
    "Pool",
    "ProgressEvent",
    "Reason",
    "RefusedError",
    "Rules",
    "Snapshot",
    "ThinveilError",
    "mask",
]
