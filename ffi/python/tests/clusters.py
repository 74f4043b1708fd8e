"""Clusters made for a test."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

# Runs statements in a database.
Sql = Callable[[str, str], None]


def make_cluster(home: Path, fill: Callable[[Sql], None]) -> Path:
    """A stopped cluster in a new directory, with what `fill` puts there: its data directory."""
    home.mkdir(mode=0o700)
    if os.geteuid() == 0:
        shutil.chown(home, "postgres", "postgres")
    data, bin = home / "data", _programs()

    def run(*command: str | Path) -> None:
        words = [str(word) for word in command]
        if os.geteuid() == 0:
            words = ["runuser", "-u", "postgres", "--", *words]
        subprocess.run(words, check=True, cwd="/", stdout=subprocess.DEVNULL)

    def sql(database: str, text: str) -> None:
        run(bin / "psql", "-q", "-h", home, "-U", "postgres", "-d", database, "-c", text)

    run(bin / "initdb", "--no-sync", "-A", "trust", "-U", "postgres", "-E", "UTF8", "-D", data)
    options = f"-c listen_addresses='' -k {home}"
    run(bin / "pg_ctl", "-w", "-s", "-D", data, "-l", home / "log", "-o", options, "start")
    try:
        fill(sql)
    finally:
        run(bin / "pg_ctl", "-w", "-s", "-D", data, "-m", "fast", "stop")
    return data


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.fail("no PostgreSQL server: run tools/install-prerequisites", pytrace=False)
    return found[-1].parent
