"""What the driver of a sweep tells MLflow, without ever waiting for it."""

import logging
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ssmpe.errors import OutOfSpaceError, UserError
from ssmpe.tracking import schema
from ssmpe.tracking.connection import check_server, connect_ahead, reason_of, store_errors
from ssmpe.tracking.delivery import Delivery
from ssmpe.tracking.inputs import UsedSet
from ssmpe.tracking.operations import Kind, Operation
from ssmpe.tracking.runs import Store, key_of
from ssmpe.tracking.spool import Spool
from ssmpe.tracking.sqlite import local_uri
from ssmpe.tracking.ui import view_url
from ssmpe.tracking.view import View, view_key

__all__ = ["Tracker", "check_server", "connect_ahead", "local_uri"]

logger = logging.getLogger(__name__)


class Tracker:
    """The runs of one sweep in an MLflow store: a parent, and a child per trial.

    Everything goes through a spool on disk, from which a thread delivers it in order. After
    ``start_sweep`` nothing that is reported waits for the store, and nothing raises but
    ``OutOfSpaceError``. Trials are named by their identity; a retried or resumed one continues its
    own run, and points which that run has already are dropped.

    Attributes:
        uri: MLflow tracking URI of the store.
        url: link to the sweep's runs in MLflow's interface, known after ``start_sweep``.
    """

    def __init__(self, uri: str, spool: Path) -> None:
        """Open the spool and begin to deliver what an earlier process left in it.

        Args:
            uri: MLflow tracking URI.
            spool: folder of this sweep's spool, best on a local disk; gone after ``close`` if
                everything has arrived.

        Raises:
            UserError: the spool cannot be written, or the sweep still runs elsewhere.
            OutOfSpaceError: the disk is full.
        """
        self.uri = uri
        self.url = ""
        self._store = Store(uri)
        self._spool = Spool(spool)
        self._delivery = Delivery(self._spool, self._store)
        self._full: OutOfSpaceError | None = None

    def start_sweep(
        self,
        experiment: str,
        name: str,
        tags: Mapping[str, str],
        params: Mapping[str, Any],
        view: View | None = None,
        *,
        create: bool = True,
    ) -> str:
        """Create the sweep's run, or reopen it, and return its id; to be called first.

        Waits for the store; with a new SQLite file that takes seconds.

        Args:
            experiment: MLflow experiment, created if it is missing.
            name: the sweep's name, by which its runs are found again.
            tags: further tags of the run.
            params: parameters of the run; one it has keeps its first value.
            view: what the interface shows of its trials at first.
            create: create a run that is missing; False: refuse it, as for a sweep that is
                resumed and has trials behind it.

        Raises:
            UserError: the store cannot be used, or does not know the sweep.
            OutOfSpaceError: the disk is full.
        """
        content = {"name": name, "tags": dict(tags), "params": _texts(params)}
        operation = Operation.now(
            Kind.START_SWEEP, None, experiment=experiment, sweep=name, **content
        )
        try:
            with self._delivery.store_in_use, self._store.doubted_on_error():
                self._store.enter(experiment, name)
                if not create and not self._store.knows_sweep():
                    raise UserError(
                        f"{self.uri}: no run of the sweep {name} is in this store, in which all "
                        "its trials would begin anew: bring back the store that it was begun with"
                    )
                run = self._store.run_id(None, operation.time)
                self.url = view_url(self.uri, self._store.experiment_id(), name)
        except store_errors() as error:
            if "disk is full" in str(error):  # SQLite's words
                raise OutOfSpaceError(f"{self.uri}: its disk is full; free some space") from error
            message = f"{self.uri}: runs cannot be stored there: {reason_of(error)}"
            raise UserError(message) from error
        self._append(operation)
        tag = {"key": view_key(name), "value": (view or View()).tag(name, operation.time)}
        self._append(Operation.now(Kind.VIEW, None, **tag))
        if question := tags.get(schema.QUESTION):
            link = f"[{name}]({self.url})"
            note = (
                f"**{question}**\n\nThe latest sweep, its trials in the planned order and their "
                f"curves: {link}. The list below has runs as they began, the latest first; sort it "
                f"by `{schema.ORDER}` for the rows as planned."
            )
            self._append(Operation.now(Kind.VIEW, None, key=schema.NOTE, value=note))
        self._raise_if_full()
        return run

    def end_reasons(self, timeout: float) -> dict[str, str]:
        """Return trial -> why it ended, of the trials of this sweep that have ended at all.

        Waits for the store, as ``flush`` does: what an earlier process left in the spool counts.

        Raises:
            UserError: the store cannot be used.
        """
        self.flush(timeout)
        try:
            with self._delivery.store_in_use, self._store.doubted_on_error():
                return self._store.end_reasons()
        except store_errors() as error:
            message = f"{self.uri}: runs cannot be read there: {reason_of(error)}"
            raise UserError(message) from error

    def start_trial(
        self, trial: str, name: str, tags: Mapping[str, str], params: Mapping[str, Any]
    ) -> None:
        """Create the run of a trial, or reopen it (status RUNNING), called ``name``."""
        content = {"name": name, "tags": dict(tags), "params": _texts(params)}
        self._append(Operation.now(Kind.START_TRIAL, trial, **content))

    def log_sets(self, trial: str, sets: Iterable[UsedSet]) -> None:
        """Add sets to the datasets that a trial uses; those it has are not added again."""
        content = [asdict(used) for used in sets]
        self._append(Operation.now(Kind.SETS, trial, sets=content))

    def log(self, trial: str, step: int, metrics: Mapping[str, float]) -> None:
        """Add metric points of a trial after ``step`` batches, as of now.

        Values that are not finite are left out: an undefined measure is a missing point (MLflow
        would show an infinite one as 1.8e308).

        Raises:
            OutOfSpaceError: the disk is, or has been, too full to keep a report.
        """
        finite = {key_of(k): float(v) for k, v in metrics.items() if math.isfinite(v)}
        self._append(Operation.now(Kind.LOG, trial, step=int(step), metrics=finite))
        self._raise_if_full()

    def log_file(self, trial: str | None, path: Path, folder: str) -> None:
        """Add a file to the artifacts of a trial (None: of the sweep), as ``folder``/its name.

        It is copied at once and may be changed or removed afterwards. One that cannot be read is
        left out with a warning.
        """
        try:
            kept = self._spool.keep(path)
        except OutOfSpaceError as error:
            self._full = error
        except OSError as error:
            logger.warning("%s cannot be read and is not logged: %s", path, error.strerror)
        else:
            self._append(Operation.now(Kind.FILE, trial, kept=kept, folder=folder))

    def end_trial(self, trial: str, status: str, tags: Mapping[str, str]) -> None:
        """End a trial's run with status FINISHED, FAILED or KILLED."""
        self._append(Operation.now(Kind.END_TRIAL, trial, status=status, tags=dict(tags)))

    def end_sweep(self, status: str, tags: Mapping[str, str]) -> None:
        """End the sweep's run with status FINISHED, FAILED or KILLED."""
        self._append(Operation.now(Kind.END_SWEEP, None, status=status, tags=dict(tags)))

    def flush(self, timeout: float) -> bool:
        """Wait until the store has everything; False after ``timeout`` seconds without progress.

        Raises:
            OutOfSpaceError: the disk has been too full to keep something.
        """
        self._raise_if_full()
        return self._delivery.wait(timeout)

    def close(self, timeout: float) -> bool:
        """Wait like ``flush``, then end the delivery.

        Returns:
            whether everything has arrived; if not, the spool stays on disk, and a later
            ``Tracker`` with the same spool delivers it.
        """
        arrived = self._delivery.wait(timeout)
        self._delivery.stop(max(timeout, 1.0) if arrived else 1.0)
        return arrived and self._full is None

    def _append(self, operation: Operation) -> None:
        try:
            self._spool.append(operation)
            if operation.kind is not Kind.LOG:  # rare, and what the reports hang on
                self._spool.sync()
        except OutOfSpaceError as error:
            self._full = error
        else:
            self._delivery.notify()

    def _raise_if_full(self) -> None:
        if self._full is not None:
            raise self._full


def _texts(params: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(value) for key, value in params.items()}
