"""Words that every figure of a sweep carries."""

from analysis.reading.records import StoredSweep, dataset_of


def subtitle(sweep: StoredSweep) -> tuple[str, ...]:
    """Which sweep, how large, on what data; and that it is not whole, if so."""
    n = len(sweep.seeds)
    lines = [f"sweep {sweep.name} · preset {sweep.preset} · {n} seed{'s' * (n > 1)}"]
    lines.append(sweep.data_label)
    if not sweep.finished:
        lines.append(f"NOT FINISHED: {sweep.state}; trials that have not ended: {sweep.unfinished}")
    return tuple(lines)


def kind(sweep: StoredSweep, set_name: str) -> str:
    """What the network saw of a set's kind in training."""
    labelled = sweep.trials[0].params["data.labelled"]
    if dataset_of(set_name) == dataset_of(labelled):
        return "kind: labelled"
    added = {dataset_of(s) for s in sweep.added_sets}
    return "kind: added, unlabelled" if dataset_of(set_name) in added else "kind: not trained on"
