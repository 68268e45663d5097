"""Background thread that carries a spool's operations to the store, however long that takes."""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from ssmpe.tracking.connection import reason_of
from ssmpe.tracking.operations import Kind, Operation
from ssmpe.tracking.runs import Points, Store
from ssmpe.tracking.spool import Spool

logger = logging.getLogger(__name__)

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 15.0
"""Seconds between attempts while the store is away: doubled from the first to the longest"""


class Delivery(threading.Thread):
    """A thread that delivers a spool in order; started at once, ended by ``stop``.

    Whatever fails is tried again from the block's beginning, since everything the store is told
    may be repeated. Only what the store rejects as invalid is left out, with a warning, because
    it would hold up all that follows.

    Attributes:
        store_in_use: to be held by whoever else uses the store.
    """

    def __init__(self, spool: Spool, store: Store) -> None:
        super().__init__(name="tracking delivery", daemon=True)
        self.store_in_use = threading.Lock()
        self._spool = spool
        self._store = store
        self._changed = threading.Condition()
        self._stopping = False
        self._failures = 0
        self.start()

    def notify(self) -> None:
        """Tell that something was appended to the spool."""
        with self._changed:
            self._changed.notify_all()

    def wait(self, timeout: float) -> bool:
        """Wait until the store has everything; False after ``timeout`` seconds without progress."""
        with self._changed:
            while not self._arrived():
                if not self._changed.wait_for(self._moves(), timeout):
                    return False
        return True

    def _moves(self) -> Callable[[], bool]:
        before = self._spool.delivered
        return lambda: self._spool.delivered != before or self._arrived()

    def stop(self, timeout: float) -> bool:
        """End it after what it is doing; False if that takes longer than ``timeout`` seconds."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self.join(timeout)
        return not self.is_alive()

    def run(self) -> None:
        """Deliver until stopped, then close the spool."""
        while not self._stopping:
            with self._changed:
                self._changed.wait_for(lambda: self._stopping or not self._arrived())
            if not self._stopping:
                self._attempt()
        self._spool.close()

    def _arrived(self) -> bool:
        return self._spool.delivered == self._spool.end

    def _attempt(self) -> None:
        try:
            block = self._spool.pending()
            with self.store_in_use, self._store.doubted_on_error():
                self._enter()
                deliver(block.operations, self._store, self._spool)
        except Exception as error:  # whatever it is, it must not take the sweep down
            self._pause(error)
            return
        if self._failures:
            logger.warning("the tracking store answers again")
            self._failures = 0
        with self._changed:
            self._spool.mark(block.end)
            self._changed.notify_all()

    def _enter(self) -> None:
        first = self._spool.first()
        if first is not None:
            self._store.enter(first.content["experiment"], first.content["sweep"])

    def _pause(self, error: Exception) -> None:
        if self._failures == 0:
            logger.warning(
                "the tracking store is away (%s); reports wait in %s",
                reason_of(error),
                self._spool.folder,
            )
            logger.debug("the failure in full", exc_info=error)
        pause = min(FIRST_PAUSE * 2**self._failures, LONGEST_PAUSE)
        self._failures = min(self._failures + 1, 30)
        with self._changed:
            self._changed.wait_for(lambda: self._stopping, pause)


def deliver(operations: Iterable[Operation], store: Store, spool: Spool) -> None:
    """Carry out operations, the reports of a trial together where nothing lies between them."""
    reports: dict[str | None, list[Operation]] = {}
    for operation in operations:
        if operation.kind is Kind.LOG:
            reports.setdefault(operation.trial, []).append(operation)
        else:
            _log(reports.pop(operation.trial, []), store)
            with _rejection_told(operation):
                _carry_out(operation, store, spool)
    for trial in reports:
        _log(reports[trial], store)


def _log(reports: list[Operation], store: Store) -> None:
    """Write reports of one trial at once, or one by one if the store rejects some of it."""
    from mlflow.exceptions import MlflowException

    if not reports:
        return
    trial = reports[0].trial
    points = [Points(o.content["step"], o.time, o.content["metrics"]) for o in reports]
    try:
        store.log(trial, points)
    except MlflowException as error:
        if not _is_rejection(error):
            raise
        for operation, point in zip(reports, points, strict=True):
            with _rejection_told(operation):
                store.log(trial, [point])


def _carry_out(operation: Operation, store: Store, spool: Spool) -> None:
    trial, time, content = operation.trial, operation.time, operation.content
    match operation.kind:
        case Kind.START_SWEEP | Kind.START_TRIAL:
            store.start(trial, time, content["name"], content["tags"], content["params"])
        case Kind.VIEW:
            store.tag_experiment(content["key"], content["value"])
        case Kind.SETS:
            store.add_sets(trial, time, content["sets"])
        case Kind.END_SWEEP | Kind.END_TRIAL:
            store.end(trial, time, content["status"], content["tags"])
        case Kind.FILE:
            path = spool.folder / content["kept"]
            if path.exists():  # else it has been delivered before
                store.add_file(trial, time, str(path), content["folder"])
                spool.drop(content["kept"])


@contextmanager
def _rejection_told(operation: Operation) -> Iterator[None]:
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if not _is_rejection(error):
            raise
        logger.warning("the tracking store rejects a %s: %s", operation.kind, reason_of(error))


def _is_rejection(error: Exception) -> bool:
    return getattr(error, "error_code", None) == "INVALID_PARAMETER_VALUE"
