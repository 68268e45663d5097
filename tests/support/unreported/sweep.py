"""Runs a sweep of the project, named first, without the report at its end.

A report takes as long as the trials of a test do; alone in its folder, as the folder of a script
comes first where its modules are looked for.
"""

import sys
from importlib import import_module

from ssmpe.cli import main

if __name__ == "__main__":
    name, *given = sys.argv[1:]
    raise SystemExit(main(import_module(f"sweeps.{name}").SWEEP, None, given))
