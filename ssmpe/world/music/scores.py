"""Scores of music21's bundled corpus, read from the installed package, as plain lists of notes."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from ssmpe.errors import DataError


@dataclass(frozen=True)
class ScoreNote:
    """A sounding note: onset and duration in quarter notes, MIDI key."""

    onset: float
    duration: float
    key: int


Part = tuple[ScoreNote, ...]


@dataclass(frozen=True)
class Score:
    """Parts from the highest to the lowest, as printed; ties are joined, grace notes left out."""

    parts: tuple[Part, ...]

    @property
    def end(self) -> float:
        """When the last note ends, in quarter notes."""
        return max(note.onset + note.duration for part in self.parts for note in part)


def corpus_root() -> Path:
    """Return the folder of music21's bundled corpus."""
    from music21 import common

    return Path(common.getCorpusFilePath())


def read_score(piece: str) -> Score:
    """Parse a piece, named by its path within the corpus.

    Raises:
        DataError: the corpus has no such file, or it holds no notes.
    """
    from music21 import converter

    path = corpus_root() / piece
    if not path.is_file():
        raise DataError(f"{path}: missing from the installed music21 corpus; reinstall music21")
    parser = converter.Converter()
    # Not from music21's cache of pickles: its folder is one that anybody can write to.
    parser.parseFileNoPickle(path)
    parts = tuple(filter(None, (_notes(part) for part in parser.stream.parts)))
    if not parts:
        raise DataError(f"{path}: holds no notes")
    return Score(parts)


def _notes(part: object) -> Part:
    """Return all notes of a music21 part, ties joined, in order of onset and key."""
    from music21 import harmony

    found: list[ScoreNote] = []
    tied: dict[int, int] = {}  # key -> index in found of the note that its tie continues
    for element in part.flatten().notes:  # type: ignore[attr-defined]
        if isinstance(element, harmony.ChordSymbol) or not element.quarterLength:
            continue
        onset = float(Fraction(element.offset))
        duration = float(Fraction(element.quarterLength))
        for note in getattr(element, "notes", (element,)):
            key = note.pitch.midi
            continued = tied.pop(key, None)
            if continued is not None and note.tie and note.tie.type in ("continue", "stop"):
                first = found[continued]
                found[continued] = ScoreNote(first.onset, onset + duration - first.onset, key)
                index = continued
            else:
                index = len(found)
                found.append(ScoreNote(onset, duration, key))
            if note.tie and note.tie.type in ("start", "continue"):
                tied[key] = index
    return tuple(sorted(found, key=lambda n: (n.onset, n.key)))
