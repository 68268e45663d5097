"""The sets of a trial."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ssmpe.config.plain import require, require_within

_MOST_EXCERPTS, _MOST_HOURS, _MOST_TRACKS = 10_000, 1_000_000, 1_000_000_000


@dataclass(frozen=True)
class DataConfig:
    """Sets that a trial learns from and is scored on, by their names in the registry."""

    source: str = "folder"
    """Where the sets come from: "folder" (the user's) or "embedded-SIZE" (rendered)."""
    labelled: str = "URMP/train"
    labelled_excerpts: int = 8
    """Number of excerpts of the labelled set in a batch."""
    added: Mapping[str, int] = field(default_factory=dict)
    """Set -> its excerpts added to every batch, without labels but for ``labelled_share``."""
    labelled_share: Mapping[str, float] = field(default_factory=dict)
    """Added set -> share of its tracks that are learnt from with their annotations; none of others.
    Counts stay those of ``added``: a set of share 1 is a further labelled set."""
    percussion: str = "E-GMD/train"
    validation: str = "URMP/validation"
    """Set on which thresholds are tuned, and whose F1 at its own selects the best checkpoint."""
    evaluation: tuple[str, ...] = (
        "Bach10/all",
        "Su/all",
        "TRIOS/all",
        "MusicNet/test",
        "GuitarSet/05",
    )
    """Further sets that are scored at every validation."""
    max_hours: Mapping[str, float] = field(default_factory=dict)
    """Set -> hours of it that are used, of tracks drawn at random; of others, all."""
    max_tracks: Mapping[str, int] = field(default_factory=dict)
    """Set -> number of its tracks that are used, drawn at random; of others, all."""
    options: Mapping[str, bool] = field(default_factory=dict)
    """"<dataset>/<option>" -> choice between published and other behaviour of its loader."""
    sample_format: str = "float32"
    """Format of decoded unlabelled audio: "float32", or "int16" at half the size on disk."""

    def __post_init__(self) -> None:
        added = {str(k): int(v) for k, v in self.added.items()}
        # a set of zero excerpts is no set: rows that mean the same must have one identity
        object.__setattr__(self, "added", {k: v for k, v in sorted(added.items()) if v != 0})
        object.__setattr__(self, "evaluation", tuple(self.evaluation))
        require_within("data.labelled_excerpts", self.labelled_excerpts, 1, _MOST_EXCERPTS)
        for name, count in self.added.items():
            require_within(f"data.added.{name}", count, 0, _MOST_EXCERPTS)
        self._check_parts()
        object.__setattr__(self, "options", dict(sorted(self.options.items())))
        form = self.sample_format
        require(form in ("float32", "int16"), "data.sample_format", form, "'float32' or 'int16'")

    def _check_parts(self) -> None:
        """Check what is said of parts of sets, and drop what is without effect."""
        for name, value in self.max_hours.items():
            what = f"hours above 0, {_MOST_HOURS:,} at the most"
            require(0 < value <= _MOST_HOURS, f"data.max_hours.{name}", value, what)
        for name, count in self.max_tracks.items():
            require_within(f"data.max_tracks.{name}", count, 1, _MOST_TRACKS)
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
