"""Prints how long validations take: ``python -m tests.benchmarks.validation``.

On the embedded world, by a network without training that estimates as many pitches as music has.
What is measured against does, at every validation and for every track: audio from the store, a
dense HCQT, one forward pass, peaks frame by frame, mir_eval.
"""

import argparse
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import mir_eval
import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from ssmpe.config import TrialConfig, presets
from ssmpe.data.datasets.registry import Locations
from ssmpe.data.files.annotation import Annotation, MultiPitch
from ssmpe.data.sets import LoadedSet, load_use, use_of
from ssmpe.data.store.cache import cache_dir
from ssmpe.evaluation.inference import salience
from ssmpe.evaluation.scores import Observed
from ssmpe.evaluation.scoring import EvaluationSet, evaluate, prepare
from ssmpe.network.model import Autoencoder
from ssmpe.signal.features import scaled_decibels
from ssmpe.signal.hcqt import HCQT
from ssmpe.signal.salience import THRESHOLD, decode, peaks
from ssmpe.units import Floats
from ssmpe.world.build import build_world, world_key
from tests.benchmarks.timing import Growth, alternately, median_seconds
from tests.benchmarks.yardstick import DenseHCQT, PlainAutoencoder

PITCHES_PER_FRAME = 3
PAPER_TRACKS = 3
REPEATED = (1, 2, 4, 8)
"""times a set of 100 s, to see how the time grows"""


@dataclass(frozen=True)
class Case:
    """A network with the sets that it is scored on, both ways."""

    config: TrialConfig
    network: Autoencoder
    evaluated: list[EvaluationSet]
    sources: tuple[LoadedSet, ...]

    @classmethod
    def of(cls, preset: str, sources: tuple[LoadedSet, ...]) -> "Case":
        config = presets.preset(preset)
        hcqt = HCQT(config.geometry)
        evaluated = prepare(sources, hcqt, "cpu")
        torch.manual_seed(0)
        network = Autoencoder(config.geometry, config.model).channels_last().eval()
        _quieten(network, evaluated[0].features(0))
        return cls(config, network, evaluated, sources)

    def __call__(self) -> list[float]:
        """F1 of every set, as a trial has it."""
        return [evaluate(self.network, one).means.f1 for one in self.evaluated]


class Plain:
    """The same validation rendered straightforwardly."""

    def __init__(self, case: Case) -> None:
        self.g, self.sources = case.config.geometry, case.sources
        self.hcqt = DenseHCQT(self.g)
        self.network = PlainAutoencoder(self.g, case.config.model).eval()
        _copy(case.network, self.network)

    def __call__(self) -> list[float]:
        """F1 of every set."""
        return [float(np.mean([*map(self._f1, *_tracks(source))])) for source in self.sources]

    @torch.no_grad()
    def _f1(self, audio: Tensor, annotation: Annotation | None) -> float:
        assert annotation is not None
        features = scaled_decibels(self.hcqt(audio))
        estimate = torch.sigmoid(self.network(features))[0].numpy()
        times = np.arange(estimate.shape[1]) * self.g.hop_length / self.g.sample_rate
        truth = annotation.at(times if annotation.grid is None else annotation.grid)
        f0s = [self.g.bin_frequencies[_peaks(frame)] for frame in estimate.T]
        p, r = _by_mir_eval(truth, times, f0s)
        return 2 * p * r / (p + r) if p + r else 0.0


def _by_mir_eval(truth: MultiPitch, times: Floats, f0s: list[Floats]) -> tuple[float, float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        p, r, *_ = mir_eval.multipitch.metrics(truth.times, list(truth.f0s), times, f0s)
    return p, r


def _tracks(source: LoadedSet) -> tuple[list[Tensor], Sequence[Annotation | None]]:
    n = len(source.annotations)
    audio = [torch.from_numpy(source.store.audio(i).copy())[None, None] for i in range(n)]
    return audio, source.annotations


def _peaks(frame: np.ndarray) -> list[int]:
    below = np.concatenate([[-1.0], frame, [-1.0]])
    larger = (frame > below[:-2]) & (frame > below[2:]) & (frame >= 0.5)
    return [int(i) for i in np.flatnonzero(larger)]


def _quieten(network: Autoencoder, features: Tensor) -> None:
    """Shift the output so far that the strongest peaks alone are left."""
    with torch.no_grad():
        logits = network(features)[0]
        heights = logits[peaks(torch.sigmoid(logits), threshold=0.0)].sort(descending=True).values
        bias = network.decoder.output.bias
        assert bias is not None
        bias -= heights[PITCHES_PER_FRAME * features.shape[-1]]


def _copy(network: Autoencoder, plain: PlainAutoencoder) -> None:
    """Return the same weights: time and frequency are the other way round."""
    with torch.no_grad():
        for theirs, own in zip(plain.parameters(), network.parameters(), strict=True):
            theirs.copy_(own.transpose(-1, -2) if own.ndim > 1 else own)


@cache
def _world() -> Locations:
    return Locations(build_world(cache_dir() / "world" / world_key("tiny"), "tiny"))


def _sources(config: TrialConfig, names: Sequence[str]) -> tuple[LoadedSet, ...]:
    rate = config.geometry.sample_rate
    uses = [use_of(name, config.data, rate, annotated=True) for name in names]
    return tuple(load_use(use, _world(), cache_dir()) for use in uses)


class _Store:
    """Some tracks of a store, again and again."""

    def __init__(self, source: LoadedSet, n: int) -> None:
        self._store = source.store
        given = source.store.tracks
        self.tracks = [replace(given[i % len(given)], name=f"track {i}") for i in range(n)]

    def audio(self, i: int) -> np.ndarray:
        audio: np.ndarray = self._store.audio(i % len(self._store.tracks))
        return audio


def _of_length(source: LoadedSet, n: int) -> LoadedSet:
    """Return a set of the first ``n`` tracks, which are repeated if there are not as many."""
    annotations = tuple(source.annotations[i % len(source.annotations)] for i in range(n))
    # what an evaluation asks of a store
    return replace(source, store=_Store(source, n), annotations=annotations)  # type: ignore[arg-type]


# --- the measurements -------------------------------------------------------------------------


def _compared(case: Case, n: int) -> dict[str, float]:
    plain = Plain(case)
    np.testing.assert_allclose(case(), plain(), atol=2e-3)  # the same work
    seconds, yardstick = alternately(case, plain, n)
    return {"seconds": seconds, "yardstick": yardstick}


def measure_tiny(n: int) -> dict[str, float]:
    """Run a validation over all sets of the preset tiny."""
    config = presets.tiny()
    return _compared(Case.of("tiny", _sources(config, config.data.evaluated_sets)), n)


def measure_paper(n: int) -> dict[str, float]:
    """Three tracks of 10 s at paper geometry, m = 3."""
    (source,) = _sources(presets.paper(), ["Bach10/all"])
    return _compared(Case.of("paper", (_of_length(source, PAPER_TRACKS),)), n)


def measure_score(n: int) -> dict[str, float]:
    """Peaks and scores of one track of 10 s on a grid of 5.8 ms, its salience given.

    At all thresholds; what it is measured against, at one.
    """
    case = Case.of("tiny", _sources(presets.tiny(), ["GuitarSet/05"]))
    (one,), g = case.evaluated, case.config.geometry
    estimate = salience(case.network, one.features(0))
    reference, grid = one.reference(0), one.reference(0).on_grid(one.geometry)
    assert grid is not None

    def own() -> tuple[float, float]:
        packed = Observed.packed(estimate, one.halves(0)).numpy()
        curve = Observed.unpacked(packed, reference, grid).curve
        assert curve is not None
        counts = curve.at(THRESHOLD)
        return counts.precision, counts.recall

    def theirs() -> tuple[float, float]:
        assert reference.truth is not None
        return _by_mir_eval(reference.truth, reference.times, decode(estimate, g))

    assert own() == theirs()
    seconds, yardstick = alternately(own, theirs, n)
    return {"seconds": seconds, "yardstick": yardstick}


def measure_parts(n: int) -> dict[str, float]:
    """Seconds of a validation of the preset tiny: network alone, all scores, mir_eval's as well."""
    config = presets.tiny()
    case = Case.of("tiny", _sources(config, config.data.evaluated_sets))

    def saliences() -> None:
        for one in case.evaluated:
            for _ in one.saliences(case.network):
                pass

    def confirmed() -> None:
        for one in case.evaluated:
            evaluate(case.network, one, by_mir_eval=True)

    network, scores = alternately(saliences, case, n)
    return {"network": network, "scores": scores, "confirmed": median_seconds(confirmed, n)}


def measure_growth(n: int) -> Growth:
    """Seconds of a validation of ever more audio."""
    (source,) = _sources(presets.tiny(), ["Bach10/all"])
    n_tracks, rate = len(source.annotations), presets.tiny().geometry.sample_rate
    samples = sum(len(source.store.audio(i)) for i in range(n_tracks))
    seconds = {}
    for times in REPEATED:
        case = Case.of("tiny", (_of_length(source, times * n_tracks),))
        seconds[times * samples / rate / 60] = median_seconds(case, n)
    return Growth("minutes of audio", seconds)


MEASURES = {
    "validation, preset tiny, all sets": (measure_tiny, 5),
    "validation, paper geometry, m = 3, 3 tracks of 10 s": (measure_paper, 3),
    "score of one track of 10 s, GuitarSet": (measure_score, 15),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="measure once")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)  # what a trial of the preset tiny has
    console = Console()
    table = Table("what", "median", "yardstick", "ratio", box=None)
    for name, (measure, n) in MEASURES.items():
        found = measure(1 if quick else n)
        seconds, yardstick = found["seconds"], found["yardstick"]
        table.add_row(name, f"{seconds:.4f} s", f"{yardstick:.4f} s", f"{yardstick / seconds:.1f}×")
    console.print(table)
    parts = measure_parts(1 if quick else 9)
    told = ", ".join(f"{name} {seconds:.3f} s" for name, seconds in parts.items())
    console.print(f"a validation of the preset tiny: {told}", highlight=False)
    console.print(measure_growth(1 if quick else 5), highlight=False)


if __name__ == "__main__":
    main()
