"""A single recording in GuitarSet's layout is a set like any other: listed, read and scored."""

import json
from pathlib import Path

import pytest
import torch

from ssmpe.config import GeometryConfig
from ssmpe.data.datasets.registry import Locations, resolve
from ssmpe.data.files.annotation import FrameAnnotation
from ssmpe.data.files.audio import read_audio
from ssmpe.errors import UserError
from ssmpe.evaluation.scores import Reference, f1, precision_recall
from ssmpe.signal.salience import decode
from ssmpe.units import hz_to_bin, hz_to_midi
from tests.layouts.guitarset import jams
from tests.layouts.layout import write_tone


@pytest.mark.parametrize("columns", [True, False])
@pytest.mark.parametrize("name", ["GuitarSet/05", "GuitarSet/all"])
def test_one_recording_is_listed_read_and_scored(
    tmp_path: Path, geometry: GeometryConfig, name: str, columns: bool
) -> None:
    folder = tmp_path / "GuitarSet"
    write_tone(folder / "audio_mono-mic" / "05_My-own_solo_mic.wav", 220.0, rate=44_100)
    (folder / "annotation").mkdir()
    path = folder / "annotation" / "05_My-own_solo.jams"
    path.write_text(json.dumps(jams(columns=columns)))
    found = resolve(name, Locations(tmp_path))
    found.dataset.require_files(found.tracks)
    (track,) = found.tracks
    assert track.name == "05_My-own_solo"
    audio = torch.from_numpy(read_audio(track.audio, geometry.sample_rate))[None, None]
    reference = Reference.of(found.dataset.annotation(track), audio, geometry)
    # a salience that shows what is annotated, and one that shows it an octave too high
    right, wrong = (torch.zeros(geometry.n_bins, len(reference.times)) for _ in range(2))
    at = round(float(hz_to_bin(220.0, geometry.fmin, geometry.bins_per_octave)))
    sounding = torch.from_numpy(reference.sounding)
    right[at, sounding] = wrong[at + geometry.bins_per_octave, sounding] = 1.0
    f1s = [f1(*precision_recall(reference, decode(s, geometry))) for s in (right, wrong)]
    # scores are taken on a grid twice as fine as the model's frames, and the tone is short
    assert f1s[0] > 0.85
    assert f1s[1] == 0.0


def test_notes_are_read_where_there_are_any_and_moved_as_the_contours_are(tmp_path: Path) -> None:
    folder = tmp_path / "GuitarSet"
    (folder / "annotation").mkdir(parents=True)
    name = "04_BN3-154-E_comp"
    write_tone(folder / "audio_mono-mic" / f"{name}_mic.wav", 220.0, rate=44_100)
    document = jams()
    strings = (((0.1, 0.35, 45.25), (0.45, 0.2, 57.0)), ((0.415, 0.1, 60.0),))
    for string in strings:
        rows = [{"time": t, "duration": d, "value": v, "confidence": None} for t, d, v in string]
        document["annotations"].append({"namespace": "note_midi", "data": rows, "time": 0})
    (folder / "annotation" / f"{name}.jams").write_text(json.dumps(document))
    found = {}
    for late in (False, True):
        options = {"GuitarSet/correct_late": late}
        dataset = resolve("GuitarSet/04", Locations(tmp_path), options).dataset
        annotation = dataset.annotation(dataset.tracks("04")[0])
        assert isinstance(annotation, FrameAnnotation)
        assert annotation.notes is not None
        notes = annotation.notes
        found[late] = list(zip(notes.onsets, notes.offsets, hz_to_midi(notes.f0s), strict=True))
    assert found[False] == [
        pytest.approx((0.1, 0.45, 45.25)),
        *(pytest.approx((0.45, 0.65, 57)), pytest.approx((0.415, 0.515, 60))),
    ]
    # what then begins before the recording, begins with it
    assert found[True] == [
        pytest.approx((0.0, 0.041, 45.25)),
        *(pytest.approx((0.041, 0.241, 57)), pytest.approx((0.006, 0.106, 60))),
    ]
    silent = jams()
    (folder / "annotation" / f"{name}.jams").write_text(json.dumps(silent))
    annotation = dataset.annotation(dataset.tracks("04")[0])
    assert annotation is not None
    assert annotation.notes is None


def test_of_players_only_the_one_recorded_has_tracks(tmp_path: Path) -> None:
    folder = tmp_path / "GuitarSet"
    write_tone(folder / "audio_mono-mic" / "03_Other_mic.wav", 220.0, rate=44_100)
    (folder / "annotation").mkdir()
    (folder / "annotation" / "03_Other.jams").write_text(json.dumps(jams()))
    assert [t.name for t in resolve("GuitarSet/03", Locations(tmp_path)).tracks] == ["03_Other"]
    with pytest.raises(UserError, match="no tracks of split '05'"):
        resolve("GuitarSet/05", Locations(tmp_path))
