"""Checks of datasets: all that is wrong is told, of the files as they are now."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssmpe.__main__ import main
from ssmpe.config.presets import tiny
from ssmpe.data.check import SetReport, State, check_tracks, duplicates
from ssmpe.data.datasets.registry import DATASETS, Locations, resolve
from ssmpe.data.files.annotation import Annotation, FrameAnnotation
from ssmpe.data.inspection import inspect
from ssmpe.data.sets import Use, load_use
from ssmpe.data.store.annotations import load_annotations
from ssmpe.errors import UserError
from ssmpe.evaluation.scoring import EvaluationSet
from ssmpe.signal.hcqt import HCQT
from tests.layouts import LAYOUTS, SECONDS, each_set, write_tone, written_root

root = pytest.fixture(written_root)
F0_RANGE = (27.5, 4400.0)


def report_of(name: str, root: Path, annotated: bool = True) -> SetReport:
    found = resolve(name, Locations(root))
    cache = root / "cache"
    return check_tracks(name, found.dataset, found.tracks, cache, F0_RANGE, annotated=annotated)


@each_set()
def test_whole_sets_are_found_whole(root: Path, name: str) -> None:
    report = report_of(name, root)
    assert (report.state, report.problems) == (State.FOUND, ())
    assert report.n_tracks == len(LAYOUTS[name].tracks)
    assert report.hours == pytest.approx(SECONDS * report.n_tracks / 3600, rel=0.1)
    assert sum(report.sample_rates.values()) == report.n_tracks


@each_set("MusicNet/train")
def test_everything_that_is_wrong_is_told(root: Path, name: str) -> None:
    folder = root / "MusicNet"
    (folder / "train_labels" / "1727.csv").unlink()
    (folder / "train_data" / "1728.wav").write_bytes(b"no audio")
    report = report_of(name, root)
    assert (report.state, report.n_tracks) == (State.INCOMPLETE, 0)
    missing, unreadable = report.problems
    assert missing == f"{folder / 'train_labels' / '1727.csv'} is missing"
    assert str(folder / "train_data" / "1728.wav") in unreadable
    # without labels, those of the first are not missed
    unlabelled = report_of(name, root, annotated=False)
    assert unlabelled.n_tracks == 1
    assert unlabelled.problems == (unreadable,)


@each_set("MusicNet/train")
def test_damaged_annotation_is_told_with_its_line(root: Path, name: str) -> None:
    path = root / "MusicNet" / "train_labels" / "1728.csv"
    path.write_text(path.read_text().replace("8820", "x"))
    report = report_of(name, root)
    (problem,) = report.problems
    assert f"{path}, line 3" in problem
    assert report.n_tracks == 1
    assert report.annotations is not None
    assert [a is None for a in report.annotations] == [False, True]


@each_set("MusicNet/test")
def test_pitches_that_no_model_can_give_are_noted(root: Path, name: str) -> None:
    path = root / "MusicNet" / "test_labels" / "2303.csv"
    path.write_text(path.read_text().replace(",69,", ",120,"))
    report = report_of(name, root)
    assert report.whole
    assert report.notes == ("50 % of annotated F0s lie outside 27.5 to 4400.0 Hz and are dropped",)


@each_set("MusicNet/test")
def test_pitches_that_cannot_be_scored_are_wrong_where_they_are_to_be(
    root: Path, name: str, command
) -> None:
    path = root / "MusicNet" / "test_labels" / "2303.csv"
    path.write_text(path.read_text().replace(",69,", ",120,"))
    found = resolve(name, Locations(root))
    loaded = load_use(
        Use(name, annotated=True, sample_rate=22_050), Locations(root), root / "cache"
    )
    with pytest.raises(UserError) as refused:
        EvaluationSet(loaded, HCQT(tiny().geometry), "cpu", 0)
    report = check_tracks(
        name, found.dataset, found.tracks, root / "cache", F0_RANGE, annotated=True, scored=True
    )
    (problem,) = report.problems
    assert "pitches of 20 to 5000 Hz can be scored, not 8372.02 Hz" in problem
    assert str(refused.value).endswith(problem.split("scored: ")[1])
    assert problem.startswith(str(found.tracks[0].audio))
    assert report.n_tracks == len(found.tracks) - 1
    code, output, _ = command("data", "check", "--data-root", root, name)
    assert code == 2
    assert problem in output


def values(annotation: Annotation) -> list[object]:
    """Return all that an annotation holds, to be compared; as text, this takes a minute."""
    found = annotation.observed if isinstance(annotation, FrameAnnotation) else annotation
    lists = [v if isinstance(v, tuple) else (v,) for v in vars(found).values()]
    return [type(annotation), *([array.tolist() for array in arrays] for arrays in lists)]


@each_set("URMP/validation", "MusicNet/test")
def test_damaged_caches_of_what_was_read_are_made_anew(root: Path, name: str) -> None:
    use = Use(name, annotated=True, sample_rate=22_050)
    key = load_use(use, Locations(root), root / "cache").ready.annotations
    report_of(name, root)
    found = resolve(name, Locations(root))
    told = [found.dataset.annotation(track) for track in found.tracks]

    def content() -> list[object]:
        kept = load_annotations(root / "cache", str(key))
        return [values(a) for a in kept or told if a]

    def inspected() -> str:
        return str(inspect(found.tracks, found.dataset.folder, root / "cache"))

    whole, seen = content(), inspected()
    for kept, reading in (("annotations", content), ("inspections", inspected)):
        (path,) = (root / "cache" / kept).iterdir()
        expected, intact = {"annotations": whole, "inspections": seen}[kept], path.read_bytes()
        edge = [*range(600), *range(len(intact) - 1200, len(intact))]
        for place in edge:  # headers, and the directory at the end
            flipped = bytearray(intact)
            flipped[place] ^= 1 << place % 8
            path.write_bytes(flipped)
            assert reading() == expected, place
        np.savez(path, of_another_version=np.zeros(3))
        assert reading() == expected


def test_names_of_any_bytes_are_listed_checked_and_found_again(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    for i, name in enumerate((b"\xff\xfe", b"a\nb", b"\x1b[31mred", b"caf\xe9", b"caf\xe8")):
        path = Path(os.fsdecode(os.fsencode(folder) + b"/" + name + b".wav"))
        soundfile.write(os.fsencode(path), np.full(4000, 0.1 + i / 100), 16_000, format="WAV")
        path.with_suffix(".txt").write_text("0 220\n0.1 220\n")
    path.write_bytes(b"no audio")
    where, cache = Locations(tmp_path, {"mine": folder}), tmp_path / "cache"
    use = Use("mine/all", annotated=False, sample_rate=22_050)
    dataset, tracks = use.listed(where)
    for _ in range(2):  # the second time from the cache
        report = check_tracks("mine", dataset, tracks, cache, F0_RANGE, annotated=False)
        (problem,) = report.problems
        assert problem.startswith(f"{path}: ")
    assert len({track.name for track in tracks}) == 5
    loaded = load_use(use, where, cache)
    again = load_use(use, where, cache, {use.key: loaded.ready})
    assert again.store.tracks == loaded.store.tracks == tuple(t for t in tracks if t.audio != path)
    assert [Path(s.path) for s in again.store.skipped] == [path]
    assert again.store.digest == loaded.store.digest


@pytest.mark.parametrize("name", ["Su/all", "TRIOS/all", "Bach10/all"])
def test_pieces_that_are_not_there_are_noted(world: Path, tmp_path: Path, name: str) -> None:
    whole = resolve(name, Locations(world))
    assert whole.dataset.absent(whole.tracks) == []
    cache, first, rest = tmp_path / "cache", whole.tracks[0], whole.tracks[1:]
    report = check_tracks(name, whole.dataset, rest, cache, F0_RANGE, annotated=True)
    assert report.whole
    (note,) = (n for n in report.notes if "without" in n)
    assert note.removeprefix("without ").split(":")[0] in first.name


@each_set("MusicNet/train")
def test_copies_are_told_and_links_are_not(root: Path, name: str) -> None:
    folder = root / "MusicNet" / "train_data"
    labels = root / "MusicNet" / "train_labels"
    for copy in ("1729", "1730"):
        shutil.copy(labels / "1727.csv", labels / f"{copy}.csv")
    rate = soundfile.info(folder / "1727.wav").samplerate
    soundfile.write(folder / "1727.wav", np.random.default_rng(0).uniform(-1, 1, rate), rate)
    shutil.copy(folder / "1727.wav", folder / "1729.wav")
    (folder / "1730.wav").symlink_to("1728.wav")
    (line,) = duplicates([report_of(name, root), report_of(name, root)])
    assert line.startswith(f"{folder / '1727.wav'} (MusicNet/train, MusicNet/train) is the same")
    assert str(folder / "1729.wav") in line
    assert "1728" not in line


def test_files_that_only_look_alike_are_no_copies(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).uniform(-1, 1, 100_000)
    folder = tmp_path / "mine"
    folder.mkdir()
    soundfile.write(folder / "a.wav", noise, 22_050)
    noise[20_000] += 0.5  # in none of the blocks that are looked at
    soundfile.write(folder / "b.wav", noise, 22_050)
    found = resolve("mine/all", Locations(tmp_path, {"mine": folder}))
    seen = inspect(found.tracks, folder, tmp_path / "cache")
    assert len(set(seen.fingerprints.tolist())) == 1
    report = SetReport("mine/all", State.FOUND, tracks=found.tracks, inspection=seen)
    assert duplicates([report]) == []


@each_set("MusicNet/train")
def test_inspection_is_kept_until_a_file_changes(root: Path, name: str) -> None:
    path = root / "MusicNet" / "train_data" / "1727.wav"
    assert report_of(name, root).whole
    status = path.stat()
    path.write_bytes(b"x" * status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    found = resolve(name, Locations(root))
    kept = inspect(found.tracks, found.dataset.folder, root / "cache")
    assert not kept.errors
    os.utime(path)
    fresh = inspect(found.tracks, found.dataset.folder, root / "cache")
    assert list(fresh.errors) == [0]
    for saved in (root / "cache" / "inspections").iterdir():
        saved.write_bytes(saved.read_bytes()[: len(saved.read_bytes()) // 2])
    assert inspect(found.tracks, found.dataset.folder, root / "cache").errors == fresh.errors


@each_set("MusicNet/train", "URMP/validation")
def test_a_trial_finds_a_set_without_looking_at_its_files(root: Path, name: str) -> None:
    use = Use(name, annotated=True, sample_rate=22_050)
    where, cache = Locations(root), root / "cache"
    loaded = load_use(use, where, cache)
    for path in (root / name.split("/")[0]).iterdir():
        path.rename(path.with_name(f"gone {path.name}"))
    again = load_use(use, where, cache, {use.key: loaded.ready})
    assert again.store.tracks == loaded.store.tracks
    assert np.array_equal(again.store.audio(0), loaded.store.audio(0))
    times = np.arange(50) / 100
    for before, after in zip(loaded.annotations, again.annotations, strict=True):
        assert before is not None
        assert after is not None
        assert type(before) is type(after)
        assert before.span == after.span
        for a, b in zip(before.at(times).f0s, after.at(times).f0s, strict=True):
            assert np.array_equal(a, b)
    assert load_annotations(cache, "another") is None
    saved = cache / "annotations" / f"{loaded.ready.annotations}.npz"
    saved.write_bytes(saved.read_bytes()[:-100])
    assert load_annotations(cache, str(loaded.ready.annotations)) is None


# --- python -m ssmpe data ---------------------------------------------------------------------


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Run ``python -m ssmpe`` with a cache of its own; return exit code, output, error."""
    monkeypatch.setenv("SSMPE_CACHE", str(tmp_path / "cache"))

    def run(*arguments: object) -> tuple[int, str, str]:
        code = main([str(a) for a in arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@each_set("MusicNet/train")
def test_check_of_what_is_there(root: Path, name: str, command) -> None:
    code, output, error = command("data", "check", "--data-root", root)
    assert (code, error) == (0, "")
    lines = {line.split()[0]: line.split()[1:] for line in output.splitlines()}
    assert lines["MusicNet"] == ["found", "3", "0.00", "44100"]
    assert {line[0] for n, line in lines.items() if n in DATASETS and n != "MusicNet"} == {
        "missing"
    }


@each_set("MusicNet/train")
def test_check_of_what_is_needed(root: Path, name: str, command) -> None:
    assert command("data", "check", "--data-root", root, name)[0] == 0
    code, output, error = command("data", "check", "--data-root", root, name, "Bach10/all")
    assert code == 2
    assert "Bach10/all: " in output
    assert error.startswith("error: Bach10/all: not whole")
    (root / "MusicNet" / "train_data" / "1728.wav").unlink()
    code, output, error = command("data", "check", "--data-root", root)
    assert code == 2
    assert "1728.wav is missing" in output


def test_check_of_an_own_folder(tmp_path: Path, command) -> None:
    folder = tmp_path / "[my] music"
    folder.mkdir()
    soundfile.write(folder / "[live] ü.flac", np.zeros(22_050), 44_100)
    code, output, _ = command("data", "check", "--folder", f"mine={folder}")
    assert code == 0
    assert "mine" in output
    (folder / "[live] ü.flac").write_bytes(b"")
    code, output, _ = command("data", "check", "--folder", f"mine={folder}")
    assert code == 2
    assert "[live] ü.flac" in output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give --data-root DIR"),
        (("--data-root", "/no/such"), "/no/such: no such folder"),
        (("--data-root", "/tmp", "URMPP"), "did you mean 'URMP'"),
        (("--data-root", "/tmp", "URMP/trian"), "did you mean 'train'"),
        (("--folder", "mine"), "expected NAME=DIR"),
        (("--folder", "URMP=/tmp"), "no published dataset has"),
    ],
)
def test_mistakes_are_one_line(command, arguments, said) -> None:
    code, _, error = command("data", "check", *arguments)
    assert code == 2
    assert said in error
    assert error.count("\n") == 1


def test_a_root_without_any_dataset(tmp_path: Path, command) -> None:
    assert "none of the known datasets" in command("data", "check", "--data-root", tmp_path)[2]


def test_where_tells_of_every_dataset(command) -> None:
    code, output, _ = command("data", "where")
    assert code == 0
    for name, dataset in DATASETS.items():
        assert f"\n{name}: " in f"\n{output}"
        assert dataset.source.url.startswith("https://")
        assert dataset.source.url in output
        for option in dataset.options:
            assert f"{name}/{option}" in output
    assert command("data", "where", "NoSet")[0] == 2


def test_recordings_of_one_s_own_need_no_annotation_and_are_told_so_once(tmp_path, command):
    write_tone(tmp_path / "mine" / "a.ogg", rate=44_100, channels=2)
    code, output, error = command("data", "check", "--folder", f"mine={tmp_path / 'mine'}")
    assert (code, error) == (0, "")
    assert output.splitlines()[-1] == "mine: 1 of 1 tracks have no annotation"
    assert "without" not in output
