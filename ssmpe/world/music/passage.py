"""Choice of a passage of a score in which all players have something to play."""

import numpy as np

from ssmpe.world.music.scores import Part, Score, ScoreNote

CANDIDATE_STARTS = 24
BAR = 4  # quarter notes between candidate starts


def passage(score: Score, length: float, needed: int, rng: np.random.Generator) -> list[Part]:
    """Choose a passage of a score and ``needed`` parts, all of which have something to play there.

    Args:
        length: of the passage in quarter notes.

    Returns:
        The parts, timed from the start of the passage, in the order of the score.
    """
    starts = np.arange(0, max(score.end - length, BAR / 2), BAR)
    windows = [
        _busiest([_window(part, start, length) for part in score.parts], needed, length)
        for start in rng.permutation(starts)[:CANDIDATE_STARTS]
    ]
    return max(windows, key=lambda parts: min(map(_played, parts)) + 0.1 * sum(map(_played, parts)))


def _busiest(parts: list[Part], needed: int, length: float) -> list[Part]:
    """Return the ``needed`` parts that play the most, in order; of equals, the outer ones."""
    last = len(parts) - 1
    # Rounded to quarters of the window, so that parts that play about as much are equals.
    rank = sorted(
        range(len(parts)),
        key=lambda i: (-round(4 * _played(parts[i]) / length), i not in (0, last)),
    )
    return [parts[i] for i in sorted(rank[:needed])]


def _played(part: Part) -> float:
    """Return for how many quarter notes a part plays."""
    return sum(note.duration for note in part)


def _window(part: Part, start: float, length: float) -> Part:
    """Return the notes that begin within a window, cut at its end, timed from its start."""
    return tuple(
        ScoreNote(n.onset - start, min(n.duration, start + length - n.onset), n.key)
        for n in part
        if start <= n.onset < start + length - 0.05
    )
