"""What defines a trial: frozen, validated on construction, identified by a stable hash.

Everything here is scientific (it can change a result). Paths, devices, addresses and numbers of
workers are not, and live with the code that uses them. Default values are the paper's.
"""

import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ssmpe import plain, units
from ssmpe.plain import require

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
)
"""Names of the objectives; ``ssmpe.objectives.REGISTRY`` implements exactly these."""


OPEN = (
    "objectives.weights",
    "objectives.fade",
    "data.added",
    "data.labelled_share",
    "data.max_hours",
    "data.max_tracks",
    "data.options",
)
"""Mappings that take new keys"""

LATER: Mapping[str, Any] = {
    "data.labelled_share": {},
    "data.max_tracks": {},
    "training.parent": "",
    "objectives.teacher_decay": None,
    "objectives.fade": {},
}
"""Settings that have been added since trials are stored -> the value under which a trial is what it
was before: with that they are no part of its identity, so that earlier runs are found again"""


@dataclass(frozen=True)
class GeometryConfig:
    """Time-frequency grid of the HCQT and of every salience-gram (paper section 2.1)."""

    sample_rate: int = 22050
    """Hz"""
    hop_length: int = 256
    """samples"""
    fmin: float = 27.5
    """Hz, centre of bin 0 of the first harmonic"""
    n_bins: int = 440
    bins_per_octave: int = 60
    harmonics: tuple[float, ...] = (0.5, 1.0, 2.0, 3.0, 4.0, 5.0)
    excerpt_seconds: float = 4.0
    """length of a training excerpt"""

    def __post_init__(self) -> None:
        object.__setattr__(self, "harmonics", tuple(float(h) for h in self.harmonics))
        require(self.sample_rate > 0, "geometry.sample_rate", self.sample_rate, "Hz above 0")
        require(self.hop_length > 0, "geometry.hop_length", self.hop_length, "samples above 0")
        require(self.fmin > 0, "geometry.fmin", self.fmin, "Hz above 0")
        # four halvings (n // 2 - 1) must leave at least one row
        require(self.n_bins >= 46, "geometry.n_bins", self.n_bins, "at least 46 bins")
        bpo = self.bins_per_octave
        require(bpo > 0 and bpo % 12 == 0, "geometry.bins_per_octave", bpo, "a multiple of 12")
        valid = 1.0 in self.harmonics and all(h > 0 for h in self.harmonics)
        require(valid, "geometry.harmonics", self.harmonics, "positive numbers, 1.0 among them")
        ok = list(self.harmonics) == sorted(set(self.harmonics))
        require(ok, "geometry.harmonics", self.harmonics, "ascending numbers without repeats")
        top = self.fmin * max(self.harmonics)
        require(top < self.sample_rate / 2, "geometry.fmin", self.fmin, "harmonics below Nyquist")
        require(
            self.excerpt_frames >= 8,
            "geometry.excerpt_seconds",
            self.excerpt_seconds,
            "at least 8 frames",
        )

    @property
    def n_harmonics(self) -> int:
        return len(self.harmonics)

    @property
    def bins_per_semitone(self) -> int:
        return self.bins_per_octave // 12

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.sample_rate / self.hop_length

    @property
    def excerpt_samples(self) -> int:
        return units.seconds_to_samples(self.excerpt_seconds, self.sample_rate)

    @property
    def excerpt_frames(self) -> int:
        return units.n_frames(self.excerpt_samples, self.hop_length)

    @cached_property
    def bin_frequencies(self) -> units.Floats:
        """Centres in Hz of the bins of the first harmonic, and so of the salience: (F,)."""
        import numpy as np

        return units.bin_to_hz(np.arange(self.n_bins), self.fmin, self.bins_per_octave)


@dataclass(frozen=True)
class ModelConfig:
    """The 2D autoencoder (paper section 2.2)."""

    complexity: int = 3
    """m: channels are 2**(i + 1) * 2**(m - 1) at level i"""
    skip_connections: bool = False
    """a learnable scalar per level from encoder to decoder; off in the paper"""
    output_bias: float | None = None
    """start value of the bias of the last convolution; None: PyTorch's own random start"""

    def __post_init__(self) -> None:
        require(1 <= self.complexity <= 6, "model.complexity", self.complexity, "1 to 6")


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
    """treat the targets Y = sigmoid(F(X)) as constants; the published runs do not"""
    content_on: str = "unlabelled"
    """excerpts that terms on content (energy, sparsity, ...) see: "unlabelled", or "all" of them"""
    teacher_decay: float | None = None
    """of the moving average of the network's weights, per batch, whose output is Y; no gradient
    goes there. None: Y is the output of the network itself"""
    fade: Mapping[str, float] = field(default_factory=dict)
    """objective -> share of the trial's batches over which its weight falls linearly to zero"""

    def __post_init__(self) -> None:
        on = self.content_on
        require(on in ("unlabelled", "all"), "objectives.content_on", on, "'unlabelled' or 'all'")
        for name, weight in self.weights.items():
            known = ", ".join(OBJECTIVES)
            require(name in OBJECTIVES, "objectives.weights", name, f"one of {known}")
            ok = math.isfinite(weight) and weight >= 0
            require(ok, f"objectives.weights.{name}", weight, "a finite number from 0")
        # a weight of zero is no term: rows that mean the same must have one identity
        active = {n: float(self.weights[n]) for n in OBJECTIVES if self.weights.get(n, 0.0) > 0}
        require(bool(active), "objectives.weights", dict(self.weights), "one weight above 0")
        object.__setattr__(self, "weights", active)
        decay = self.teacher_decay
        ok = decay is None or 0 < decay < 1
        require(ok, "objectives.teacher_decay", decay, "a number between 0 and 1, or null")
        self._check_fade()

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


@dataclass(frozen=True)
class DataConfig:
    """Which sets a trial learns from and is scored on; names as ``ssmpe.data.registry`` has."""

    source: str = "folder"
    """where the sets come from: "folder" (the user's) or "embedded-SIZE" (rendered)"""
    labelled: str = "URMP/train"
    labelled_excerpts: int = 8
    """excerpts of the labelled set in a batch"""
    added: Mapping[str, int] = field(default_factory=dict)
    """set -> its excerpts added to every batch, without labels but for ``labelled_share``"""
    labelled_share: Mapping[str, float] = field(default_factory=dict)
    """added set -> share of its tracks that are learnt from with their annotations; none of others.
    Counts stay those of ``added``: a set of share 1 is a further labelled set"""
    percussion: str = "E-GMD/train"
    validation: str = "URMP/validation"
    """the set whose F1 selects the best checkpoint"""
    evaluation: tuple[str, ...] = (
        "Bach10/all",
        "Su/all",
        "TRIOS/all",
        "MusicNet/test",
        "GuitarSet/05",
    )
    """further sets scored at every validation"""
    max_hours: Mapping[str, float] = field(default_factory=dict)
    """set -> hours of it that are used, of tracks drawn at random; all of the others"""
    max_tracks: Mapping[str, int] = field(default_factory=dict)
    """set -> number of its tracks that are used, drawn at random; all of the others"""
    options: Mapping[str, bool] = field(default_factory=dict)
    """"<dataset>/<option>" -> choice between published and other behaviour of its loader"""
    sample_format: str = "float32"
    """of decoded unlabelled audio: "float32", or "int16" at half the size on disk"""

    def __post_init__(self) -> None:
        added = {str(k): int(v) for k, v in self.added.items()}
        # a set of zero excerpts is no set: rows that mean the same must have one identity
        object.__setattr__(self, "added", {k: v for k, v in sorted(added.items()) if v != 0})
        object.__setattr__(self, "evaluation", tuple(self.evaluation))
        n = self.labelled_excerpts
        require(n >= 1, "data.labelled_excerpts", n, "at least 1")
        for name, count in self.added.items():
            require(count > 0, f"data.added.{name}", count, "a count from 0")
        self._check_parts()
        object.__setattr__(self, "options", dict(sorted(self.options.items())))
        form = self.sample_format
        require(form in ("float32", "int16"), "data.sample_format", form, "'float32' or 'int16'")

    def _check_parts(self) -> None:
        """Check what is said of parts of sets, and drop what is without effect."""
        for name, value in self.max_hours.items():
            require(value > 0, f"data.max_hours.{name}", value, "hours above 0")
        for name, count in self.max_tracks.items():
            require(count >= 1, f"data.max_tracks.{name}", count, "at least 1")
        for name, share in self.labelled_share.items():
            require(0 <= share <= 1, f"data.labelled_share.{name}", share, "a share from 0 to 1")
        # a cap on a set that is not used is none, like a set of zero excerpts
        hours = {k: float(v) for k, v in sorted(self.max_hours.items()) if k in self.names}
        tracks = {k: int(v) for k, v in sorted(self.max_tracks.items()) if k in self.names}
        shares = {k: float(v) for k, v in sorted(self.labelled_share.items()) if k in self.added}
        object.__setattr__(self, "max_hours", hours)
        object.__setattr__(self, "max_tracks", tracks)
        object.__setattr__(self, "labelled_share", {k: v for k, v in shares.items() if v > 0})

    @property
    def evaluated_sets(self) -> tuple[str, ...]:
        """Every set scored at a validation, the validation set first, none twice."""
        return tuple(dict.fromkeys((self.validation, *self.evaluation)))

    @property
    def names(self) -> tuple[str, ...]:
        """Every set that a trial uses."""
        return (self.labelled, *self.added, self.percussion, *self.evaluated_sets)

    @property
    def unlabelled(self) -> Mapping[str, int]:
        """Those added sets of which any track is without labels -> excerpts of them in a batch."""
        return {k: v for k, v in self.added.items() if self.labelled_share.get(k) != 1.0}

    @property
    def counterparts(self) -> tuple[str, ...]:
        """Evaluated sets of the datasets that are added: "MusicNet/test" for "MusicNet/train"."""
        added = {name.split("/")[0] for name in self.added}
        return tuple(name for name in self.evaluated_sets if name.split("/")[0] in added)

    @property
    def batch_excerpts(self) -> int:
        """Excerpts of a whole batch, labelled and added."""
        return self.labelled_excerpts + sum(self.added.values())


@dataclass(frozen=True)
class TrainingConfig:
    """Optimisation (paper section 3.1); lengths are counted in batches."""

    seed: int = 0
    n_batches: int = 10_000
    validate_every: int = 250
    """batches between two validations, each with a checkpoint"""
    learning_rate: float = 5e-4
    """of the encoder"""
    decoder_lr_factor: float = 0.5
    warmup_batches: int = 400
    clip_norm: float = 1.0
    weight_decay: float = 0.01
    mixed_precision: bool = True
    """autocast on a GPU; without effect on a CPU"""
    parent: str = ""
    """identity of the trial whose best weights this one starts from; "": random weights"""

    def __post_init__(self) -> None:
        require(self.n_batches >= 1, "training.n_batches", self.n_batches, "at least 1")
        every = self.validate_every
        require(every >= 1, "training.validate_every", every, "at least 1")
        lr = self.learning_rate
        require(0 < lr < 1, "training.learning_rate", lr, "a number between 0 and 1")
        factor = self.decoder_lr_factor
        require(factor > 0, "training.decoder_lr_factor", factor, "above 0")
        require(self.warmup_batches >= 0, "training.warmup_batches", self.warmup_batches, "from 0")
        require(self.clip_norm > 0, "training.clip_norm", self.clip_norm, "above 0")
        require(self.weight_decay >= 0, "training.weight_decay", self.weight_decay, "from 0")
        ok = re.fullmatch(r"([0-9a-f]{12})?", self.parent) is not None
        require(ok, "training.parent", self.parent, "a trial's identity, 12 hexadecimal digits")


@dataclass(frozen=True)
class TrialConfig:
    """One trial: with its seed, it determines every number the trial produces."""

    geometry: GeometryConfig = field(default_factory=GeometryConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    objectives: ObjectivesConfig = field(default_factory=ObjectivesConfig)
    data: DataConfig = field(default_factory=DataConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def to_dict(self) -> dict[str, Any]:
        """Nested plain data, JSON-representable."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "TrialConfig":
        """The inverse of :meth:`to_dict`; unknown keys raise UserError."""
        return plain.build(cls, values)

    def replace(self, changes: Mapping[str, Any]) -> "TrialConfig":
        """A copy with dotted paths set to new values, e.g. ``{"training.seed": 3}``.

        A path ends at a field, or at a key of a mapping field (``objectives.weights.timbre``).
        """
        values = self.to_dict()
        for path, value in changes.items():
            plain.set_path(values, path, value, OPEN)
        return TrialConfig.from_dict(values)

    @cached_property
    def identity(self) -> str:
        """12 hexadecimal digits that depend on the configuration alone."""
        values = self.to_dict()
        for path, before in LATER.items():
            group, name = path.split(".")
            if values[group][name] == before:
                del values[group][name]
        text = json.dumps(values, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def flat(self) -> dict[str, Any]:
        """Dotted path -> value, mappings flattened, tuples kept as lists."""
        return dict(plain.flatten(self.to_dict()))
