"""Notes of frames, MIDI files, and the picture of a recording."""

import mido
import numpy as np
import pretty_midi
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.image import imread

from ssmpe.transcription.notes import MIN_SECONDS, NoteTracker
from ssmpe.transcription.overview import MAX_COLUMNS, Overview
from ssmpe.transcription.streaming import Piece
from ssmpe.units import hz_to_midi, midi_to_hz

RATE = 22_050 / 256
LEAST = round(MIN_SECONDS * RATE)


def notes_of(rows: list[set[int]], rate: float = RATE, cut: int | None = None) -> list[list[int]]:
    """Return the notes of frames with these MIDI pitches, added in two parts if cut."""
    f0s = [midi_to_hz(sorted(row)) for row in rows]
    tracker = NoteTracker(rate)
    for part in [f0s] if cut is None else [f0s[:cut], f0s[cut:]]:
        tracker.add(part)
    return tracker.notes().tolist()


def test_a_note_is_a_run_of_frames_of_one_semitone():
    rows = [{60}] * 10 + [{60, 67}] * 20 + [set()] + [{67}] * 30
    assert notes_of(rows) == [[60, 0, 30], [67, 10, 30], [67, 31, 61]]


def test_runs_that_are_too_short_are_none():
    rows = [{60}] * (LEAST - 1) + [set()] + [{60}] * LEAST + [{72}] * (LEAST - 1)
    assert notes_of(rows) == [[60, LEAST, 2 * LEAST]]
    assert notes_of([{60}, set(), {60}], rate=5) == [[60, 0, 1], [60, 2, 3]]


def test_a_note_may_waver_within_its_semitone():
    tracker = NoteTracker(RATE)
    cents = 40 * np.sin(np.arange(100))
    tracker.add([midi_to_hz([64 + c / 100]) for c in cents])
    # of a grid of two bins a semitone, every semitone gets as many
    tracker.add([midi_to_hz([midi]) for midi in (70, 70.5, 71, 71.5) for _ in range(LEAST)])
    found = tracker.notes().tolist()
    assert found[0] == [64, 0, 100]
    assert [(n[0], n[2] - n[1]) for n in found[1:]] == [(70, LEAST), (71, 2 * LEAST), (72, LEAST)]


def test_what_midi_cannot_say_is_left_out():
    tracker = NoteTracker(RATE)
    tracker.add([np.array([4.0, 440.0, 15_000.0])] * 20)
    assert tracker.notes().tolist() == [[69, 0, 20]]


@given(
    st.lists(st.sets(st.integers(21, 30), max_size=3), min_size=1, max_size=60),
    st.integers(0, 60),
)
def test_notes_do_not_hang_on_how_frames_come(rows, cut):
    together = notes_of(rows, rate=30.0)
    assert notes_of(rows, rate=30.0, cut=cut) == together
    # they cover the runs of two frames or more (0.05 s), and nothing else
    covered = [{p for p, start, stop in together if start <= t < stop} for t in range(len(rows))]
    for t, row in enumerate(rows):
        neighbours = [rows[i] if 0 <= i < len(rows) else set() for i in (t - 1, t + 1)]
        assert covered[t] == {p for p in row if any(p in other for other in neighbours)}


def test_midi_file_holds_the_notes(tmp_path):
    rows = [{60}] * 100 + [{64, 67}] * 50 + [{64}] * 30
    tracker = NoteTracker(RATE)
    tracker.add([midi_to_hz(sorted(row)) for row in rows])
    assert tracker.save(tmp_path / "x.mid") == 3
    (instrument,) = pretty_midi.PrettyMIDI(str(tmp_path / "x.mid")).instruments
    found = sorted((n.pitch, n.start * RATE, n.end * RATE) for n in instrument.notes)
    expected = [(60, 0, 100), (64, 100, 180), (67, 100, 150)]
    assert np.allclose(found, expected, atol=RATE / 960)


def test_a_note_is_as_loud_as_its_loudest_frame_however_frames_come(tmp_path):
    rows = [{60}] * 10 + [{60, 67}] * 20 + [{67}] * 30 + [set()] * 5 + [{60}] * 20
    f0s = [midi_to_hz(sorted(row)) for row in rows]
    # (pitch, frame) -> level; else 0.25
    levels = {(60, 4): 0.5, (67, 40): 1.0, (60, 70): 0.0}
    flat = [levels.get((p, t), 0.25) for t, row in enumerate(rows) for p in sorted(row)]
    for cut in (0, 4, 12, 40, 62, 70):
        tracker, n = NoteTracker(RATE), sum(map(len, rows[:cut]))
        tracker.add(f0s[:cut], np.array(flat[:n], np.float32))
        tracker.add(f0s[cut:], np.array(flat[n:], np.float32))
        tracker.save(tmp_path / "x.mid")
        file = mido.MidiFile(tmp_path / "x.mid")
        started = [(m.note, m.velocity) for m in file if m.type == "note_on"]
        assert started == [(60, 64), (67, 127), (60, 32)], cut
        assert [m.tempo for m in file if m.type == "set_tempo"] == [500_000]


def test_repeated_notes_stay_apart(tmp_path):
    """A note's end stands before the next one's start, at whatever resolution."""
    tracker = NoteTracker(2000.0)
    tracker.add([np.array([440.0] if t % 201 else []) for t in range(2010)])
    assert tracker.save(tmp_path / "x.mid") == 10
    kinds = [m.type for m in mido.MidiFile(tmp_path / "x.mid") if not m.is_meta]
    assert kinds == ["note_on", "note_off"] * 10


def test_no_notes_are_a_midi_file(tmp_path):
    tracker = NoteTracker(RATE)
    tracker.add([np.array([])] * 5)
    assert tracker.save(tmp_path / "x.mid") == 0
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
