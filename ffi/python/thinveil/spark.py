"""Masks on Spark (4.0 or later), through `DataFrame.mapInArrow`.

    from thinveil import spark
    from thinveil.workers import KeyFile

    masked = spark.mask(frame, {"id": "keep", "email": "email"}, KeyFile("/run/secrets/mask.key"))
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame

from .frames import Columns
from .masks import Rules
from .workers import KeySource, check, masked_batches, rules_to_send

if TYPE_CHECKING:
    import pyarrow


def mask(
    frame: DataFrame,
    rules: Rules | Columns,
    key: KeySource,
    *,
    name: tuple[str, str] | None = None,
) -> DataFrame:
    """A frame with the same columns, masked where its parts are: the values that `thinveil.mask`
    gives on one machine. Arguments are those of `thinveil.mask`, but for `key`, which is called
    where the key is needed.

    Rules that don't fit the columns raise RefusedError here.
    """
    sent = rules_to_send(rules)
    check(frame.limit(0).toArrow().schema, sent, name)

    def masked(batches: Iterator[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
        return masked_batches(batches, sent, key, name)

    return frame.mapInArrow(masked, frame.schema)
