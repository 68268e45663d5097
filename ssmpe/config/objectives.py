"""What a trial is trained for: names of the objectives, and their weights."""

from collections.abc import Mapping
from dataclasses import dataclass, field

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
)
"""Names of the objectives; ``ssmpe.objectives.REGISTRY`` implements exactly these."""

CONSISTENCIES = ("BCE", "KL", "MSE", "stop+H")
"""Ways to compare a view's output with its target; ``ssmpe.objectives.invariance`` has each."""


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
    gradient. None: Y is the output of the network itself."""
    consistency: str = "BCE"
    """Comparison of a view's output q with its target Y, one of ``CONSISTENCIES``: "BCE" as
    published, H(Y) + KL(Y || q); "KL", without the entropy; "MSE", squared error of saliences;
    "stop+H", the published value, but only H(Y) sends a gradient through Y."""
    fade: Mapping[str, float] = field(default_factory=dict)
    """Objective -> share of the trial's batches over which its weight falls linearly to zero."""

    def __post_init__(self) -> None:
        on = self.content_on
        require(on in ("unlabelled", "all"), "objectives.content_on", on, "'unlabelled' or 'all'")
        for name, weight in self.weights.items():
            known = ", ".join(OBJECTIVES)
            require(name in OBJECTIVES, "objectives.weights", name, f"one of {known}")
            require_within(f"objectives.weights.{name}", weight, 0, _HEAVIEST)
        # a weight of zero is no term: rows that mean the same must have one identity
        active = {n: float(self.weights[n]) for n in OBJECTIVES if self.weights.get(n, 0.0) > 0}
        require(bool(active), "objectives.weights", dict(self.weights), "one weight above 0")
        object.__setattr__(self, "weights", active)
        decay = self.teacher_decay
        ok = decay is None or 0 < decay < 1
        require(ok, "objectives.teacher_decay", decay, "a number between 0 and 1, or null")
        self._check_consistency()
        self._check_fade()

    def _check_consistency(self) -> None:
        how, known = self.consistency, ", ".join(map(repr, CONSISTENCIES))
        require(how in CONSISTENCIES, "objectives.consistency", how, f"one of {known}")
        # with either, the entropy of the target would have no gradient: "KL" by another name
        ok = how != "stop+H" or (not self.stop_gradient and self.teacher_decay is None)
        what = "another one, where stop_gradient or teacher_decay is set"
        require(ok, "objectives.consistency", how, what)

    def _check_fade(self) -> None:
        for name, share in self.fade.items():
            require(name in OBJECTIVES, "objectives.fade", name, f"one of {', '.join(OBJECTIVES)}")
            what = "a share of the batches above 0, 1 at the most"
            require(0 < share <= 1, f"objectives.fade.{name}", share, what)
        # fading of a term that is not there is none, like a weight of zero
        fade = {n: float(self.fade[n]) for n in self.weights if n in self.fade}
        object.__setattr__(self, "fade", fade)
        stays = self.weights.keys() - fade.keys()
        require(bool(stays), "objectives.fade", fade, "one objective that does not fade")
