"""What was measured in training (``--diagnostics``), picked from a sweep's metrics."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ssmpe.errors import UserError
from ssmpe.tracking import schema
from ssmpe.tracking.stored.records import MetricCurve, StoredSweep, StoredTrial

SUPERVISED = "supervised"


@dataclass(frozen=True)
class Measured:
    """A sweep with diagnostics; curves are None where a trial has nothing of the kind."""

    sweep: StoredSweep

    @classmethod
    def of(cls, sweep: StoredSweep) -> "Measured":
        """Take a sweep; UserError if no self-supervised term was measured in it."""
        found = cls(sweep)
        if not found.terms:
            raise UserError(
                f"sweep {sweep.name!r}: nothing of self-supervised terms was measured in it; start "
                "one with --diagnostics EVERY, as --diagnostics 10"
            )
        return found

    @cached_property
    def terms(self) -> tuple[str, ...]:
        """Terms beside the supervised one that have been measured, by name."""
        return self._names(lambda term: schema.gradient_metric("encoder", "cosine", term))

    @cached_property
    def sets(self) -> tuple[str, ...]:
        """Sets of which excerpts were measured, the labelled one first."""
        names = self._names(lambda name: schema.salience_metric("mean", name))
        labelled = self.sweep.trials[0].params["data.labelled"]
        return tuple(sorted(names, key=lambda name: (name != labelled, name)))

    def metrics(self) -> tuple[str, ...]:
        """Return the keys of all that was measured."""
        # the parts of each key before the first name
        prefixes = tuple(
            key.partition("*")[0]
            for key in (
                schema.gradient_metric("*", "", ""),
                schema.term_metric("*", ""),
                schema.pull_metric("*", "", "", ""),
                schema.salience_metric("", "*"),
            )
        )
        return tuple(sorted({m for m in self._keys() if m.startswith(prefixes)}))

    def cosine(self, trial: StoredTrial, part: str, term: str) -> MetricCurve | None:
        """Return the cosine of a term's gradient with the supervised one's, in a part of it."""
        return trial.curves.get(schema.gradient_metric(part, "cosine", term))

    def relative_norm(self, trial: StoredTrial, part: str, term: str) -> MetricCurve | None:
        """Return the norm of a weighted term's gradient, divided by the supervised one's."""
        own = trial.curves.get(schema.gradient_metric(part, "norm", term))
        return _ratio(own, trial.curves.get(schema.gradient_metric(part, "norm", SUPERVISED)))

    def loss(self, trial: StoredTrial, term: str, set_name: str) -> MetricCurve | None:
        """Return an unweighted term on a set's excerpts, per frame."""
        return trial.curves.get(schema.term_metric(term, set_name))

    def salience(self, trial: StoredTrial, measure: str, set_name: str) -> MetricCurve | None:
        """Return a measure of the salience of a set's excerpts."""
        return trial.curves.get(schema.salience_metric(measure, set_name))

    def relative_change(self, trial: StoredTrial, set_name: str) -> MetricCurve | None:
        """Return the change of a set's mean salience by one batch, in % of that mean."""
        change = self.salience(trial, "change", set_name)
        ratio = _ratio(change, self.salience(trial, "mean", set_name))
        return ratio and MetricCurve(ratio.steps, 100 * ratio.values)

    def pull(
        self, trial: StoredTrial, where: str, set_name: str, measure: str = "mean"
    ) -> MetricCurve | None:
        """Return the mean pull on a frame's logits at a place, of all terms together.

        Args:
            measure: or "below" or "above": the part of it in bins below one half, or above.
        """
        key = schema.pull_metric(where, measure, "*", set_name)
        terms = [trial.curves[m] for m in self._matching(key) if m in trial.curves]
        if not terms:
            return None
        steps = np.unique(np.concatenate([curve.steps for curve in terms]))
        sums = [sum(curve.at(int(step)) for curve in terms) for step in steps]
        return MetricCurve(steps, np.array(sums))

    def _names(self, key: Callable[[str], str]) -> tuple[str, ...]:
        """Return what stands in the keys in place of the argument."""
        prefix, _, suffix = key("*").partition("*")
        found = {m.removeprefix(prefix).removesuffix(suffix) for m in self._matching(key("*"))}
        return tuple(sorted(found))

    def _matching(self, key: str) -> Iterator[str]:
        """Return the keys that have any text where this one has a star."""
        prefix, _, suffix = key.partition("*")
        return (m for m in self._keys() if m.startswith(prefix) and m.endswith(suffix))

    def _keys(self) -> list[str]:
        return sorted({metric for trial in self.sweep.trials for metric in trial.curves})


def _ratio(first: MetricCurve | None, second: MetricCurve | None) -> MetricCurve | None:
    """Divide one curve by another at the steps of the first."""
    if first is None or second is None:
        return None
    return MetricCurve(
        first.steps, first.values / np.array([second.at(int(s)) for s in first.steps])
    )
