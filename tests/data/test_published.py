"""What each dataset is as published: splits, grids, units and quirks."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssmpe.data.datasets import urmp
from ssmpe.data.datasets.guitarset import GuitarSet
from ssmpe.data.datasets.listing import missing_files
from ssmpe.data.datasets.nsynth import NSynth
from ssmpe.data.datasets.registry import Locations, resolve
from ssmpe.data.files.annotation import FrameAnnotation, NoteAnnotation
from ssmpe.units import hz_to_midi
from tests.layouts import SECONDS, each_set, written_root
from tests.layouts.guitarset import jams
from tests.layouts.maestro import VALIDATION
from tests.layouts.midi import write_midi

root = pytest.fixture(written_root)

TIMES = np.array([0.05, 0.2, 0.42, 0.48])


def test_urmp_splits_are_the_published_ones() -> None:
    every = {f"{i:02d}" for i in range(1, 45)}
    numbers = {split: set(n) for split, n in urmp.URMP.numbers.items()}
    assert (len(numbers["train"]), len(numbers["validation"])) == (35, 9)
    assert numbers["train"] | numbers["validation"] == every
    assert not numbers["train"] & numbers["validation"]
    assert (len(numbers["T1"]), len(numbers["T2"])) == (25, 10)
    assert numbers["T1"] | numbers["T2"] == numbers["train"]


@each_set("URMP/validation")
def test_urmp_takes_the_union_of_the_parts(root: Path, name: str) -> None:
    found = resolve(name, Locations(root))
    annotation = found.dataset.annotation(found.tracks[0])
    assert annotation is not None
    before, after = annotation.at(np.array([0.1, 0.4])).f0s
    assert (sorted(before), sorted(after)) == ([110.0, 440.0], [110.0])


@each_set("Bach10/all")
def test_bach10_frames_begin_at_23_ms_every_10_ms(root: Path, name: str) -> None:
    found = resolve(name, Locations(root))
    annotation = found.dataset.annotation(found.tracks[0])
    assert annotation is not None
    assert annotation.grid is not None
    assert annotation.grid[[0, 1, -1]] == pytest.approx([0.023, 0.033, 0.023 + 0.39])


@each_set("MusicNet/test")
def test_musicnet_counts_samples_at_44100_hz(root: Path, name: str) -> None:
    found = resolve(name, Locations(root))
    annotation = found.dataset.annotation(found.tracks[0])
    assert annotation is not None
    f0s = annotation.at(np.array([0.0999, 0.1, 0.2, 0.3, 0.4])).f0s
    assert [len(f) for f in f0s] == [0, 1, 2, 1, 0]


@each_set("Su/all")
def test_su_takes_the_last_column_as_frequency(root: Path, name: str) -> None:
    found = resolve(name, Locations(root))
    notes = found.dataset.annotation(found.tracks[1])
    assert isinstance(notes, NoteAnnotation)
    assert (notes.onsets, notes.offsets, notes.f0s) == (0.1, 0.3, 440.0)


@each_set("TRIOS/all")
def test_trios_is_the_union_of_pitched_parts_as_long_as_the_pedal_holds(
    root: Path, name: str
) -> None:
    found = resolve(name, Locations(root))
    trio, with_drums = map(found.dataset.annotation, found.tracks)
    assert trio is not None
    assert with_drums is not None
    sounding = [[round(float(hz_to_midi(hz))) for hz in f0s] for f0s in trio.at(TIMES).f0s]
    # the piano is held to 0.45 s; the viola's last tone is struck and never released
    assert [sorted(keys) for keys in sounding] == [[], [45, 60, 72], [45], []]
    assert [len(f0s) for f0s in with_drums.at(TIMES).f0s] == [0, 2, 0, 0]


@each_set("MAESTRO/validation")
def test_maestro_validates_on_excerpts_unless_told_otherwise(root: Path, name: str) -> None:
    excerpts = resolve(name, Locations(root)).tracks
    assert [(t.start, t.seconds) for t in excerpts] == [(0.0, 30.0)] * 10
    whole = resolve(name, Locations(root), {"MAESTRO/whole": True}).tracks
    assert [t.name for t in whole] == list(VALIDATION)
    assert {t.seconds for t in whole} == {None}
    assert {t.seconds for t in resolve("MAESTRO/test", Locations(root)).tracks} == {None}


@each_set("MAESTRO/validation")
def test_maestro_excerpt_ends_after_half_a_minute(root: Path, name: str) -> None:
    found = resolve(name, Locations(root))
    track = found.tracks[0]
    soundfile.write(track.audio, np.zeros(40 * 8000), 8000)
    notes = [(1.0, 60), (28.0, 62), (31.0, 64)]
    events = [(on, "note_on", key, 9) for on, key in notes]
    write_midi(found.dataset.files(track)[1], [*events, (39.0, "note_off", 0, 0)])
    annotation = found.dataset.annotation(track)
    assert isinstance(annotation, NoteAnnotation)
    assert annotation.onsets.tolist() == [1.0, 28.0]
    assert annotation.offsets.tolist() == [30.0, 30.0]


@each_set("GuitarSet/05")
@pytest.mark.parametrize("columns", [True, False])
def test_guitarset_puts_voiced_observations_on_the_grid(
    root: Path, name: str, columns: bool
) -> None:
    found = resolve(name, Locations(root))
    path = root / "GuitarSet" / "annotation" / f"{found.tracks[0].name}.jams"
    path.write_text(json.dumps(jams(columns=columns)))
    annotation = found.dataset.annotation(found.tracks[0])
    assert isinstance(annotation, FrameAnnotation)
    hop = 256 / 44_100
    assert len(annotation.grid) == int(np.ceil(SECONDS / hop)) + 1
    assert annotation.grid[1] == pytest.approx(hop)
    sounding = [n for n, f0s in enumerate(annotation.observed.f0s) if len(f0s)]
    first = round(0.1 / hop)
    assert sounding == [first + n for n in range(40) if n != 3]


@each_set("GuitarSet/05")
def test_guitarset_moves_late_annotations_only_if_asked(root: Path, name: str) -> None:
    late = jams()
    for annotation in late["annotations"]:
        if annotation["namespace"] == "pitch_contour":
            annotation["data"]["time"] = [t + 0.3 for t in annotation["data"]["time"]]
    (root / "GuitarSet" / "annotation" / "04_BN3-154-E_comp.jams").write_text(json.dumps(late))
    onsets = []
    for correct in (False, True):
        dataset = GuitarSet(root / "GuitarSet", correct_late=correct)
        (track,) = dataset.tracks("04")
        annotation = dataset.annotation(track)
        assert isinstance(annotation, FrameAnnotation)
        sounding = [len(f0s) > 0 for f0s in annotation.observed.f0s]
        onsets.append(annotation.grid[sounding][0])
    assert onsets[0] == pytest.approx(0.4, abs=0.003)
    assert onsets[1] == 0.0  # 0.409 s earlier would be before the beginning


@each_set("GuitarSet/05")
def test_guitarset_all_has_every_player(root: Path, name: str) -> None:
    tracks = resolve("GuitarSet/all", Locations(root)).tracks
    assert [t.name[:2] for t in tracks] == ["00", "04", "05"]


@each_set("NSynth/valid")
def test_nsynth_selects_in_json_order_then_sorts(root: Path, name: str) -> None:
    chosen = NSynth(root / "NSynth", n_valid=2).tracks("valid")
    assert [t.name for t in chosen] == ["keyboard_a_000-108-127", "vocal_z_000-045-025"]
    wide = NSynth(root / "NSynth", n_valid=2, midi_range=(0, 127)).tracks("valid")
    assert [t.name for t in wide] == ["organ_y_000-109-050", "vocal_z_000-045-025"]


@pytest.mark.parametrize("end", [2.0, 4.0])
def test_nsynth_note_sounds_from_its_onset_to_its_end(tmp_path: Path, end: float) -> None:
    rate = 16_000
    times = np.arange(4 * rate) / rate
    tone = np.sin(2 * np.pi * 220 * times) * ((times >= 0.5) & (times < end))
    name = "brass_acoustic_000-057-100"
    folder = tmp_path / "NSynth" / "nsynth-valid"
    (folder / "audio").mkdir(parents=True)
    # an offset is no sound
    soundfile.write(folder / "audio" / f"{name}.wav", 0.5 * tone + 0.4, rate, subtype="FLOAT")
    (folder / "examples.json").write_text(json.dumps({name: {}}))
    found = resolve("NSynth/valid", Locations(tmp_path))
    note = found.dataset.annotation(found.tracks[0])
    assert isinstance(note, NoteAnnotation)
    assert note.f0s[-1] == pytest.approx(220.0)
    # 0.1 s windows reach half of that further
    assert note.onsets[-1] == pytest.approx(0.5, abs=0.051)
    assert note.offsets[-1] == pytest.approx(end, abs=0.051 if end < 4 else 0)


@each_set("MAPS/ENSTDkCl")
def test_maps_has_no_composition_on_both_sides(root: Path, name: str) -> None:
    def pieces(split: str) -> set[str]:
        tracks = resolve(f"MAPS/{split}", Locations(root)).tracks
        return {track.name.removeprefix("MAPS_MUS-").rpartition("_")[0] for track in tracks}

    folder = root / "MAPS" / "ENSTDkAm" / "MUS"
    for path in list(folder.iterdir()):
        alone = path.with_name(path.name.replace("mz_331_3", "schumm-1"))
        alone.write_bytes(path.read_bytes())
    assert pieces("ENSTDkCl") == {"chpn-p19", "mz_331_3"}
    assert pieces("ENSTDkAm") == {"schumm-1", "mz_331_3"}
    assert pieces("ENSTDkCl-only") == {"chpn-p19"}
    assert pieces("ENSTDkAm-only") == {"schumm-1"}


@each_set("MAPS/ENSTDkCl")
def test_maps_recording_without_a_table_and_table_without_one_are_missed(
    root: Path, name: str
) -> None:
    folder = root / "MAPS" / "ENSTDkCl" / "MUS"
    (folder / "MAPS_MUS-chpn-p19_ENSTDkCl.txt").unlink()
    (folder / "MAPS_MUS-mz_331_3_ENSTDkCl.wav").unlink()
    found = resolve(name, Locations(root))
    gone = missing_files([path for t in found.tracks for path in found.dataset.files(t)])
    assert [path.suffix for path in gone] == [".txt", ".wav"]
