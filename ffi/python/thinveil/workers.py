"""What tables on many workers have in common: where they get the key, and how one of them masks its
part. `thinveil.spark` and `thinveil.ray` are over this.

A key never travels. What is sent to workers, and so is in plans, logs and user interfaces, says where
each of them finds it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .frames import Columns, mask
from .masks import Key, Mask, Rules

if TYPE_CHECKING:
    import pyarrow

# Called on a worker. It is sent there: a function of a module, or an object that can be pickled.
KeySource = Callable[[], Key]


@dataclass(frozen=True)
class KeyFile:
    """A file that every worker has, as `thinveil key new --file` writes it: a mounted secret, say."""

    path: str

    def __call__(self) -> Key:
        with open(self.path, encoding="ascii") as file:
            return Key.from_hex(file.read())


def rules_to_send(rules: Rules | Columns) -> Rules:
    """The rules as an object that can be sent to workers."""
    if isinstance(rules, Rules):
        return rules
    columns = {}
    for column, rule in rules.items():
        if isinstance(rule, Mask):
            raise TypeError(f"{column}: a mask of your own can't be sent to workers")
        columns[column] = rule
    return Rules.for_columns(columns)


def check(schema: pyarrow.Schema, rules: Rules, name: tuple[str, str] | None) -> None:
    """Raises RefusedError where the rules don't fit: here, before any worker begins."""
    with Key.generate() as key:
        mask(schema.empty_table(), rules, key, name=name)


def masked_batches(
    batches: Iterator[pyarrow.RecordBatch],
    rules: Rules,
    key: KeySource,
    name: tuple[str, str] | None,
) -> Iterator[pyarrow.RecordBatch]:
    """Masks one part of a table."""
    import pyarrow

    first = next(batches, None)
    if first is None:
        return
    reader = pyarrow.RecordBatchReader.from_batches(first.schema, itertools.chain([first], batches))
    with key() as opened:
        yield from mask(reader, rules, opened, name=name)
