"""The embedded world on disk: layouts of the first sets."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.io import loadmat

from ssmpe.world.writers import musicnet
from tests.support.micro_world import micro_world, names


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return micro_world(tmp_path_factory)


def test_urmp_layout(world):
    folders = sorted(names(world / "URMP"))
    assert [name[:2] for name in folders] == ["01", "02", "03"]
    for name in folders:
        number, title, *codes = name.split("_")
        stems = [f"{k}_{code}_{number}_{title}" for k, code in enumerate(codes, 1)]
        expected = {f"AuMix_{name}.wav", f"Sco_{number}_{title}.mid"}
        for stem in stems:
            expected |= {f"AuSep_{stem}.wav", f"F0s_{stem}.txt", f"Notes_{stem}.txt"}
        assert names(world / "URMP" / name) == expected
        for stem in stems:
            f0s = np.loadtxt(world / "URMP" / name / f"F0s_{stem}.txt")
            np.testing.assert_allclose(f0s[:, 0], 0.01 * np.arange(600), atol=1e-6)
            assert np.all((f0s[:, 1] == 0) | (f0s[:, 1] > 25))


def test_loaders_meet_stereo_and_high_rates(world):
    mixtures = sorted(world.glob("URMP/*/AuMix_*.wav"))
    formats = [(i.samplerate, i.channels) for i in map(soundfile.info, mixtures)]
    assert formats == [(48000, 2), (48000, 1), (22050, 1)]


def test_bach10_layout(world):
    (folder,) = (world / "Bach10").iterdir()
    instruments = ("violin", "clarinet", "saxphone", "bassoon")
    stems = {f"{folder.name}-{name}.wav" for name in instruments}
    assert names(folder) == stems | {f"{folder.name}.wav", f"{folder.name}-GTF0s.mat"}
    midi = loadmat(folder / f"{folder.name}-GTF0s.mat")["GTF0s"]
    assert midi.shape == (4, 598)
    assert np.all((midi == 0) | ((midi > 30) & (midi < 100)))
    assert 0.5 < np.mean(midi > 0) < 1


@pytest.mark.parametrize(("split", "ids"), [("train", {"1727", "1736"}), ("test", {"1759"})])
def test_musicnet_layout(world, split, ids):
    assert {Path(n).stem for n in names(world / "MusicNet" / f"{split}_data")} == ids
    assert {Path(n).stem for n in names(world / "MusicNet" / f"{split}_labels")} == ids
    for number in ids:
        path = world / "MusicNet" / f"{split}_labels" / f"{number}.csv"
        assert path.read_text().splitlines()[0] == musicnet.HEADER
        rows = list(csv.DictReader(path.open()))
        assert len(rows) > 10
        for row in rows:
            assert 0 <= int(row["start_time"]) < int(row["end_time"]) <= 6 * 44100
            assert 1 <= int(row["instrument"]) <= 128
            assert 21 <= int(row["note"]) <= 108


def test_guitarset_layout(world):
    tracks = {"05_BN1-129-Eb_comp", "05_Funk1-97-C_solo"}
    folder = world / "GuitarSet"
    assert names(folder / "audio_mono-mic") == {f"{track}_mic.wav" for track in tracks}
    assert names(folder / "annotation") == {f"{track}.jams" for track in tracks}
    for track in tracks:
        jams = json.loads((folder / "annotation" / f"{track}.jams").read_text())
        assert jams["file_metadata"]["duration"] == 6.0
        contours = [a for a in jams["annotations"] if a["namespace"] == "pitch_contour"]
        assert len(contours) == 6
        for contour in contours:
            data = contour["data"]
            assert len({len(column) for column in data.values()}) == 1
            frames = np.array(data["time"]) * 44100 / 256
            np.testing.assert_allclose(frames, np.round(frames), atol=1e-3)
            assert np.all(np.diff(frames) > 0.5)
            assert all(v["voiced"] and 75 < v["frequency"] < 1400 for v in data["value"])


@pytest.mark.parametrize(("split", "count"), [("train", 4), ("valid", 3), ("test", 2)])
def test_nsynth_layout(world, split, count):
    folder = world / "NSynth" / f"nsynth-{split}"
    index = json.loads((folder / "examples.json").read_text())
    assert len(index) == count
    assert names(folder / "audio") == {f"{name}.wav" for name in index}
    for name, entry in index.items():
        assert re.fullmatch(r"[a-z_]+_\d{3}-\d{3}-\d{3}", name)
        assert entry["note_str"] == name
        assert entry["pitch"] == int(name.split("-")[-2])
        assert name.startswith(f"{entry['instrument_family_str']}_")
        info = soundfile.info(folder / "audio" / f"{name}.wav")
        assert (info.samplerate, info.frames) == (16000, 64000)


def test_egmd_layout(world):
    with (world / "E-GMD" / "e-gmd-v1.0.0.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["split"] for row in rows} == {"train", "validation", "test"}
    assert len(rows) == 8
    for row in rows:
        assert (world / "E-GMD" / row["midi_filename"]).is_file()
        info = soundfile.info(world / "E-GMD" / row["audio_filename"])
        assert info.duration == pytest.approx(float(row["duration"]))
