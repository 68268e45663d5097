"""Named deltas that rows are composed of (row names of the published figures)."""

from statistics import mean
from typing import Any

from ssmpe.config import TrialConfig
from ssmpe.config.objectives import PSEUDO_LABELS
from ssmpe.experiments.sweep import Delta

SHORT_NAMES = {
    "MusicNet/train": "MN",
    "NSynth/train": "NS",
    "FMA/train": "FMA",
    "MedleyDB/all": "MDB",
    "SWD/all": "SWD",
    "MagnaTagATune/all": "MTAT",
    "GuitarSet/00-04": "GS",
    "MAESTRO/train": "MAE",
}
"""Names of added sets in rows, the first three as in the paper; others go by their dataset's."""

SELF_SUPERVISED = ("timbre", "percussion", "geometric")
"""Objectives of the closed condition beside the supervised one."""

REFERENCE = Delta("Ref.")
"""All self-supervised objectives under closed conditions: nothing added."""

STOP_GRADIENT = Delta("+stop", {"objectives.stop_gradient": True})
"""No gradient through the targets Y."""

CONTENT_EVERYWHERE = Delta("", {"objectives.content_on": "all"})
"""Terms on content for labelled excerpts, too; else they are off where nothing is added."""

TEACHER_MEMORY = 0.05
"""Memory of a teacher as a share of the trial's batches, two of which it has at the least."""
FADING_FACTOR = 0.3
"""Weight of fading energy objectives: at 1, the preset tiny learns nothing else meanwhile."""
FADE = 0.5
"""Share of a trial's batches after which what fades is gone."""

CATEGORICAL_WEIGHT = 4.0
"""Weight with which it is as large as the supervised loss, half-way through the preset tiny."""
PESTO_FACTORS = {"categorical_invariance": 4.0, "shift_cross_entropy": 4.0, "transposition": 100.0}
"""Weights relative to those of the self-supervised objectives."""


def supervised_only(base: TrialConfig) -> Delta:
    """Keep the supervised objective alone, at the weight it has."""
    weight = _weight(base, "supervised")
    return Delta("supervised", {"objectives.weights": {"supervised": weight}}, relative=True)


def with_objective(base: TrialConfig, name: str) -> Delta:
    """Add one of the base's objectives, at the weight it has there: "+timbre"."""
    changes = {f"objectives.weights.{name}": _weight(base, name)}
    return Delta(f"+{name}", changes, relative=True)


def _weight(base: TrialConfig, name: str) -> float:
    return base.objectives.weights.get(name, 0.0)


def added(base: TrialConfig, set_name: str, ratio: float) -> Delta:
    """Add unlabelled excerpts of a set, ``ratio`` times as many as labelled ones: "+MN-16"."""
    count = round(ratio * base.data.labelled_excerpts)
    return Delta(f"+{_short(set_name)}-{count}", {f"data.added.{set_name}": count})


def _short(set_name: str) -> str:
    return SHORT_NAMES.get(set_name, set_name.split("/")[0])


def fewer_tracks(base: TrialConfig, count: int) -> Delta:
    """Use so many tracks of the labelled set, drawn at random: "5-tracks"."""
    return Delta(f"{count}-tracks", {f"data.max_tracks.{base.data.labelled}": count})


def of_family(base: TrialConfig, family: str, count: int) -> Delta:
    """Use so many tracks of one family of instruments, or of mixed ones: "5-strings"."""
    part = f"{base.data.labelled}-{family}"
    return Delta(f"{count}-{family}", {"data.labelled": part, f"data.max_tracks.{part}": count})


def labelled_too(base: TrialConfig, *set_names: str) -> Delta:
    """Add sets with all their labels, and share the labelled excerpts out: "URMP+GS"."""
    names = (base.data.labelled, *set_names)
    more, parts = base.data.labelled_excerpts, len(names)
    first, *others = [max(1, (more + parts - 1 - i) // parts) for i in range(parts)]
    changes: dict[str, Any] = {"data.labelled_excerpts": first}
    for name, count in zip(set_names, others, strict=True):
        changes |= {f"data.added.{name}": count, f"data.labelled_share.{name}": 1.0}
    return Delta("+".join(map(_short, names)), changes, relative=True)


def with_labels(set_name: str, share: float) -> Delta:
    """Use the annotations of a share of an added set's tracks: "-5%"."""
    return Delta(f"-{100 * share:g}%", {f"data.labelled_share.{set_name}": share})


def fine_tuning(base: TrialConfig) -> Delta:
    """Train at a fifth of the first stage's learning rate (paper: 1e-4, 5e-4): "-FT"."""
    changes = {"training.learning_rate": base.training.learning_rate / 5}
    return Delta("-FT", changes, relative=True)


def self_supervised_scaled(base: TrialConfig, factor: float) -> Delta:
    """Multiply all self-supervised weights: "SSx0.5"; by 1: the reference row."""
    if factor == 1:
        return REFERENCE
    changes = {f"objectives.weights.{n}": factor * _weight(base, n) for n in SELF_SUPERVISED}
    return Delta(f"SSx{factor:g}", changes, relative=True)


def energy(base: TrialConfig, factor: float = 1.0) -> Delta:
    """Use the energy objective on the added excerpts: "+energy", "+energyx0.3"."""
    return _weighted(base, "energy", ("energy",), factor)


def sparsity(base: TrialConfig, factor: float = 1.0) -> Delta:
    """Use the sparsity objective on the added excerpts: "+sparsity", "+sparsityx0.3"."""
    return _weighted(base, "sparsity", ("sparsity",), factor)


def energy_and_sparsity(base: TrialConfig, factor: float = 1.0) -> Delta:
    """Use both on the added excerpts, the paper's remedy: "+EG", "+EGx0.3"."""
    return _weighted(base, "EG", ("energy", "sparsity"), factor)


def _unit(base: TrialConfig) -> float:
    """Return the weight of the self-supervised objectives, as the paper weights all others.

    A preset that scales those down scales the others with them.
    """
    return mean(_weight(base, name) for name in SELF_SUPERVISED)


def _weighted(base: TrialConfig, label: str, names: tuple[str, ...], factor: float) -> Delta:
    weight = factor * _unit(base)
    suffix = "" if factor == 1 else f"x{factor:g}"
    return Delta(f"+{label}{suffix}", {f"objectives.weights.{name}": weight for name in names})


def teacher(base: TrialConfig, share: float = TEACHER_MEMORY) -> Delta:
    """Take targets Y from a moving average of the network's weights."""
    memory = max(2.0, share * base.training.n_batches)
    return Delta("+teacher", {"objectives.teacher_decay": round(1.0 - 1.0 / memory, 4)})


FROZEN = Delta("+frozen", {"objectives.teacher_decay": 1.0})
"""Targets from the network that the row continues, as it was."""

SCORED = Delta("+EMA", {"objectives.score_teacher": True})
"""Scores and best weights of the teacher instead of the network."""


WEAK = Delta("+weak", {"objectives.view_strength": 0.5})
STRONG = Delta("+strong", {"objectives.view_strength": 1.5})
"""Views that are half as far from the originals, and half as far again."""

PROJECTED = Delta("+pcgrad", {"objectives.project_conflicts": True})
"""Gradients of other terms without their part against the supervised one's."""


def objective(base: TrialConfig, name: str, factor: float = 1.0) -> Delta:
    """Use a further objective, weighted like the self-supervised ones: "+additivity"."""
    return _weighted(base, name, (name,), factor)


def fading_energy(base: TrialConfig) -> Delta:
    """Use energy and sparsity objectives whose weights fall to zero: "+EGx0.3fade"."""
    energetic = energy_and_sparsity(base, FADING_FACTOR)
    fade = {f"objectives.fade.{name}": FADE for name in ("energy", "sparsity")}
    return Delta(f"{energetic.name}fade", {**energetic.changes, **fade})


def labelled_excerpts(base: TrialConfig, ratio: float) -> Delta:
    """Use ``ratio`` times as many labelled excerpts in a batch: "+labelled-16"."""
    count = round(ratio * base.data.labelled_excerpts)
    return Delta(f"+labelled-{count}", {"data.labelled_excerpts": count}, relative=True)


def categorical(base: TrialConfig) -> Delta:
    """Use the cross-entropy of each labelled frame's distribution over pitch: "+categorical"."""
    return Delta("+categorical", {"objectives.weights.categorical": CATEGORICAL_WEIGHT})


def pesto(base: TrialConfig) -> Delta:
    """Use the three self-supervised objectives of PESTO: "+PESTO".

    It balances them by their gradients; these weights do so roughly, in the preset tiny.
    """
    unit = _unit(base)
    weights = {name: unit * factor for name, factor in PESTO_FACTORS.items()}
    return Delta("+PESTO", {f"objectives.weights.{n}": w for n, w in weights.items()})


KL = Delta("+KL", {"objectives.consistency": "KL"})
"""Comparison of views with their targets by the divergence alone: no entropy is minimised."""

STOP_H = Delta("+stop+H", {"objectives.consistency": "stop+H"})
"""No gradient through the targets Y but that of their entropy: what ``KL`` leaves out."""

ADVERSARIAL_FACTOR = 15.0
"""Weight relative to those of the self-supervised objectives; source: its module's."""


def adversarial(base: TrialConfig) -> Delta:
    """Ask that a discriminator takes output on added excerpts for that on labelled ones."""
    weight = ADVERSARIAL_FACTOR * _unit(base)
    return Delta("+adversarial", {"objectives.weights.adversarial": weight})


GOING_ON = 0.5
"""Batches of a row that goes on from another at the full learning rate, as a share of that one's"""


def going_on(base: TrialConfig, name: str) -> Delta:
    """Train for half as long as from the start, at the same learning rate: "-on"."""
    batches = max(1, round(GOING_ON * base.training.n_batches))
    return Delta(name, {"training.n_batches": batches}, relative=True)


MSE_FACTOR = 4.0
"""Weight in units of the cross-entropies': the squared error is a much smaller number."""


def mse(base: TrialConfig) -> Delta:
    """Compare views with their targets by the squared error of saliences: "+MSE"."""
    changes = {f"objectives.weights.{n}": MSE_FACTOR * _weight(base, n) for n in SELF_SUPERVISED}
    return Delta("+MSE", {"objectives.consistency": "MSE", **changes}, relative=True)


TRUTH = Delta("+truth", {"objectives.labelled_targets": "truth"})
"""Views of labelled excerpts taught by the annotation instead of by the network's own output."""

AUG = Delta("+aug", TRUTH.changes)
"""The same where nothing is added: augmentation with labels, and no self-supervision at all."""

RANKED = {"objectives.pseudo_labels.ones": 0.7, "objectives.pseudo_labels.doubtful": 2.0}
"""Peaks that pseudo-labels take for pitches, fewer than there are, and up to which they may err."""
SIGNAL_WEIGHT = 40.0
"""Weight of the energy estimate, in logits: two decibels count as much as one logit."""


def rank(base: TrialConfig) -> Delta:
    """Teach unlabelled excerpts the strongest peaks of a teacher, as many as music has: "+rank"."""
    return Delta("+rank", {**teacher(base).changes, **RANKED})


def signal(base: TrialConfig) -> Delta:
    """Rank by teacher and energy estimate together: "+signal"."""
    weight = {"objectives.pseudo_labels.signal": SIGNAL_WEIGHT}
    return Delta("+signal", {**rank(base).changes, **weight})


OWN_SIGNAL = Delta("+own-signal", {**RANKED, "objectives.pseudo_labels.signal": SIGNAL_WEIGHT})
"""Rank by the network's own output and the energy estimate, without a teacher: what is added is
taught that, and labelled excerpts stay what they are in the closed condition."""


DECOMPOSITION_WEIGHT = 20.0
"""Weight of the harmonic decomposition likewise: labelled peaks are told from others by 14 logits
for a unit of it, and by 22 for one of the energy estimate."""


def decomposed(base: TrialConfig) -> Delta:
    """Rank by teacher and harmonic decomposition together: "+decomposition"."""
    estimate = {"signal": DECOMPOSITION_WEIGHT, "estimate": "decomposition"}
    changes = {f"objectives.pseudo_labels.{name}": value for name, value in estimate.items()}
    return Delta("+decomposition", {**rank(base).changes, **changes})


def pseudo_labels(base: TrialConfig, rule: str) -> Delta:
    """Teach unlabelled excerpts what a teacher says, by one of the rules by confidence: "+soft"."""
    return Delta(f"+{rule}", {**teacher(base).changes, "objectives.pseudo_labels.rule": rule})


def vat(base: TrialConfig) -> Delta:
    """Ask for the same output under the change that moves it most: "+VAT"."""
    return _weighted(base, "VAT", ("vat",), 1.0)


NO_NETWORK = Delta("no network", {"model.network": "energy"})
"""Peaks of the energy estimate e_X: what the input tells without a network."""

HARMONIC_SUM = Delta("harmonic sum", {"model.network": "harmonic_sum"})
"""Peaks of a weighted mean of a pitch's harmonics in decibels: likewise."""

DECOMPOSITION = Delta("decomposition", {"model.network": "decomposition"})
"""Peaks of what each pitch explains of the spectrum: likewise."""

WITHOUT_NETWORK = (NO_NETWORK, HARMONIC_SUM, DECOMPOSITION)


def ceiling(base: TrialConfig, set_name: str, ratio: float) -> Delta:
    """Add excerpts with all their labels, and teach views of all the truth: "ceiling"."""
    changes = {**added(base, set_name, ratio).changes, **with_labels(set_name, 1.0).changes}
    return Delta("ceiling", {**changes, **TRUTH.changes})


RAMP = Delta("+ramp", {f"objectives.ramp.{name}": 0.25 for name in SELF_SUPERVISED})
"""Weights of self-supervised objectives that rise over the first quarter, as DCASE's do."""


def tried(base: TrialConfig) -> list[tuple[Delta, ...]]:
    """Return remedies of others for added excerpts, which ``remedies.py`` runs if asked."""
    average = teacher(base)
    ways = [(KL,), (PROJECTED,), (STOP_GRADIENT, PROJECTED), (STOP_GRADIENT, vat(base))]
    ways += [(mse(base), average, RAMP), (average, SCORED), (TRUTH, average)]
    ways += [(OWN_SIGNAL,), (TRUTH, decomposed(base))]
    return [*ways, *((TRUTH, pseudo_labels(base, rule)) for rule in PSEUDO_LABELS[1:])]


def variants(base: TrialConfig) -> list[Delta]:
    """Return what can be changed about pseudo-labels of ``signal``."""
    return [SCORED, PROJECTED, vat(base), WEAK, STRONG]


def remedies(base: TrialConfig, ratio: float) -> tuple[list[Delta], list[Delta]]:
    """Return remedies of ``content.py``: those that see all excerpts, those on the added ones.

    Args:
        ratio: added excerpts for each labelled one.
    """
    on_all = [STOP_GRADIENT, teacher(base), labelled_excerpts(base, ratio)]
    on_all += [objective(base, name) for name in ("additivity", "feature_dropout")]
    on_content = [objective(base, name) for name in ("content", "contrastive", "entropy")]
    return on_all, [*on_content, fading_energy(base)]
