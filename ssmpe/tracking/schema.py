"""Names under which a sweep is found in an MLflow store; written by tracking, read by analysis."""

from enum import StrEnum

KIND = "ssmpe.kind"
"""Tag: "sweep" of a parent run, "trial" of a child run"""
KIND_SWEEP = "sweep"
KIND_TRIAL = "trial"
SWEEP = "ssmpe.sweep"
"""Tag of parent and children: the sweep's own name, unique in a store"""
SCRIPT = "ssmpe.script"
"""Tag: which sweep file it came from, for example "sample_count"; also the experiment's name"""
QUESTION = "ssmpe.question"
"""Tag of the parent: the question the sweep answers"""
PRESET = "ssmpe.preset"
"""Tag: name of the preset"""
DATA = "ssmpe.data"
"""Tag: what the data are, in words: "embedded world (tiny)", or the data root's path"""
STATE = "ssmpe.state"
"""Tag of the parent: running, finished, failed or interrupted"""
TRIAL = "ssmpe.trial"
"""Tag of a child: identity (hash) of its configuration"""
ROW = "ssmpe.row"
"""Tag of a child: its row of the experiment table, for example +MN-4"""
SEED = "ssmpe.seed"
"""Tag of a child: its seed"""
ADDED_SET = "ssmpe.added_set"
"""Tag of a child: the unlabelled set it adds, "" if none"""
ADDED_EXCERPTS = "ssmpe.added_excerpts"
"""Tag of a child: excerpts of that set in a batch"""
END_REASON = "ssmpe.end_reason"
"""Tag of a child that has ended: an ``EndReason``"""
COLLAPSED_AT = "ssmpe.collapsed_at"
"""Tag of a child that has ended: JSON object, set name -> batch from which it was blank to the
end, or null"""
FAILURE = "ssmpe.failure"
"""Tag of a child that failed by its own doing: what happened"""
CONTINUES = "ssmpe.continues"
"""Tag of a child that starts from another trial's best weights: the name of that trial's run"""
CONTINUED_RUN = "ssmpe.parent_run"
"""Tag of the same, if the sweep has not made those weights: id of the run they were taken from"""
COPIED_FROM = "ssmpe.copied_from"
"""Tag of a child that was not trained in its sweep: id of the run that it is a copy of"""
PLANNED = "ssmpe.planned"
"""Tag of a search's parent: number of trials it is to have"""
OBJECTIVES = "ssmpe.objectives"
"""Tag of a search's parent: JSON, [metric key, "maximize" or "minimize"] of every objective"""
SPACE = "ssmpe.space"
"""Tag of a search's parent: JSON object, parameter -> where it is drawn from, as Optuna's
``distribution_to_json`` has it"""
SUGGESTION = "ssmpe.suggestion"
"""Tag of a search's child: its number in Optuna's study"""
SUGGESTED = "search."
"""Prefix of a search's child's parameters: what was suggested for it"""
PARENT_RUN = "mlflow.parentRunId"
"""Tag by which MLflow nests runs"""
NOTE = "mlflow.note.content"
"""Tag: description of a run, in Markdown; shown on top of its page"""
VIEW_PREFIX = "mlflow.sharedViewState."
"""Tags of an experiment that begin so hold views saved in MLflow's interface"""

COUNTED = ("objectives.weights.", "data.added.")
"""Beginnings of the parameters of a child that are 0 where its configuration has none, but that of
another child has"""

CONFIG_ARTIFACT = "config.json"
BEST_CHECKPOINT_ARTIFACT = "checkpoint/best"
SALIENCE_ARTIFACTS = "salience"
"""Folder of pictures: salience/<set with - for />/<batch, 6 digits>.png"""
SCORES_ARTIFACTS = "scores"
"""Folder of tables of the last validation: scores/<set with - for />.csv, a line per track"""
HISTOGRAM_ARTIFACTS = "salience_histograms"
"""Folder of tables of the salience of training, if measured, one per validation"""
HISTOGRAM_COLUMNS = ("set", "low", "high", "share")
"""Columns of such a table: share of the bins with a salience from low to high, on the set"""
FIGURES_ARTIFACTS = "figures"
"""Folder of the parent's figures and tables"""

TOTAL_LOSS = "loss/total"
TRAIN_SECONDS = "time/train_seconds"
EVALUATION_SECONDS = "time/evaluation_seconds"
"""Metrics: wall time since the last validation; the only ones that differ between reruns"""

THRESHOLD = "threshold"
"""Metric: salience at which the labelled validation set is scored best at that validation; of the
measures "f1_tuned" and "blank_rate_tuned" of every set"""


class EndReason(StrEnum):
    """A reason why a trial ended, as its tag has it."""

    COMPLETED = "completed"
    COLLAPSED = "collapsed"
    PRUNED = "pruned"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


def set_metric(set_name: str, measure: str) -> str:
    """Return the metric key of one of ``ALL_MEASURES`` on a set, as "URMP/validation/f1"."""
    return f"{set_name}/{measure}"


def scores_file(set_name: str) -> str:
    """Return the name of a set's table among the ``SCORES_ARTIFACTS``."""
    return f"{set_name.replace('/', '-')}.csv"


def loss_metric(objective: str) -> str:
    """Return the metric key of a loss term, as "loss/timbre"."""
    return f"loss/{objective}"


def gradient_metric(part: str, measure: str, objective: str) -> str:
    """Return the metric key of a term's gradient, as "gradient/encoder/cosine/timbre"."""
    return f"gradient/{part}/{measure}/{objective}"


def term_metric(objective: str, set_name: str) -> str:
    """Return the metric key of a term on a set's excerpts, as "term/timbre/MusicNet/train"."""
    return f"term/{objective}/{set_name}"


def pull_metric(where: str, measure: str, objective: str, set_name: str) -> str:
    """Return the key of a term's gradient at the output, as "pull/target/mean/timbre/FMA/train".

    Args:
        where: "target", "view" or "output".
        measure: "mean", its parts "below" and "above" one half, or "norm".
    """
    return f"pull/{where}/{measure}/{objective}/{set_name}"


def salience_metric(measure: str, set_name: str) -> str:
    """Return the metric key of the salience on a set, as "salience/MusicNet/train/entropy"."""
    return f"salience/{set_name}/{measure}"


def histogram_file(batch: int) -> str:
    """Return the name of a table among the ``HISTOGRAM_ARTIFACTS``."""
    return f"{batch:06d}.csv"
