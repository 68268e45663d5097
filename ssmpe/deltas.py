"""Named deltas that rows are composed of (row names of the published figures)."""

from ssmpe.config import TrialConfig
from ssmpe.sweep import Delta

SHORT_NAMES = {
    "MusicNet/train": "MN",
    "NSynth/train": "NS",
    "FMA/train": "FMA",
    "MedleyDB/all": "MDB",
    "SWD/all": "SWD",
    "MagnaTagATune/all": "MTAT",
}
"""of the unlabelled sets; the first three as in the paper"""

REFERENCE = Delta("Ref.")
"""all self-supervised objectives under closed conditions: nothing added"""


def supervised_only(base: TrialConfig) -> Delta:
    """The supervised objective alone, at the weight it has."""
    weight = base.objectives.weights["supervised"]
    return Delta("supervised", {"objectives.weights": {"supervised": weight}})


def added(base: TrialConfig, set_name: str, ratio: float) -> Delta:
    """Unlabelled excerpts of a set, ``ratio`` times as many as labelled ones: "+MN-16"."""
    count = round(ratio * base.data.labelled_excerpts)
    return Delta(f"+{SHORT_NAMES[set_name]}-{count}", {"data.added": {set_name: count}})
