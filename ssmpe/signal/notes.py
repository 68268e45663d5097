"""From the salience of frames to notes, by a rule with two thresholds and the signal's own rises.

A note begins where the salience of its semitone rises through the higher threshold, and ends where
it falls through the lower one; between two frames the salience is taken as a straight line, so
times are finer than frames. Where the level of the first harmonic rises steeply while a note
sounds, it is struck again: a salience that stays high does not tell that.
"""

import math
from dataclasses import asdict, dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ssmpe import units
from ssmpe.config import GeometryConfig
from ssmpe.data.files.annotation import NoteAnnotation
from ssmpe.signal.features import DYNAMIC_RANGE
from ssmpe.signal.salience import peaks

N_PITCHES = 128
"""MIDI's notes; what lies outside is left out"""
MOST_LOGITS, MOST = 50.0, 1000.0
"""Bounds on what a rule says, which may be anybody's"""
NEUTRAL = 0.8
"""Level of the first harmonic, 16 dB below the maximum, at which the signal adds no opinion"""
_UP = 1e-6
_CONTEXT = 2
"""Frames to either side that what happens in a frame depends on"""
_Table = NDArray[np.float64]


@dataclass(frozen=True)
class NoteRule:
    """Rule by which notes are made; thresholds are relative to that of pitches.

    Attributes:
        on: logits above the threshold of pitches to which a note must rise.
        off: logits above it, mostly negative, down to which the note goes on.
        least: seconds of the shortest note.
        gap: seconds of the longest silence that does not end a note.
        strike: dB by which the first harmonic rises, from the frame before to that behind, where a
            note is struck again.
        signal: logits that a level of the first harmonic of 1, not 0, adds to the network's: a
            second opinion. 0: the network alone.
    """

    on: float = 0.0
    off: float = -0.5
    least: float = 0.07
    gap: float = 0.0
    strike: float = 7.0
    signal: float = 0.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError(f"a rule of notes with {name} = {value!r:.40}, which is no number")
            if not abs(value) <= (MOST_LOGITS if name in ("on", "off") else MOST):
                raise ValueError(f"a rule of notes with {name} = {value}, which is beyond bounds")
        if not (self.off <= self.on and self.least > 0 and self.strike > 0):
            raise ValueError(f"{self}: expected off <= on, least > 0 and strike > 0")
        if not (self.gap >= 0 and self.signal >= 0):
            raise ValueError(f"{self}: expected gap >= 0 and signal >= 0")

    def thresholds(self, threshold: float) -> tuple[float, float]:
        """Return the saliences of ``on`` and ``off``, given that of pitches."""
        return _shifted(threshold, self.on), _shifted(threshold, self.off)


def rule_of(plain: object) -> NoteRule | None:
    """Return the rule that JSON data tell; None of None.

    Raises:
        ValueError: they are none of a rule.
    """
    if plain is None:
        return None
    if not isinstance(plain, dict) or set(plain) != {f.name for f in fields(NoteRule)}:
        raise ValueError(f"{plain!r:.80}, which is no rule of notes")
    return NoteRule(**plain)


@dataclass(frozen=True)
class Notes:
    """Notes by onset, then by pitch.

    Attributes:
        pitches: (N,) MIDI numbers.
        onsets, offsets: (N,) seconds.
        levels: (N,) largest level of the first harmonic, from 0 to 1.
    """

    pitches: NDArray[np.int64]
    onsets: NDArray[np.float64]
    offsets: NDArray[np.float64]
    levels: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.pitches)

    @property
    def annotation(self) -> NoteAnnotation:
        """The notes as an annotation has them."""
        return NoteAnnotation(self.onsets, self.offsets, units.midi_to_hz(self.pitches))


class Semitones:
    """Semitones of a geometry's bins that MIDI has.

    Attributes:
        pitches: (P,) MIDI numbers.
    """

    def __init__(self, geometry: GeometryConfig) -> None:
        self._bins = units.hz_to_midi(geometry.bin_frequencies)
        self._step = 1.0 / geometry.bins_per_semitone
        inside = _semitone(self._bins)
        self.pitches = np.unique(inside[(inside >= 0) & (inside < N_PITCHES)])

    def of(self, salience: Tensor, features: Tensor, signal: float = 0.0) -> NDArray[np.float32]:
        """Return what notes are made of: (2, P, t) largest values in every semitone.

        The first are those of the peaks of a salience (F, t), -1 where it has none; the second
        those of its first harmonic (F, t), from 0 to 1 as ``scaled_decibels`` has it. A peak is at
        the top of the parabola through it and its neighbours: a bin may lie between semitones.

        Args:
            signal: as ``NoteRule`` has it.
        """
        if signal:
            opinion = signal * (features - NEUTRAL)
            salience = torch.sigmoid(torch.logit(salience, eps=1e-7) + opinion)
        height, level = (x.cpu().numpy() for x in (salience, features))
        bins, frames = peaks(salience, threshold=0.0).cpu().numpy().nonzero()
        padded = np.pad(height, ((1, 1), (0, 0)), mode="reflect")
        below, top, above = (padded[bins + i, frames] for i in range(3))
        moved = 0.5 * (above - below) / (2.0 * top - below - above)
        found = np.full((2, len(self.pitches), height.shape[1]), -1.0, np.float32)
        self._enter(found[0], self._bins[bins] + self._step * moved, frames, top)
        every = np.indices(level.shape).reshape(2, -1)
        self._enter(found[1], self._bins[every[0]], every[1], level.ravel())
        return found

    def _enter(self, largest: NDArray, midi: NDArray, frames: NDArray, values: NDArray) -> None:
        """Raise the entries (P, t) of pitches to values, where they are lower."""
        semitones = _semitone(midi)
        rows = np.searchsorted(self.pitches, semitones).clip(max=len(self.pitches) - 1)
        inside = self.pitches[rows] == semitones if len(self.pitches) else np.zeros(len(midi), bool)
        np.maximum.at(largest, (rows[inside], frames[inside]), values[inside])


def _semitone(midi: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the nearest semitone; half of one above is the next, for every semitone alike."""
    return np.floor(midi + 0.5 + _UP).astype(np.int64)


class NoteTracker:
    """Collector of the frames of a recording, piece after piece; only what still sounds is kept.

    Args:
        semitones: of the salience.
        frame_rate: frames per second.
        threshold: least salience of a pitch.
    """

    def __init__(
        self, semitones: Semitones, frame_rate: float, threshold: float, rule: NoteRule
    ) -> None:
        self._pitches, self._rate, self._rule = semitones.pitches, frame_rate, rule
        self._on, self._off = rule.thresholds(threshold)
        self._gap = round(rule.gap * frame_rate)
        self._held: NDArray[np.float32] | None = None
        self._n_done = 0
        self._open = _Runs.none()
        self._closed: list[_Table] = []

    def add(self, values: NDArray[np.float32]) -> None:
        """Add frames, as ``Semitones.of`` gives them."""
        if not values.size:
            return
        if self._held is None:  # silence before the first frame, of the same level
            self._held = np.repeat(values[..., :1], _CONTEXT, axis=-1)
            self._held[0] = -1.0
        self._take(np.concatenate([self._held, values], axis=-1))

    def notes(self) -> Notes:
        """Return the notes; to be called when all has been added."""
        if self._held is not None:
            after = np.repeat(self._held[..., -1:], _CONTEXT, axis=-1)
            after[0] = -1.0
            self._take(np.concatenate([self._held, after], axis=-1))
            self._close(self._open)
            self._held, self._open = None, _Runs.none()
        table = np.concatenate([*self._closed, np.empty((4, 0))], axis=-1)
        pitches, onsets, offsets, levels = table[:, np.lexsort((table[0], table[1]))]
        return Notes(pitches.astype(np.int64), onsets, offsets, levels)

    def _take(self, window: NDArray[np.float32]) -> None:
        """Take the frames of a window (2, P, n) that have their context in it."""
        self._held = window[..., -2 * _CONTEXT :]
        if window.shape[-1] <= 2 * _CONTEXT:
            return
        heights, levels = window
        found = _runs(heights, levels, self._on, self._off, self._rule.strike / DYNAMIC_RANGE)
        runs = self._open.followed_by(found.later_by(self._n_done)).joined(self._gap)
        self._n_done += window.shape[-1] - 2 * _CONTEXT
        over = self._n_done - 1 - runs.last > self._gap
        self._close(runs.of(over))
        self._open = runs.of(~over)

    def _close(self, runs: "_Runs") -> None:
        """Make notes of what does not go on."""
        # a frame is centred on its time: nothing is known beyond the last one's
        onsets, offsets = (x.clip(0, self._n_done - 1) for x in (runs.onsets, runs.offsets))
        onsets, offsets = onsets / self._rate, offsets / self._rate
        kept = np.isfinite(runs.onsets) & (offsets - onsets >= self._rule.least)
        table = np.stack([self._pitches[runs.rows], onsets, offsets, runs.levels])
        self._closed.append(table[:, kept])


@dataclass(frozen=True)
class _Runs:
    """Runs of frames of a semitone that reach the lower threshold; frames are counted from 0.

    Attributes:
        rows: (N,) semitones.
        first, last: (N,) frames.
        struck: (N,) whether it begins with a strike.
        onsets, offsets: (N,) where it passes the thresholds, in frames; the onset is infinite where
            it does not reach the higher one.
        levels: (N,) largest level of the first harmonic.
    """

    rows: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    struck: NDArray[np.bool_]
    onsets: NDArray[np.float64]
    offsets: NDArray[np.float64]
    levels: NDArray[np.float64]

    @classmethod
    def none(cls) -> "_Runs":
        whole, real = np.empty(0, np.int64), np.empty(0)
        return cls(whole, whole, whole, np.empty(0, bool), real, real, real)

    def _columns(self) -> list[NDArray]:
        return [getattr(self, f.name) for f in fields(self)]

    def of(self, which: NDArray) -> "_Runs":
        return _Runs(*(column[which] for column in self._columns()))

    def later_by(self, frames: int) -> "_Runs":
        rows, first, last, struck, onsets, offsets, levels = self._columns()
        onsets, offsets = onsets + frames, offsets + frames
        return _Runs(rows, first + frames, last + frames, struck, onsets, offsets, levels)

    def followed_by(self, other: "_Runs") -> "_Runs":
        pairs = zip(self._columns(), other._columns(), strict=True)
        both = _Runs(*(np.concatenate(pair) for pair in pairs))
        return both.of(np.lexsort((both.first, both.rows)))

    def joined(self, gap: int) -> "_Runs":
        """Join runs of a semitone between which no more frames are silent, and no strike is."""
        if not len(self.rows):
            return self
        begins = np.ones(len(self.rows), bool)
        begins[1:] = (self.rows[1:] != self.rows[:-1]) | self.struck[1:]
        begins[1:] |= self.first[1:] - self.last[:-1] - 1 > gap
        starts = np.flatnonzero(begins)
        ends = np.append(starts[1:], len(begins)) - 1
        onsets = np.minimum.reduceat(self.onsets, starts)
        levels = np.maximum.reduceat(self.levels, starts)
        rows, first, struck = self.rows[starts], self.first[starts], self.struck[starts]
        return _Runs(rows, first, self.last[ends], struck, onsets, self.offsets[ends], levels)


def _runs(
    heights: NDArray[np.float32],
    levels: NDArray[np.float32],
    on: float,
    off: float,
    strike: float,
) -> _Runs:
    """Find the runs in all frames but two at either end, of which the first inner one is 0.

    A run that goes on beyond the inner frames is cut there.

    Args:
        heights: (P, n) of the largest peaks, negative where there is none.
        levels: (P, n) of the first harmonic.
        strike: rise of levels from the frame before to that behind.
    """
    here, before, behind = slice(2, -2), slice(1, -3), slice(3, -1)
    low, positive = (heights >= off) & (heights >= 0), heights.clip(min=0)
    rise = levels[:, 2:] - levels[:, :-2]  # of all frames but one at either end
    middle = rise[:, 1:-1]
    struck = (middle >= strike) & (middle >= rise[:, :-2]) & (middle > rise[:, 2:])
    begins = low[:, here] & (~low[:, before] | struck)
    begins[:, 0] = low[:, 2]
    ends = low[:, here] & ~low[:, behind]
    ends[:, :-1] |= low[:, here][:, :-1] & begins[:, 1:]
    ends[:, -1] = low[:, -3]
    rows, first = np.nonzero(begins)
    _, last = np.nonzero(ends)

    # where each frame's line from the one before, or to the one behind, passes a threshold
    height, previous, following = (positive[:, part] for part in (here, before, behind))
    frames = np.arange(height.shape[1], dtype=np.float64)
    is_on, again = low[:, here] & (height >= on), low[:, before] & struck
    passes = is_on & ~(low[:, before] & (previous >= on))
    risen = frames - _share(height - on, height - previous)
    # one that sounds ends where it is struck again
    onset = np.where(is_on & again, np.maximum(risen, frames - 0.5), np.inf)
    onset = np.where(passes & ~again, risen, onset)
    fallen = _share(height - off, height - following)
    offset = frames + np.where(low[:, behind], 0.5, fallen)
    return _Runs(
        rows,
        first,
        last,
        struck[rows, first],
        _over(np.minimum, onset, rows, first, last),
        offset[rows, last],
        _over(np.maximum, levels[:, here].astype(np.float64), rows, first, last),
    )


def _share(part: NDArray, whole: NDArray) -> NDArray[np.float64]:
    """Return part / whole between 0 and 1; 1 where the whole is not positive."""
    shares = np.divide(part, whole, out=np.ones(whole.shape), where=whole > 0)
    clipped: NDArray[np.float64] = shares.clip(0.0, 1.0)
    return clipped


def _over(
    what: np.ufunc, values: NDArray[np.float64], rows: NDArray, first: NDArray, last: NDArray
) -> NDArray[np.float64]:
    """Reduce values (P, T) over runs (N,) of frames."""
    if not len(rows):
        return np.empty(0)
    start = rows * values.shape[1]
    bounds = np.stack([start + first, start + last + 1], axis=1).ravel()
    found: NDArray[np.float64] = what.reduceat(np.append(values, 0.0), bounds)[::2]
    return found


def _shifted(salience: float, logits: float) -> float:
    """Return a salience from 0 to 1 moved by logits."""
    odds = math.exp(logits)
    return salience * odds / (1.0 - salience + salience * odds)
