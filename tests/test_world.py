"""The embedded world on disk: layouts, labels, repeatability, and what can go wrong."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from scipy.io import loadmat

from ssmpe.errors import OutOfSpaceError, UserError
from ssmpe.units import hz_to_midi, midi_to_hz
from ssmpe.world.build import build_world, world_key
from ssmpe.world.sizes import WorldSize
from ssmpe.world.workers import write_all
from ssmpe.world.writers.musicnet import HEADER as LABEL_HEADER

MICRO = WorldSize(
    urmp=3,
    urmp_seconds=6.0,
    bach10=1,
    bach10_seconds=6.0,
    musicnet_train=2,
    musicnet_train_seconds=6.0,
    musicnet_test=1,
    musicnet_test_seconds=6.0,
    guitarset=2,
    guitarset_others=0,
    guitarset_seconds=6.0,
    nsynth_train=4,
    nsynth_valid=3,
    drum_loops=8,
    drum_seconds=2.0,
)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return build_world(tmp_path_factory.mktemp("world") / "micro", MICRO, jobs=2)


def contents(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


# Layouts


def test_world_has_the_six_datasets_and_a_stamp(world):
    datasets = {"URMP", "Bach10", "MusicNet", "NSynth", "E-GMD", "GuitarSet"}
    assert names(world) == datasets | {"world.json"}
    assert json.loads((world / "world.json").read_text())["key"] == world_key(MICRO)


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
        assert path.read_text().splitlines()[0] == LABEL_HEADER
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


@pytest.mark.parametrize(("split", "count"), [("train", 4), ("valid", 3)])
def test_nsynth_layout(world, split, count):
    folder = world / "NSynth" / f"nsynth-{split}"
    index = json.loads((folder / "examples.json").read_text())
    assert len(index) == count
    assert names(folder / "audio") == {f"{name}.wav" for name in index}
    for name, fields in index.items():
        assert re.fullmatch(r"[a-z_]+_\d{3}-\d{3}-\d{3}", name)
        assert fields["note_str"] == name
        assert fields["pitch"] == int(name.split("-")[-2])
        assert name.startswith(f"{fields['instrument_family_str']}_")
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


def test_all_audio_sounds_and_none_clips(world):
    for path in world.rglob("*.wav"):
        audio, _ = soundfile.read(path)
        assert 0.05 < np.abs(audio).max() < 1.0, path


# Labels


def frame_pitch(frame, rate, near):
    """MIDI pitch of a frame by its autocorrelation, searched two octaves around ``near``."""
    frame = frame - frame.mean()
    low, high = (int(rate / float(midi_to_hz(near + d))) for d in (13, -13))
    lags = np.arange(max(low, 2), min(high, 2 * len(frame) // 3) + 1)
    likeness = np.array([
        2 * frame[:-lag] @ frame[lag:] / (frame[:-lag] @ frame[:-lag] + frame[lag:] @ frame[lag:])
        for lag in lags
    ])  # fmt: skip
    peaks = 1 + np.flatnonzero((likeness[1:-1] > likeness[:-2]) & (likeness[1:-1] >= likeness[2:]))
    if not len(peaks):
        return np.nan
    top = peaks[np.flatnonzero(likeness[peaks] >= 0.93 * likeness[peaks].max())[0]]
    left, centre, right = likeness[top - 1 : top + 2]
    return float(
        hz_to_midi(rate / (lags[top] + (left - right) / (2 * (left - 2 * centre + right))))
    )


def cents_off(stem: Path, times, midi):
    """Deviation in cents of what is heard within notes, away from where they begin and end."""
    audio, rate = soundfile.read(stem)
    audio, rate = soxr.resample(audio, rate, 44100), 44100
    found = []
    for time, pitch, around in zip(times, midi, steady(midi), strict=True):
        half = round(1.5 * rate / float(midi_to_hz(pitch))) if pitch else 0
        if around and half < 0.02 * rate:
            frame = audio[round(time * rate) - half : round(time * rate) + half]
            found.append(100 * (frame_pitch(frame, rate, pitch) - pitch))
    return np.array(found)


def steady(midi):
    """Whether the frames 30 ms before and after belong to the same note: attacks have no pitch."""
    same = np.zeros(len(midi), dtype=bool)
    window = np.lib.stride_tricks.sliding_window_view(midi, 7)
    same[3:-3] = (window.min(axis=1) > 0) & (np.ptp(window, axis=1) < 0.7)
    return same


def stems_of(world):
    for path in sorted(world.glob("URMP/*/AuSep_*.wav")):
        f0s = np.loadtxt(path.with_name(path.name.replace("AuSep", "F0s")).with_suffix(".txt"))
        f0 = f0s[:, 1]
        yield path, f0s[:, 0], np.where(f0 > 0, hz_to_midi(np.maximum(f0, 1)), 0)
    for path in sorted(world.glob("Bach10/*/*-GTF0s.mat")):
        midi = loadmat(path)["GTF0s"]
        for row, name in zip(midi, ("violin", "clarinet", "saxphone", "bassoon"), strict=True):
            stem = path.with_name(path.name.replace("GTF0s.mat", f"{name}.wav"))
            yield stem, 0.023 + 0.010 * np.arange(len(row)), row


def test_stems_sound_as_annotated(world):
    for stem, times, midi in stems_of(world):
        off = cents_off(stem, times, midi)
        assert len(off) > 0.5 * np.sum(midi > 0), stem
        assert np.mean(np.abs(off) < 20) >= 0.98, stem
        assert abs(np.nanmedian(off)) < 5, stem


def test_stems_are_silent_where_nothing_is_annotated(world):
    for stem, times, midi in stems_of(world):
        audio, rate = soundfile.read(stem)
        size = round(0.01 * rate)
        level = np.array([
            np.sqrt(np.mean(audio[round(t * rate) : round(t * rate) + size] ** 2)) for t in times
        ])  # fmt: skip
        assert np.median(level[midi > 0]) > 10 * np.median(level[midi == 0]), stem


def test_musicnet_labels_agree_with_the_mixture(world):
    """At labelled pitches there is more energy than a quarter tone off them."""
    for path in sorted(world.glob("MusicNet/*_labels/*.csv")):
        split = path.parent.name.removesuffix("_labels")
        audio, rate = soundfile.read(world / "MusicNet" / f"{split}_data" / f"{path.stem}.wav")
        stronger = []
        for row in csv.DictReader(path.open()):
            first, last = (int(row[key]) * rate // 44100 for key in ("start_time", "end_time"))
            if last - first < 0.25 * rate:
                continue
            note = audio[first:last] * np.hanning(last - first)
            time = np.arange(last - first) / rate

            def energy(midi, note=note, time=time):
                f0 = float(midi_to_hz(midi))
                return sum(abs(note @ np.exp(-2j * np.pi * h * f0 * time)) for h in (1, 2, 3))

            pitch = int(row["note"])
            stronger.append(energy(pitch) > max(energy(pitch - 0.5), energy(pitch + 0.5)))
        assert len(stronger) > 5
        assert np.mean(stronger) > 0.9, path


# Building


def test_world_is_the_same_whatever_the_number_of_processes(world, tmp_path):
    again = build_world(tmp_path / "again", MICRO, jobs=1)
    assert contents(again) == contents(world)


def test_finished_world_is_used_again(world):
    before = (world / "world.json").stat().st_mtime_ns
    calls = []
    assert build_world(world, MICRO, progress=lambda *call: calls.append(call)) == world
    assert calls == []
    assert (world / "world.json").stat().st_mtime_ns == before


def test_world_of_another_kind_is_not_overwritten(world, tmp_path):
    with pytest.raises(UserError, match=r"holds world custom-\w+, not tiny-\w+"):
        build_world(world, "tiny")
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match="not an embedded world"):
        build_world(tmp_path, MICRO)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_unknown_size_is_refused(tmp_path):
    with pytest.raises(UserError, match="no embedded world of size 'huge'; choose one of tiny"):
        build_world(tmp_path / "world", "huge")


def test_keys_tell_worlds_apart():
    assert world_key("tiny") == world_key("tiny")
    assert world_key(WorldSize(urmp=1)) != world_key(WorldSize(urmp=2))
    assert world_key("tiny").removeprefix("tiny-") == world_key(WorldSize()).removeprefix("custom-")


def test_place_that_cannot_be_written_is_a_users_mistake(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written there") as raised:
        build_world(tmp_path / "file" / "world", MICRO)
    assert "\n" not in str(raised.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_folder_is_a_users_mistake(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="cannot be written there"):
        build_world(tmp_path / "world", MICRO)
    tmp_path.chmod(0o700)


NOTHING = {field.name: 0 for field in fields(WorldSize) if field.type == "int" or field.type is int}
SMALLEST = WorldSize(
    **NOTHING | {"nsynth_train": 2, "nsynth_valid": 1, "drum_loops": 1}, drum_seconds=2.0
)

BUILD = (
    "import sys; from pathlib import Path; from tests.test_world import SMALLEST;"
    "from ssmpe.world.build import build_world;"
    "build_world(Path(sys.argv[1]), SMALLEST, lambda *p: print(p[0]), jobs=1)"
)


def start_build(root: Path, *prefix: str) -> subprocess.Popen[str]:
    command = [*prefix, sys.executable, "-c", BUILD, str(root)]
    here = Path(__file__).parents[1]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, text=True, cwd=here, stdout=pipe, stderr=pipe)


def test_one_of_several_processes_builds(tmp_path):
    builders = [start_build(tmp_path / "world") for _ in range(3)]
    printed = sorted(builder.communicate()[0] for builder in builders)
    assert [builder.returncode for builder in builders] == [0, 0, 0]
    assert printed[:2] == ["", ""]
    assert len(printed[2].split()) == 4  # two splits of NSynth, a drum loop, the index
    assert names(tmp_path) == {"world", ".world.lock"}


def test_killed_build_leaves_nothing_to_the_next(tmp_path):
    builder = start_build(tmp_path / "world")
    assert builder.stdout is not None
    builder.stdout.readline()
    builder.kill()
    builder.communicate()
    assert not (tmp_path / "world").exists()
    build_world(tmp_path / "world", SMALLEST, jobs=1)
    assert names(tmp_path) == {"world", ".world.lock"}


def test_failed_build_leaves_nothing(tmp_path):
    def stop(done, total, label):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_world(tmp_path / "world", SMALLEST, progress=stop, jobs=2)
    assert names(tmp_path) == {".world.lock"}


class Failing:
    """A task that fails like one on a full disk or one that is killed."""

    label = "failing"

    def __init__(self, how: str) -> None:
        self.how = how

    def write(self, root: Path) -> None:
        if self.how == "full":
            Path("/dev/full").write_text("something")
        os._exit(1)


def test_failure_in_a_process_is_reported(tmp_path):
    with pytest.raises(OSError, match="No space left"):
        list(write_all([Failing("full")], tmp_path, 2))
    with pytest.raises(RuntimeError, match="failing: the process rendering it died"):
        list(write_all([Failing("killed")], tmp_path, 2))


def test_full_disk_leaves_nothing(tmp_path):
    """On a real file system of 300 kB, where the system lets one be mounted."""
    mount = f"mount -t tmpfs -o size=300k none {tmp_path} && "
    script = mount + f'"$@"; echo $? $(ls -A {tmp_path})'
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare")
    if subprocess.run(
        ["unshare", "-rm", "sh", "-c", mount + "true"], capture_output=True
    ).returncode:
        pytest.skip("needs user namespaces")
    prefix = ("unshare", "-rm", "sh", "-c", script, "sh")
    out, error = start_build(tmp_path / "world", *prefix).communicate()
    assert out.splitlines()[-1] == "1 .world.lock"
    last_line = error.strip().splitlines()[-1]
    assert last_line.startswith(f"{OutOfSpaceError.__module__}.OutOfSpaceError: ")
    assert "the disk is full" in last_line
