"""Masks on Ray Data, through `Dataset.map_batches`, and clusters rewritten by Ray's workers.

    from thinveil import ray
    from thinveil.workers import KeyFile

    masked = ray.mask(dataset, {"id": "keep", "email": "email"}, KeyFile("/run/secrets/mask.key"))
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import frames
from .frames import Columns
from .masks import Rules
from .segments import Path, Plan, Report
from .workers import KeySource, check, rules_to_send

if TYPE_CHECKING:
    import pyarrow
    from ray.data import Dataset


def mask(
    dataset: Dataset,
    rules: Rules | Columns,
    key: KeySource,
    *,
    name: tuple[str, str] | None = None,
    **options: Any,
) -> Dataset:
    """A dataset with the same columns, masked where its blocks are: the values that `thinveil.mask`
    gives on one machine. Arguments are those of `thinveil.mask`, but for `key`, which is called
    where the key is needed; `options` go to `map_batches` (`batch_size`, `concurrency`, …).

    Rules that don't fit the columns raise RefusedError here.
    """
    import pyarrow

    sent = rules_to_send(rules)
    schema = dataset.schema()
    if schema is not None and isinstance(schema.base_schema, pyarrow.Schema):
        check(schema.base_schema, sent, name)

    def masked(batch: pyarrow.Table) -> pyarrow.Table:
        with key() as opened:
            return frames.mask(batch, sent, opened, name=name)

    return dataset.map_batches(masked, batch_format="pyarrow", **options)


def rewrite(plan: Plan, key: KeySource, raw: Path, masked: Path, **options: Any) -> Report:
    """Rewrites the tables of a stopped data directory, one task for each of its files, and then one
    for each table with values out of line: the files that one machine would write, below `masked`.
    All workers see both directories. A task whose worker dies is done again by another.

    `options` go to `ray.remote` (`num_cpus`, `max_retries`, …). What is left when the other files of
    `raw` lie beside the masked ones, `Plan.finish` does.
    """
    import ray

    def segment_task(segment: dict[str, Any]) -> dict[str, Any]:
        with key() as opened:
            return plan.rewrite_segment(opened, segment, raw, masked)

    def toast_task(segment: dict[str, Any], rewritten: list[dict[str, Any]]) -> Report:
        with key() as opened:
            maps = [one["toast_map"] for one in rewritten]
            return plan.rewrite_toast(opened, segment, maps, raw, masked)

    def remote(task: Callable[..., Any]) -> Any:
        return ray.remote(**options)(task) if options else ray.remote(task)

    of_segment, of_toast = remote(segment_task), remote(toast_task)
    tables: dict[str, list[tuple[dict[str, Any], Any]]] = {}
    for segment in plan.segments(raw):
        tables.setdefault(segment["table"], []).append((segment, of_segment.remote(segment)))
    total: Report = {}
    toast = []
    for files in tables.values():
        rewritten = ray.get([task for _, task in files])
        toast.append(of_toast.remote(files[0][0], rewritten))
        for one in rewritten:
            _add(total, one["report"])
    for report in ray.get(toast):
        _add(total, report)
    return total


def _add(total: Report, report: Report) -> None:
    for name, count in report.items():
        total[name] = total.get(name, 0) + count
