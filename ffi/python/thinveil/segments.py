"""Clusters rewritten file by file, on as many machines as see the files.

    plan = Plan.make(pool, source, rules)              # no key, no value: it may be sent anywhere
    for segment in plan.segments(raw):                 # each of these may be another machine's
        rewritten = plan.rewrite_segment(key, segment, raw, masked)

`raw` is the stopped data directory, in which nothing is written, and `masked` a directory for what
becomes of its files. `thinveil.ray.rewrite` does all of this on Ray.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

from ._native import lib, take_json, text
from .masks import Key, Rules
from .pools import Pool

Path = str | os.PathLike[str]
# `planned_segment`, `rewritten_segment` and `segment_report` of docs/json.
Segment = dict[str, Any]
Rewritten = dict[str, Any]
Report = dict[str, int]


class Plan:
    """What is to be done to a cluster. It can be pickled, and is a text in JSON then."""

    def __init__(self, json: str) -> None:
        self.json = json

    @classmethod
    def make(cls, pool: Pool, source: str, rules: Rules) -> Plan:
        """Plans what the rules say of a source, which is staged in the pool meanwhile. Raises
        RefusedError with every problem."""
        return cls(pool._plan_of(source, rules))

    def segments(self, raw: Path) -> list[Segment]:
        """The files of all planned tables. Raises RefusedError where a mask looks at more than one."""
        segments: list[Segment] = take_json(lib.tv_plan_segments, text(self.json), _text(raw))
        return segments

    def rewrite_segment(self, key: Key, segment: Segment, raw: Path, masked: Path) -> Rewritten:
        """Masks one file, and tells what it refers to out of line."""
        arguments = (text(self.json), key._handle, text(json.dumps(segment)))
        rewritten: Rewritten = take_json(
            lib.tv_segment_rewrite, *arguments, _text(raw), _text(masked)
        )
        return rewritten

    def rewrite_toast(
        self, key: Key, segment: Segment, toast_maps: Sequence[str], raw: Path, masked: Path
    ) -> Report:
        """Masks what the table of a file has out of line; `toast_maps` are those of all its files."""
        arguments = (text(self.json), key._handle, text(json.dumps(segment)))
        maps = text(json.dumps(list(toast_maps)))
        report: Report = take_json(
            lib.tv_toast_rewrite, *arguments, maps, _text(raw), _text(masked)
        )
        return report

    def finish(self, key: Key, raw: Path, masked: Path) -> Report:
        """Does what is left, when `masked` is a whole data directory."""
        report: Report = take_json(
            lib.tv_segments_finish, text(self.json), key._handle, _text(raw), _text(masked)
        )
        return report


def _text(path: Path) -> Any:
    return text(os.fspath(path))
