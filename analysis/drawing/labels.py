"""Words that every figure of a sweep carries."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from ssmpe.tracking.stored.records import REFERENCE_ROW, StoredSweep, dataset_of

HALF_ALONE = (
    "scored at a salience of one half (½) alone, as up to version 0.3.0, which cannot tell a sunk "
    "level from lost content."
)
"""What is said of a store without other scores"""
LAST = "Every value is that of a trial's last validation, stopped runs included."
"""What is said of a figure of scores"""


def subtitle(sweep: StoredSweep) -> tuple[str, ...]:
    """Say which sweep it is, how large, on what data; and that it is not whole, if so."""
    n = len(sweep.seeds)
    lines = [f"sweep {sweep.name} · preset {sweep.preset} · {n} seed{'s' * (n > 1)}"]
    lines.append(sweep.data_label)
    if not sweep.finished:
        lines.append(f"NOT FINISHED: {sweep.state}; trials that have not ended: {sweep.unfinished}")
    return tuple(lines)


def kind(sweep: StoredSweep, set_name: str) -> str:
    """Say what the network saw of a set's kind in training."""
    labelled = sweep.trials[0].params["data.labelled"]
    if dataset_of(set_name) == dataset_of(labelled):
        return "kind: labelled"
    added = {dataset_of(s) for s in sweep.added_sets}
    return "kind: added, unlabelled" if dataset_of(set_name) in added else "kind: not trained on"


def terms(sweep: StoredSweep) -> str:
    """Explain the words of every figure: blank, tuned, ½, Ref., and rows without a network."""
    tuned = (
        "tuned: at the salience threshold that is best on the labelled validation set, for all "
        "sets; at ½: at a salience of one half, as published. "
    )
    said = f"Blank: share of sounding frames without a pitch; {tuned if sweep.tuned else ''}"
    if not sweep.tuned:
        said += f"{HALF_ALONE} "
    if sweep.signal_rows:
        names = ", ".join(sweep.signal_rows)
        said += f"Without a network ({names}): peaks of the signal; at ½ they mean nothing. "
    return f"{said}{REFERENCE_ROW} adds no excerpts."


def name_sets(panels: Sequence[Axes], sweep: StoredSweep, sets: Sequence[str] = ()) -> None:
    """Write over each panel of a row which set it shows; without ``sets``, all of the sweep."""
    for set_name, ax in zip(sets or sweep.sets, panels, strict=True):
        ax.set_title(f"{set_name}\n{kind(sweep, set_name)}", linespacing=1.3)
