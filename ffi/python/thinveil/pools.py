"""Pools, snapshots and clones."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from ._native import CData, Handle, check, ffi, lib, take_json, take_text, text
from .masks import Key, Rules


@dataclass(frozen=True)
class ProgressEvent:
    """What a progress callable is told."""

    event: str
    """`begin`, `update` or `end`."""
    stage: str
    """`stage`, `plan`, `rewrite`, `finish`, `audit` or `seal`."""
    done: int
    total: int
    seconds: float


Progress = Callable[[ProgressEvent], object]
_EVENTS = ("begin", "update", "end")


class _Work:
    """A long call on a thread of its own, so that this one can be interrupted."""

    def __init__(self, progress: Progress | None) -> None:
        out = ffi.new("tv_cancel **")
        check(lib.tv_cancel_new(out))
        self.cancel = out[0]
        self._progress = progress
        self._raised: BaseException | None = None
        self.callback = ffi.NULL
        if progress is not None:
            kind = "int(void *, const tv_progress *)"
            self.callback = ffi.callback(kind, self._tell, error=1)

    def _tell(self, _context: CData, event: CData) -> int:
        assert self._progress is not None
        try:
            stage = bytes(ffi.string(event.stage)).decode()
            kind = _EVENTS[event.event]
            self._progress(ProgressEvent(kind, stage, event.done, event.total, event.seconds))
            return 0
        except BaseException as error:
            self._raised = error
            return 1

    def run(self, call: Callable[[], Any]) -> Any:
        """Waits for the call. KeyboardInterrupt, and what `progress` raises, stop it, wait until it
        has undone what it did, and are raised."""
        result: list[Any] = []
        failure: list[BaseException] = []
        done = threading.Event()

        def work() -> None:
            try:
                result.append(call())
            except BaseException as error:
                failure.append(error)
            finally:
                lib.tv_cancel_close(self.cancel)
                done.set()

        threading.Thread(target=work, name="thinveil").start()
        # Not Thread.join: interrupted, it takes a running thread for one that has ended.
        try:
            while not done.wait(0.05):
                pass
        except BaseException:
            lib.tv_cancel_now(self.cancel)
            done.wait()
            raise
        if self._raised is not None:
            raise self._raised
        if failure:
            raise failure[0]
        return result[0]


class Pool(Handle):
    """A directory that thinveil owns: snapshots, clones, staging.

    with Pool.open("/srv/pool") as pool:
        snapshot = Snapshot.create(pool, source, rules, key)
    """

    _close = "tv_pool_close"

    @classmethod
    def open(cls, directory: str | os.PathLike[str]) -> Pool:
        """Opens a pool, and puts right what crashes left."""
        return cls(cls._make("tv_pool", lib.tv_pool_open, text(os.fspath(directory))))

    @classmethod
    def init(cls, directory: str | os.PathLike[str], driver: str = "auto") -> Pool:
        """Makes a pool of an empty or missing directory."""
        name = text(os.fspath(directory))
        return cls(cls._make("tv_pool", lib.tv_pool_init, name, text(driver)))

    def status(self) -> dict[str, Any]:
        """What is in it: `pool_status` of docs/json."""
        record: dict[str, Any] = take_json(lib.tv_pool_status, self._handle)
        return record

    def recover(self) -> dict[str, Any]:
        """Puts right what crashes left since, and says what it was."""
        record: dict[str, Any] = take_json(lib.tv_pool_recover, self._handle)
        return record

    def snapshots(self) -> list[Snapshot]:
        """Every snapshot, oldest first."""
        records = take_json(lib.tv_snapshot_list, self._handle)
        return [Snapshot(self, record) for record in records]

    def snapshot(self, name: str) -> Snapshot:
        """The snapshot of an id or a name."""
        return Snapshot(self, take_json(lib.tv_snapshot_show, self._handle, text(name)))

    def clones(self) -> list[Clone]:
        """Every clone."""
        return [Clone(self, record) for record in take_json(lib.tv_clone_list, self._handle)]

    def clone(self, name: str) -> Clone:
        """The clone of an id or a name."""
        return Clone(self, take_json(lib.tv_clone_show, self._handle, text(name)))

    def check(self, source: str, rules: Rules) -> dict[str, Any]:
        """Checks rules against a source, and changes nothing. Raises RefusedError with every
        problem."""
        record: dict[str, Any] = self._plan(take_json, lib.tv_rules_check, source, rules._handle)
        return record

    def suggest(self, source: str) -> str:
        """A rule file for a source, guessed: every line of it wants reading."""
        toml: str = self._plan(take_text, lib.tv_rules_suggest, source)
        return toml

    def _plan_of(self, source: str, rules: Rules) -> str:
        plan: str = self._plan(take_text, lib.tv_plan_make, source, rules._handle)
        return plan

    def _plan(self, take: Callable[..., Any], call: Any, source: str, *rules: CData) -> Any:
        """A call that stages a source and throws it away; it can be interrupted."""
        work, options = _Work(None), ffi.new("tv_snapshot_options *")
        options.size, options.cancel = ffi.sizeof("tv_snapshot_options"), work.cancel
        arguments = (self._handle, text(source), *rules, options)
        return work.run(lambda: take(call, *arguments))


class Snapshot:
    """A sealed, masked snapshot. `record` is a `snapshot` of docs/json."""

    def __init__(self, pool: Pool, record: dict[str, Any]) -> None:
        self.pool = pool
        self.record = record

    def __repr__(self) -> str:
        return f"Snapshot({self.name!r})"

    @property
    def id(self) -> str:
        return str(self.record["id"])

    @property
    def name(self) -> str:
        return str(self.record["name"])

    @classmethod
    def create(
        cls,
        pool: Pool,
        source: str | os.PathLike[str],
        rules: Rules,
        key: Key,
        *,
        name: str | None = None,
        threads: int = 0,
        os_user: str | None = None,
        pg_bin: str | os.PathLike[str] | None = None,
        progress: Progress | None = None,
    ) -> Snapshot:
        """Makes a snapshot of a source (a data directory or a connection string).

        The GIL is not held meanwhile. `progress` is called from another thread. KeyboardInterrupt,
        and whatever `progress` raises, stop the work; it undoes what it did before they go on.
        """
        work, options = _Work(progress), ffi.new("tv_snapshot_options *")
        kept = (text(name), text(os_user), text(None if pg_bin is None else os.fspath(pg_bin)))
        options.size = ffi.sizeof("tv_snapshot_options")
        options.name, options.os_user, options.pg_bin = kept
        options.threads, options.cancel, options.progress = threads, work.cancel, work.callback
        source = os.fspath(source)
        arguments = (pool._handle, text(source), rules._handle, key._handle, options)
        return cls(pool, work.run(lambda: take_json(lib.tv_snapshot_create, *arguments)))

    def audit(self) -> dict[str, Any]:
        """What the leak audit searched for and found."""
        record: dict[str, Any] = take_json(
            lib.tv_snapshot_audit, self.pool._handle, text(self.id)
        )
        return record

    def destroy(self) -> None:
        """Removes it. BusyError names its clones, if there are any."""
        check(lib.tv_snapshot_destroy(self.pool._handle, text(self.id)))

    def clone(
        self,
        name: str | None = None,
        *,
        ports: tuple[int, int] | int | None = None,
        user: str | None = None,
        password: str | None = None,
        database: str | None = None,
        pg_bin: str | os.PathLike[str] | None = None,
    ) -> Clone:
        """Makes a clone and starts its server. Used with `with`, it is destroyed at the end."""
        work, options = _Work(None), ffi.new("tv_clone_options *")
        first, last = (ports, ports) if isinstance(ports, int) else ports or (0, 0)
        kept = [text(it) for it in (name, user, password, database)]
        program = text(None if pg_bin is None else os.fspath(pg_bin))
        options.size = ffi.sizeof("tv_clone_options")
        options.name, options.user, options.password, options.database = kept
        options.first_port, options.last_port = first, last
        options.pg_bin, options.cancel = program, work.cancel
        arguments = (self.pool._handle, text(self.id), options)
        record = work.run(lambda: take_json(lib.tv_clone_create, *arguments))
        return Clone(self.pool, record, password)


class Clone:
    """A writable thin copy of a snapshot, with a server of its own. `record` is a `clone` of
    docs/json, without the password."""

    def __init__(self, pool: Pool, record: dict[str, Any], password: str | None = None) -> None:
        self.pool = pool
        self.password: str | None = record.pop("password", None) or password
        """Known to whoever made the clone or set it; stored nowhere."""
        self.record = record

    def __repr__(self) -> str:
        return f"Clone({self.name!r}, {self.record['dsn']!r})"

    @property
    def id(self) -> str:
        return str(self.record["id"])

    @property
    def name(self) -> str:
        return str(self.record["name"])

    @property
    def is_running(self) -> bool:
        """As of the last call."""
        return bool(self.record["state"] == "running")

    @property
    def dsn(self) -> str:
        """For psycopg, and any other client of libpq: with the password, if it is known."""
        return self._url("postgresql")

    @property
    def sqlalchemy_url(self) -> str:
        """For SQLAlchemy over psycopg."""
        return self._url("postgresql+psycopg")

    def _url(self, scheme: str) -> str:
        record = self.record
        login = quote(record["user"], safe="")
        if self.password is not None:
            login += ":" + quote(self.password, safe="")
        database = quote(record["database"], safe="")
        return f"{scheme}://{login}@{record['host']}:{record['port']}/{database}"

    def start(self) -> None:
        """Starts it, if it does not run."""
        self.record = take_json(lib.tv_clone_start, self.pool._handle, text(self.id))

    def stop(self) -> None:
        """Stops it, if it runs."""
        self.record = take_json(lib.tv_clone_stop, self.pool._handle, text(self.id))

    def reset(self, password: str | None = None, *, to: Snapshot | None = None) -> None:
        """Throws away what was written to it, and sets a new password if one is given. With `to`,
        it is a clone of that snapshot from then on."""
        work = _Work(None)
        call = lib.tv_clone_reset if to is None else lib.tv_clone_reset_to
        which = [text(self.id)] if to is None else [text(self.id), text(to.id)]
        arguments = (self.pool._handle, *which, text(password), work.cancel)
        self.record = work.run(lambda: take_json(call, *arguments))
        self.password = password or self.password

    def snapshot(
        self,
        name: str | None = None,
        *,
        key: Key | None = None,
        progress: Progress | None = None,
    ) -> Snapshot:
        """Makes a snapshot of what it holds now: of fixtures, say, to be cloned for each test.

        Nothing is masked: its data were masked before. With the key that masked them, every
        original is searched for; RefusedError tells where one was found.
        """
        work, options = _Work(progress), ffi.new("tv_snapshot_options *")
        kept = text(name)
        options.size, options.name = ffi.sizeof("tv_snapshot_options"), kept
        options.cancel, options.progress = work.cancel, work.callback
        secret = ffi.NULL if key is None else key._handle
        arguments = (self.pool._handle, text(self.id), secret, options)
        return Snapshot(self.pool, work.run(lambda: take_json(lib.tv_snapshot_of_clone, *arguments)))

    def destroy(self) -> None:
        """Stops and removes it."""
        check(lib.tv_clone_destroy(self.pool._handle, text(self.id)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.destroy()
