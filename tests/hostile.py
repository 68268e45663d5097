"""Thousands of hostile inputs: each is taken, or refused in one line; none is a stack trace.

python -m tests.hostile --cases 10000 --seed 0

Prints what failed with the name of its case, and a table; ``--case KIND:NUMBER`` tries one again.
Exit code 1 if anything failed: a stack trace, another exit code than 0 or 2, more than one line,
something that a terminal would obey, a record changed or lost, too much time or memory.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from rich.table import Table

from ssmpe.console import make_console, printable
from tests.support import confined
from tests.support.hostile import KINDS, trying

SECONDS = 30
"""CPU time for a case"""
PATIENCE = 300
"""Seconds for a case, after which its process is ended"""

Case = tuple[str, int]
"""Kind and number"""


@dataclass
class Tally:
    """Outcomes of the cases of a kind, and what was said of those that failed, by number."""

    outcomes: Counter[str] = field(default_factory=Counter)
    failures: dict[int, str] = field(default_factory=dict)


def attack(
    cases: list[Case], seed: int, told: Callable[[str], object] = lambda _: None
) -> dict[str, Tally]:
    """Try cases in a confined process, which is started anew if one of them ends it.

    Args:
        told: is called with a line for each that failed.
    """
    tallies: dict[str, Tally] = defaultdict(Tally)

    def count(kind: str, number: int, outcome: str, said: str) -> None:
        tallies[kind].outcomes[outcome] += 1
        if outcome == "failed":
            tallies[kind].failures[number] = said
            told(f"{kind}:{number}: {said}")

    while cases:
        n_done = 0
        for found in _outcomes(cases, seed):
            n_done += 1
            count(*found)
        if n_done < len(cases):
            count(*cases[n_done], "failed", "its process died or did not end")
        cases = cases[n_done + 1 :]
    return dict(tallies)


def _outcomes(cases: list[Case], seed: int) -> Iterator[tuple[str, int, str, str]]:
    """Yield kind, number, outcome and what was said of one case after the other, until one ends it.

    Raises:
        RuntimeError: not even the first was begun.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    with tempfile.TemporaryFile("w+") as given, tempfile.TemporaryFile() as errors:
        json.dump([seed, cases], given)
        given.seek(0)
        with subprocess.Popen(
            [sys.executable, "-m", "tests.hostile", "--worker"],
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment,
        ) as process:
            assert process.stdout
            ready = process.stdout.readline()
            for line in process.stdout:
                yield tuple(json.loads(line))
        if not ready:
            errors.seek(0)
            raise RuntimeError(errors.read().decode(errors="replace"))


def _work() -> None:
    """Try the cases on standard input in this process, confined; print a line of JSON for each."""
    out = os.fdopen(os.dup(1), "w", buffering=1)

    def too_slow(*_: Any) -> None:
        raise TimeoutError("takes too long")

    signal.signal(signal.SIGPROF, too_slow)
    seed, cases = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["HOME"] = scratch
        kinds = {}
        for kind in dict.fromkeys(kind for kind, _ in cases):
            common = Path(scratch) / kind
            common.mkdir()
            kinds[kind] = KINDS[kind][0](common)
        confined.confine()
        out.write("ready\n")
        for kind, number in cases:
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            signal.alarm(PATIENCE)  # ends the process
            rng = Random(f"{seed}:{kind}:{number}")
            outcome = trying.case(kinds[kind], rng, Path(scratch) / f"{kind} {number}")
            signal.setitimer(signal.ITIMER_PROF, 0)
            out.write(json.dumps((kind, number, *outcome)) + "\n")
        signal.alarm(0)


def shared_out(n_cases: int, kinds: Iterable[str] = KINDS) -> list[Case]:
    """Return so many cases, shared out among kinds, at least one of each, well mixed."""
    shares = {kind: KINDS[kind][1] for kind in kinds}
    scale = n_cases / sum(shares.values())
    cases = [(kind, i) for kind, s in shares.items() for i in range(max(1, round(scale * s)))]
    return sorted(cases, key=lambda case: case[1] / shares[case[0]])


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", default=",".join(KINDS), help="as plans,audio")
    parser.add_argument("--case", metavar="KIND:NUMBER", help="try this case alone")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        _work()
        return 0
    cases = shared_out(given.cases, given.kinds.split(","))
    if given.case:
        kind, _, number = given.case.partition(":")
        cases = [(kind, int(number))]
    begun = time.monotonic()
    console = make_console()
    tallies = attack(cases, given.seed, lambda line: console.print(printable(line), soft_wrap=True))
    table = Table("kind", "tried", "refused in one line", "accepted", "failures", box=None)
    for kind, tally in tallies.items():
        counts = (tally.outcomes[o] for o in ("refused", "accepted", "failed"))
        table.add_row(kind, str(tally.outcomes.total()), *map(str, counts))
    console.print(table)
    console.print(f"{len(cases)} cases in {time.monotonic() - begun:.0f} s")
    return int(any(tally.failures for tally in tallies.values()))


if __name__ == "__main__":
    sys.exit(main())
