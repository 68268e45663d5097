"""What sweeps leave and read again: plans, and databases of runs and of searches."""

import importlib
import json
from pathlib import Path
from random import Random
from typing import Any

from ssmpe.config.presets import tiny
from ssmpe.errors import UserError
from tests.support.hostile.changes import damaged, reshaped
from tests.support.hostile.trying import Kind, check_kept, commanded


def plans(folder: Path) -> Kind:
    """Plans of sweeps, as a resume reads them; what is read is left as it is."""
    from ssmpe.experiments.sweep import Trial
    from ssmpe.runner.plan import Plan
    from sweeps.sample_count import SWEEP

    trials = (Trial("Ref.", tiny()), Trial("+MN-1", tiny()))
    store, data = f"sqlite:///{folder}/mlflow.db", "embedded world (tiny)"
    named = {"name": "mine", "script": SWEEP.name, "question": "Is it?", "preset": "tiny"}
    places = {"data": data, "data_root": "/data", "storage": "/ray", "tracking_uri": store}
    limits = {"early_stop": True, "threads": 1, "gpus_per_trial": 0.0, "concurrent": None}
    arguments: dict[str, Any] = {**named, **places, **limits, "folders": {}, "trials": trials}
    Plan(**arguments).save(folder)
    [path] = folder.rglob("plan.json")
    place, content = path.relative_to(folder), path.read_bytes()

    def case(rng: Random, here: Path) -> None:
        changed = damaged(rng, content)
        if rng.random() < 0.8:
            changed = json.dumps(reshaped(rng, json.loads(content))).encode()
        (here / place).parent.mkdir(parents=True)
        (here / place).write_bytes(changed)
        try:
            Plan.load(here, "mine", SWEEP.name)
        finally:
            check_kept(here / place, changed)

    return case


def stores(folder: Path) -> Kind:
    """SQLite files of the tracking store and of searches; one that is refused is left as it is."""
    from dataclasses import replace

    from ssmpe.experiments.search import SearchPlan
    from ssmpe.runner.cluster.resources import Share
    from ssmpe.runner.plan import Plan
    from ssmpe.runner.queue import study, suggestions
    from ssmpe.runner.queue.retries import Retries
    from ssmpe.tracking.connection import connect
    from ssmpe.tracking.reading import fetch_best
    from ssmpe.tracking.tracker import local_uri
    from sweeps import hyperparameters
    from tests.support.analysis_store import sample_count_trials, write_sweep

    uri = local_uri(folder)
    connect(uri)
    write_sweep(uri, "calm", sample_count_trials(1)[:1])
    store = (folder / "mlflow.db").read_bytes()
    search = hyperparameters.SWEEP
    base = search.base(tiny(), (0,), {})
    named: dict[str, Any] = dict.fromkeys(("name", "script", "question", "preset", "data"), "x")
    named |= {"data_root": "/data", "storage": "/ray", "tracking_uri": uri, "folders": {}}
    limits: dict[str, Any] = {"early_stop": True, "threads": 1, "gpus_per_trial": 0.0}
    plan = Plan(**named, **limits, concurrent=None, trials=())
    plan = replace(plan, search=SearchPlan(base, 3, "pareto"))
    suggestions.Suggestions(search, plan, folder, Retries(Share(1))).next()
    studied = (folder / study.FILE).read_bytes()
    results = importlib.import_module("analysis.results")

    def case(rng: Random, here: Path) -> None:
        if rng.random() < 0.4:
            (here / study.FILE).write_bytes(damaged(rng, studied))
            suggestions.Suggestions(search, plan, here, Retries(Share(1)))
            return
        path = here / "mlflow.db"
        path.write_bytes(changed := damaged(rng, store))
        try:
            if rng.random() < 0.5:
                fetch_best(local_uri(here), "0123456789abcdef0123456789abcdef", here)
            else:
                given = ["--tracking-uri", local_uri(here), "--sweep", "calm", "--out", str(here)]
                commanded(lambda: results.main(given))
        except UserError:
            check_kept(path, changed)
            raise

    return case
