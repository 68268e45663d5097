"""What a sweep over counts of added excerpts says, in sentences with numbers."""

from analysis.numbers.counts import SEVERITY, SampleCount
from analysis.numbers.statistics import PairedDifference, Spread, saved_batches
from analysis.reading.records import StoredTrial


def summary(comparison: SampleCount) -> str:
    """The findings, one per line."""
    lines = [_degeneration(comparison, added_set) for added_set in comparison.added]
    lines += [_closed_gain(comparison), _savings(comparison)]
    if comparison.left_out:
        rows = ", ".join(comparison.left_out)
        lines.append(f"Not compared, for they differ in more than added excerpts: {rows}.")
    return "\n".join(lines)


def correlations(comparison: SampleCount) -> str:
    """Rank correlation of blank rate and count per added set and scored set."""
    lines = []
    for added_set in comparison.added:
        found = {s: comparison.correlation(added_set, s) for s in comparison.sweep.sets}
        texts = ", ".join(f"{s} {c} (n = {c.n})" for s, c in found.items())
        lines.append(f"{added_set} added: {texts}")
    return "\n".join(lines)


def _degeneration(comparison: SampleCount, added_set: str) -> str:
    """From the lowest count to the highest, on the set of the added kind."""
    scored = comparison.own_set(added_set)
    trials = [t for t in comparison.series(added_set) if t.has_result]
    counts = sorted({t.added_excerpts for t in trials})
    ends = [[t for t in trials if t.added_excerpts == c] for c in (counts[0], counts[-1])]
    correlation = comparison.correlation(added_set, scored)
    return (
        f"{scored}, from {counts[0]} to {counts[-1]} excerpts of {added_set} added: "
        f"F1 {_mean(ends[0], scored, 'f1')} -> {_mean(ends[1], scored, 'f1')}, "
        f"blank rate {_mean(ends[0], scored, SEVERITY)} -> {_mean(ends[1], scored, SEVERITY)} "
        f"({correlation} over {correlation.n} trials)."
    )


def _mean(trials: list[StoredTrial], set_name: str, measure: str) -> str:
    return Spread.of(t.final(set_name, measure) for t in trials).text()


def _closed_gain(comparison: SampleCount) -> str:
    gain = comparison.closed_gain()
    scored = comparison.sweep.validation
    if not gain.differences:
        return f"Closed minus supervised only on {scored}: no seed has finished both."
    return (
        f"Closed minus supervised only, F1 on {scored} at equal batches, paired by seed: "
        f"{gain.spread.text(signed=True)} ({_by_seed(gain)})."
    )


def _by_seed(gain: PairedDifference) -> str:
    each = [
        f"seed {seed}: {difference:+.3f} at batch {gain.batches[seed]}"
        for seed, difference in gain.differences.items()
    ]
    return "; ".join(each)


def _savings(comparison: SampleCount) -> str:
    saved = saved_batches(comparison.sweep)
    if not saved.runs:
        return "No run was stopped as collapsed."
    return (
        f"Stopping collapsed runs early saved {saved.share:.0%} of their batches "
        f"({saved.saved} of {saved.configured}; runs stopped: {saved.runs})."
    )
