"""What a trial is trained for: names of the objectives, and their weights."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ssmpe.config.model import ESTIMATES
from ssmpe.config.plain import require, require_within

_HEAVIEST = 1e9
"""Largest weight of an objective."""

OBJECTIVES = (
    "supervised",
    "timbre",
    "percussion",
    "geometric",
    "energy",
    "sparsity",
    "support",
    "harmonic",
    "entropy",
    "content",
    "contrastive",
    "additivity",
    "feature_dropout",
    "categorical",
    "categorical_invariance",
    "shift_cross_entropy",
    "transposition",
    "adversarial",
    "vat",
    "reverberation",
)
"""Names of the package's objectives; ``ssmpe.objectives.REGISTRY`` implements exactly these."""
_own: set[str] = set()
"""Names of the objectives that a user's file has brought into this process."""
_NAME = re.compile(r"[A-Za-z]\w{0,39}", re.ASCII)
"""What an objective may be called: a key of settings and of metrics."""

LABELLED_TARGETS = ("salience", "truth")
"""What the views of labelled excerpts are compared with; ``ssmpe.objectives.targets`` has each."""
CONSISTENCIES = ("BCE", "KL", "MSE", "stop+H")
"""Ways to compare a view's output with its target; ``ssmpe.objectives.invariance`` has each."""
PSEUDO_LABELS = ("rank", "threshold", "matched", "soft", "free", "aligned", "debiased")
"""Rules by which targets are made of a teacher's output; ``ssmpe.objectives.pseudo`` has each."""

_STRONGEST = 2.0
"""Largest strength of views: two octaves, half of an excerpt's time."""
_MOST_PITCHES = 1000.0
"""Largest number of peaks in units of the true pitches."""


def name_own(name: str) -> None:
    """Let configurations of this process name an objective that is not the package's.

    Raises:
        UserError: it is no name, or that of one of the package's.
    """
    ok = isinstance(name, str) and bool(_NAME.fullmatch(name))
    require(ok, "an objective's name", name, "letters, digits and _, a letter first")
    require(name not in (*OBJECTIVES, "total"), "an objective's name", name, "one that is free")
    _own.add(name)


def require_known(values: Mapping[str, Any], kept: Collection[str]) -> None:
    """Check the objectives that settings name against those that there are in this process.

    A stored configuration may name others, of a file that is not here: it is read all the same.

    Args:
        values: settings, as plain data.
        kept: names that were in the configuration before.

    Raises:
        UserError: one is unknown; names those there are.
    """
    known = (*OBJECTIVES, *sorted(_own))
    for setting in ("weights", "fade", "ramp"):
        given = values.get(setting)
        for name in given if isinstance(given, Mapping) else ():
            ok = name in known or name in kept
            require(ok, f"objectives.{setting}", name, f"one of {', '.join(known)}")


@dataclass(frozen=True)
class PseudoLabelsConfig:
    """Targets of unlabelled excerpts that are ones, zeros, or nothing.

    Off if the rule is "rank" and ``ones`` is 0. Peaks are counted in units of the pitches per frame
    that the labelled excerpts have; ``ssmpe.objectives.pseudo`` tells what becomes of them.
    """

    ones: float = 0.0
    """Strongest peaks of the teacher's output that are ones; 0: views are compared with Y."""
    doubtful: float = 2.0
    """Strongest peaks, those of ``ones`` included, below the last of which all bins are zeros; of
    what is between nothing is asked."""
    signal: float = 0.0
    """Weight of an estimate from the signal, which is added to the teacher's logits before peaks
    are ranked; 0: the teacher alone."""
    estimate: str = "energy"
    """That estimate, one of ``ssmpe.config.model.ESTIMATES``."""
    memory: float = 0.99
    """Decay per batch of the moving averages that a rule needs: of labels, of the output."""
    rule: str = "rank"
    """One of ``PSEUDO_LABELS``: "rank", peaks of the teacher's output in their order; by its
    confidence: "threshold", "matched" (as many ones among zeros as labels have), "soft" and "free"
    (weights and thresholds that follow the output), "debiased" (a threshold for output without its
    usual level); or "aligned", the output itself, brought to the level that labels have."""
    confidence: float = 0.95
    """Least salience of ones; that of zeros is as far from 1 at the most."""

    def __post_init__(self) -> None:
        group = "objectives.pseudo_labels"
        rule, known = self.rule, ", ".join(map(repr, PSEUDO_LABELS))
        require(rule in PSEUDO_LABELS, f"{group}.rule", rule, f"one of {known}")
        require_within(f"{group}.ones", self.ones, 0, _MOST_PITCHES)
        doubtful, most = self.doubtful, f"{_MOST_PITCHES:g} at the most"
        ok = self.ones <= doubtful <= _MOST_PITCHES and doubtful > 0
        require(ok, f"{group}.doubtful", doubtful, f"above 0, no less than ones, {most}")
        require_within(f"{group}.signal", self.signal, 0, _HEAVIEST)
        known = ", ".join(map(repr, ESTIMATES))
        require(self.estimate in ESTIMATES, f"{group}.estimate", self.estimate, f"one of {known}")
        ok = 0 <= self.memory < 1
        require(ok, f"{group}.memory", self.memory, "a number from 0, below 1")
        ok = 0.5 <= self.confidence < 1
        require(ok, f"{group}.confidence", self.confidence, "a number from 0.5, below 1")
        # what does not count is as if not set: rows that mean the same must have one identity
        counting = self._counting()
        for setting in fields(self):
            if setting.name not in counting:
                object.__setattr__(self, setting.name, setting.default)

    @property
    def on(self) -> bool:
        """Whether there are any."""
        return self.rule != "rank" or self.ones > 0

    def _counting(self) -> tuple[str, ...]:
        """Return the settings that count."""
        if not self.on:
            return ()
        if self.rule == "rank":
            estimate = ("signal", "estimate") if self.signal > 0 else ()
            return "rule", "ones", "doubtful", *estimate, "memory"
        least = ("confidence",) if self.rule in ("threshold", "matched", "debiased") else ()
        return "rule", *least, *(() if self.rule == "threshold" else ("memory",))


@dataclass(frozen=True)
class ObjectivesConfig:
    """Weights of the terms of the loss (paper section 2.3); a missing one is zero and costs 0."""

    weights: Mapping[str, float] = field(
        default_factory=lambda: {
            "supervised": 1.0,
            "timbre": 1.0,
            "percussion": 1.0,
            "geometric": 1.0,
        }
    )
    stop_gradient: bool = False
    """Whether the targets Y = sigmoid(F(X)) are constants; in the published runs they are not."""
    content_on: str = "unlabelled"
    """Excerpts that terms on content (energy, sparsity, ...) see: "unlabelled", or "all"."""
    teacher_decay: float | None = None
    """Decay per batch of a moving average of the network's weights, whose output is then Y, without
    gradient. 1: it stays what it begins with, the weights of the trial that this one continues
    (noisy student, arXiv 1911.04252). None: Y is the output of the network itself."""
    score_teacher: bool = False
    """Whether validations score that average instead of the network; it then is what the trial
    gives: its best weights, and what others continue."""
    consistency: str = "BCE"
    """Comparison of a view's output q with its target Y, one of ``CONSISTENCIES``: "BCE" as
    published, H(Y) + KL(Y || q); "KL", without the entropy; "MSE", squared error of saliences;
    "stop+H", the published value, but only H(Y) sends a gradient through Y."""
    labelled_targets: str = "salience"
    """What the views of labelled excerpts are compared with: "salience", Y, as of any other; or
    "truth", the annotation as the supervised objective has it, changed with the view."""
    pseudo_labels: PseudoLabelsConfig = field(default_factory=PseudoLabelsConfig)
    """What the views of unlabelled excerpts are compared with instead of Y."""
    view_strength: float = 1.0
    """How far views are from the originals at the most: factor of how deep equalisation goes, how
    loud drums are, how far pitch and time are shifted, how often harmonics are missing and how
    much comes back from a room, exponent of how far time is stretched."""
    project_conflicts: bool = False
    """Whether the gradient of all other terms together loses its part against the supervised one's,
    where they conflict. It costs a further gradient of the originals, unless their output is of no
    account to the others (targets without gradient)."""
    fade: Mapping[str, float] = field(default_factory=dict)
    """Objective -> share of the trial's batches over which its weight falls linearly to zero."""
    ramp: Mapping[str, float] = field(default_factory=dict)
    """Objective -> share of the trial's batches over which its weight rises linearly from zero."""

    def __post_init__(self) -> None:
        on = self.content_on
        require(on in ("unlabelled", "all"), "objectives.content_on", on, "'unlabelled' or 'all'")
        for name, weight in self.weights.items():
            _require_name("objectives.weights", name)
            require_within(f"objectives.weights.{name}", weight, 0, _HEAVIEST)
        # a weight of zero is no term: rows that mean the same must have one identity; and one order
        # of their terms, whichever was registered first
        order = (*OBJECTIVES, *sorted(self.weights.keys() - set(OBJECTIVES)))
        active = {n: float(self.weights[n]) for n in order if self.weights.get(n, 0.0) > 0}
        require(bool(active), "objectives.weights", dict(self.weights), "one weight above 0")
        object.__setattr__(self, "weights", active)
        if "supervised" not in active or len(active) == 1:  # there is no conflict
            object.__setattr__(self, "project_conflicts", False)
        decay = self.teacher_decay
        ok = decay is None or 0 < decay <= 1
        require(ok, "objectives.teacher_decay", decay, "a number above 0, 1 at the most, or null")
        scored, what = self.score_teacher, "false, where the teacher stays as it is"
        require(not scored or decay != 1, "objectives.score_teacher", scored, what)
        if decay is None:  # there is none
            object.__setattr__(self, "score_teacher", False)
        require_within("objectives.view_strength", self.view_strength, 0, _STRONGEST)
        taught, known = self.labelled_targets, " or ".join(map(repr, LABELLED_TARGETS))
        require(taught in LABELLED_TARGETS, "objectives.labelled_targets", taught, known)
        self._check_consistency()
        self._check_course("fade", "fade")
        self._check_course("ramp", "rise")

    def _check_consistency(self) -> None:
        how, known = self.consistency, ", ".join(map(repr, CONSISTENCIES))
        require(how in CONSISTENCIES, "objectives.consistency", how, f"one of {known}")
        # with either, the entropy of the target would have no gradient: "KL" by another name
        ok = how != "stop+H" or (not self.stop_gradient and self.teacher_decay is None)
        what = "another one, where stop_gradient or teacher_decay is set"
        require(ok, "objectives.consistency", how, what)

    def _check_course(self, name: str, verb: str) -> None:
        """Check shares of the batches over which weights change, and drop what is without effect.

        Args:
            name: of the setting.
            verb: what it lets the weights do.
        """
        setting, given = f"objectives.{name}", getattr(self, name)
        for objective, share in given.items():
            _require_name(setting, objective)
            what = "a share of the batches above 0, 1 at the most"
            require(0 < share <= 1, f"{setting}.{objective}", share, what)
        # a change of a term that is not there is none, like a weight of zero
        kept = {n: float(given[n]) for n in self.weights if n in given}
        object.__setattr__(self, name, kept)
        stays = self.weights.keys() - self.fade.keys() - kept.keys()
        require(bool(stays), setting, kept, f"one objective that does not {verb}")


def _require_name(setting: str, name: object) -> None:
    ok = isinstance(name, str) and bool(_NAME.fullmatch(name))
    require(ok, setting, name, f"one of {', '.join(OBJECTIVES)}, or one of your own")
