"""MIDI files of notes, and the picture of a recording."""

import itertools

import mido
import numpy as np
import pretty_midi
import pytest
import torch
from matplotlib.image import imread

from ssmpe.signal.notes import Notes
from ssmpe.transcription.notes import TICKS_PER_SECOND, save_midi
from ssmpe.transcription.overview import MAX_COLUMNS, Overview
from ssmpe.transcription.streaming import Piece
from ssmpe.units import hz_to_midi


def notes_of(*rows: tuple[int, float, float, float]) -> Notes:
    """Return notes of pitch, onset, offset and level."""
    pitches, *columns = np.array(sorted(rows, key=lambda r: r[1]), float).reshape(-1, 4).T
    return Notes(pitches.astype(np.int64), *columns)


def test_midi_file_holds_the_notes(tmp_path):
    rows = [(60, 0.0, 1.161, 0.5), (64, 1.161, 2.09, 1.0), (67, 1.2, 1.7415, 0.0)]
    save_midi(notes_of(*rows), tmp_path / "x.mid")
    (instrument,) = pretty_midi.PrettyMIDI(str(tmp_path / "x.mid")).instruments
    found = sorted((n.pitch, n.start, n.end) for n in instrument.notes)
    assert np.allclose(found, [row[:3] for row in rows], atol=1 / TICKS_PER_SECOND)
    file = mido.MidiFile(tmp_path / "x.mid")
    started = [(m.note, m.velocity) for m in file if m.type == "note_on"]
    assert started == [(60, 64), (64, 127), (67, 1)]
    assert [m.tempo for m in file if m.type == "set_tempo"] == [500_000]


def test_repeated_notes_stay_apart(tmp_path):
    """A note's end stands before the next one's start, also where both fall into one tick."""
    times = np.arange(11) * 0.1001
    rows = [(69, t, u, 0.5) for t, u in itertools.pairwise(times)]
    save_midi(notes_of(*rows), tmp_path / "x.mid")
    kinds = [m.type for m in mido.MidiFile(tmp_path / "x.mid") if not m.is_meta]
    assert kinds == ["note_on", "note_off"] * 10


def test_no_notes_are_a_midi_file(tmp_path):
    save_midi(notes_of(), tmp_path / "x.mid")
    assert not pretty_midi.PrettyMIDI(str(tmp_path / "x.mid")).instruments


# --- pictures ---------------------------------------------------------------------------------


def filled(n_frames: int, geometry, bright: list[tuple[int, int]], sizes: int) -> Overview:
    """Overview of frames that are 0 but in these (bin, frame)s, in pieces of this size."""
    values = torch.zeros(geometry.n_bins, n_frames)
    for k, t in bright:
        values[k, t] = 1.0
    overview = Overview(n_frames, geometry)
    for start in range(0, n_frames, sizes):
        part = values[:, start : start + sizes]
        overview.add(Piece(start, part, part / 2))
    return overview


@pytest.mark.parametrize("n_frames", [1, MAX_COLUMNS, MAX_COLUMNS + 1, 10 * MAX_COLUMNS + 7])
def test_overviews_are_bounded_and_keep_every_peak(geometry, n_frames):
    bright = [(5, 0), (100, n_frames // 2), (175, n_frames - 1)]
    overview = filled(n_frames, geometry, bright, sizes=1024)
    _, n_columns = overview.salience.shape
    assert n_columns <= MAX_COLUMNS
    assert n_columns >= min(n_frames, MAX_COLUMNS // 2)
    shared = -(-n_frames // MAX_COLUMNS)
    expected = {(k, t // shared) for k, t in bright}
    assert {tuple(x) for x in np.argwhere(overview.salience == 1).tolist()} == expected
    assert np.array_equal(overview.features, overview.salience / 2)
    # however they come
    other = filled(n_frames, geometry, bright, sizes=777)
    assert np.array_equal(other.salience, overview.salience)


@pytest.mark.parametrize("title", ["$x_$ [b] ü 音楽.wav", "a"])
def test_pictures(tmp_path, geometry, title, recwarn):
    overview = filled(300, geometry, [(k, 150) for k in range(geometry.n_bins)], 1024)
    overview.save(tmp_path / "x.png", title)
    assert not recwarn.list
    image = imread(tmp_path / "x.png")[..., :3]
    height, width = image.shape[:2]
    assert (width, height) == (1440, 1152)
    # the bright column of the upper panel stands between black frames
    row = image[height // 4, 100:1280].sum(axis=1)
    dark, bright = np.flatnonzero(row < 0.1), np.flatnonzero(row > 2.0)
    bright = bright[(bright > dark[0]) & (bright < dark[-1])]
    assert 2 <= len(bright) <= 6  # 1200 pixels of 300 frames


def test_axes_are_seconds_and_hertz(geometry, tmp_path):
    overview = filled(300, geometry, [], 1024)
    (upper, lower, *_) = overview.draw("x").axes
    assert lower.get_xlabel() == "time (s)"
    assert lower.get_xlim() == pytest.approx(
        (-0.5 / geometry.frame_rate, 299.5 / geometry.frame_rate)
    )
    for axes, values in ((upper, overview.salience), (lower, overview.features)):
        # frame 0 is centred on 0 s, bin 0 on its tick
        left, _, bottom, top = axes.images[0].get_extent()
        assert (left, bottom, top) == (-0.5 / geometry.frame_rate, -0.5, len(values) - 0.5)
        assert axes.get_ylabel() == "frequency (Hz)"
        ticks = zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)
        for position, label in ticks:
            note, hz = label.get_text().split()
            assert geometry.bin_frequencies[int(position)] == pytest.approx(float(hz))
            assert note == pretty_midi.note_number_to_name(round(float(hz_to_midi(float(hz)))))
