"""Parts of the world, written in processes of their own.

They are plain subprocesses, not those of ``multiprocessing``: they neither inherit the caller's
threads nor import its main module, which may hold half of Ray.
"""

import gc
import os
import pickle
import queue
import subprocess
import sys
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from pathlib import Path
from typing import Protocol


class Task(Protocol):
    """One or several files of the world, which are written independently of all others."""

    @property
    def label(self) -> str:
        """Text that a progress display shows."""

    def write(self, root: Path) -> None:
        """Write the files below the data root."""


class _Worker:
    """A process that writes tasks below a root, one at a time."""

    def __init__(self, root: Path) -> None:
        package = Path(__file__).parents[2]
        path = os.pathsep.join(filter(None, (str(package), os.environ.get("PYTHONPATH"))))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ssmpe.world.workers", str(root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        )

    def write(self, task: Task) -> None:
        """Have a task written; raises what it raised."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            pickle.dump(task, self._process.stdin)
            self._process.stdin.flush()
            error = pickle.load(self._process.stdout)
        except (BrokenPipeError, EOFError) as lost:
            raise RuntimeError(f"{task.label}: the process rendering it died") from lost
        if error is not None:
            raise error

    def kill(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Close the pipes of an ended process."""
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):  # something was still to be flushed
                pipe.close()


def write_all(tasks: Sequence[Task], root: Path, jobs: int) -> Generator[Task]:
    """Write all tasks below ``root`` with ``jobs`` processes, yielding each when it is done.

    Raises what the first task that failed has raised. Close the iterator to end the processes.
    """
    workers = [_Worker(root) for _ in range(min(jobs, len(tasks)))]
    idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
    for worker in workers:
        idle.put(worker)

    def write(task: Task) -> Task:
        worker = idle.get()
        try:
            worker.write(task)
        finally:
            idle.put(worker)
        return task

    pool = ThreadPoolExecutor(len(workers))
    try:
        for done in as_completed([pool.submit(write, task) for task in tasks]):
            yield done.result()
    finally:
        for worker in workers:
            worker.kill()
        pool.shutdown(cancel_futures=True)
        for worker in workers:
            worker.close()


def main(root: Path) -> None:
    """Write the tasks that come in on standard input; answer each with None or an exception."""
    answers = sys.stdout.buffer
    sys.stdout = sys.stderr  # nothing that is printed may get among the answers
    # Parsing a score makes objects by the hundred thousand: collecting more seldom halves its time.
    gc.set_threshold(100_000, 20, 100)
    while True:
        try:
            task: Task = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        error = None
        try:
            task.write(root)
        except Exception as raised:
            error = raised
        pickle.dump(error, answers)
        answers.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
