"""Words that answers, figures and tables use, explained where a page begins."""

from ssmpe.evaluation.collapse import DEFAULT, KINDS

ROW = ("Ref.", "the reference row: every objective, no unlabelled excerpts added")
HALF = (
    (
        "at 0.5 (½)",
        "a pitch is found where the network's salience reaches 0.5, as published",
    ),
    ("blank", "a sounding frame in which no pitch is found; the blank rate is the share of these"),
    (
        "alive",
        f"its blank rate has been {DEFAULT.alive:g} or less; every network starts blank",
    ),
    (
        "collapsed",
        f"a blank rate of {DEFAULT.blank:g} or more from some batch on to the end, after the set, "
        "or the labelled one, was alive",
    ),
)
FREE = (
    (
        "tuned threshold",
        "the salience at which the labelled validation set scores best; tuned F1 counts pitches "
        "from there on, on all sets",
    ),
    (
        "average precision (AP)",
        "precision averaged over all thresholds, so that no threshold enters: the content of an "
        "output, whatever its level",
    ),
    ("level sunk", "collapsed, but content is intact: a lower threshold finds the pitches"),
    (
        "content lost",
        f"average precision has fallen below {KINDS.kept:g} of what it was, or of Ref.'s",
    ),
    ("constant pattern", "the same output whatever is played"),
    ("all on", "salience nearly everywhere"),
)


def words(tuned: bool) -> tuple[tuple[str, str], ...]:
    """Return words and their meanings; those of scores beside 0.5 where a sweep has such."""
    return (ROW, *HALF, *(FREE if tuned else ()))
