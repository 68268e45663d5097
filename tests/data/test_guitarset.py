"""A single recording in GuitarSet's layout is a set like any other: listed, read and scored."""

import json
from pathlib import Path

import pytest
import torch

from ssmpe.config import GeometryConfig
from ssmpe.data.datasets.registry import Locations, resolve
from ssmpe.data.files.audio import read_audio
from ssmpe.errors import UserError
from ssmpe.evaluation.scores import Reference, f1, precision_recall
from ssmpe.signal.salience import decode
from ssmpe.units import hz_to_bin
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


def test_of_players_only_the_one_recorded_has_tracks(tmp_path: Path) -> None:
    folder = tmp_path / "GuitarSet"
    write_tone(folder / "audio_mono-mic" / "03_Other_mic.wav", 220.0, rate=44_100)
    (folder / "annotation").mkdir()
    (folder / "annotation" / "03_Other.jams").write_text(json.dumps(jams()))
    assert [t.name for t in resolve("GuitarSet/03", Locations(tmp_path)).tracks] == ["03_Other"]
    with pytest.raises(UserError, match="no tracks of split '05'"):
        resolve("GuitarSet/05", Locations(tmp_path))
