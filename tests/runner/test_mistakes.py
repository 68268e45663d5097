"""What users get wrong: one clear line, exit code 2, before anything has run."""

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssmpe.cli import main
from ssmpe.data.datasets.registry import Locations
from ssmpe.data.sets import load_sets
from ssmpe.data.store.cache import cache_dir
from ssmpe.runner import run
from ssmpe.runner.cluster.release import code_of
from ssmpe.runner.plan import Plan
from ssmpe.runner.planning.make import accepted_code, require_code
from ssmpe.runner.planning.presentation import Presentation
from ssmpe.runner.trial.checkpoints import require_begun
from ssmpe.training.trainer import Trainer
from sweeps import hyperparameters, sample_count
from sweeps.sample_count import SWEEP
from tests.support.invented import planned

ROWS = ("--rows", "Ref.,+MN-1")


def test_more_trials_than_any_search_has(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for trials in ("9" * 400, "1000000001"):
        assert main(hyperparameters.SWEEP, None, ("--dry-run", "--trials", trials)) == 2
        assert capsys.readouterr().err.startswith(f"error: --trials {trials:.80}: expected no more")


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """Return a function that runs the sweep and returns the one line it is refused with."""
    monkeypatch.chdir(tmp_path)

    def refuse(*arguments: str) -> str:
        assert main(SWEEP, None, arguments) == 2
        error = capsys.readouterr().err.strip()
        assert error.startswith("error: ")
        assert "\n" not in error
        assert not list(tmp_path.glob("results/sweeps/*"))
        assert not list(tmp_path.glob("results/checkpoints/*"))
        return error

    return refuse


@pytest.fixture
def begun(tmp_path, monkeypatch) -> Plan:
    """Return a plan below the results, of whose sweep nothing has run."""
    monkeypatch.chdir(tmp_path)
    plan = replace(planned(1, tmp_path / "results"), name="mine", script="sample_count")
    plan = replace(plan, code=code_of(Path(sample_count.__file__)))
    plan.save(tmp_path / "results")
    return plan


def test_a_resume_with_the_same_code_says_nothing(begun):
    assert require_code(SWEEP, begun, False) == ""


@pytest.mark.parametrize("changed", ["ssmpe", "sample_count.py"])
def test_a_resume_with_other_code_is_refused_unless_that_is_accepted(begun, capsys, changed):
    other = replace(begun, name="other", code={**begun.code, changed: "0" * 20})
    other.save(Path("results"))
    there = sorted(Path().rglob("*"))
    assert main(SWEEP, None, ("--resume", "other")) == 2
    said = capsys.readouterr()
    assert said.err.startswith(f"error: --resume other: the code of {changed} has changed")
    assert "--accept-code" in said.err
    assert said.err.count("\n") == 1
    assert sorted(Path().rglob("*")) == there
    assert f"other goes on with other code of {changed} " in require_code(SWEEP, other, True)
    here = code_of(Path(sample_count.__file__))[changed]
    tag = {f"ssmpe.accepted_code.{here}": f"{changed}, begun with {'0' * 20}"}
    assert accepted_code(SWEEP, other) == tag
    assert Presentation(other, (), {}, tag).sweep_tags.items() > tag.items()
    assert accepted_code(SWEEP, begun) == {}


@pytest.mark.parametrize("storage", ["nowhere://x/y", f"/{'9' * 300}", "a\0b", "s3://", "no such"])
def test_a_resume_whose_storage_is_none_is_one_line(begun, monkeypatch, capsys, storage):
    # one that is away is waited for, for longer than a test may take
    monkeypatch.setattr(run, "require_begun", partial(require_begun, patience=1.0))
    replace(begun, name="other", storage=storage).save(Path("results"))
    Path("results/mlflow.db").touch()
    there = sorted(Path().rglob("*"))
    assert main(SWEEP, None, ("--resume", "other")) == 2
    error = capsys.readouterr().err
    assert "the checkpoints of this sweep are not there" in error
    assert error.count("\n") == 1
    assert sorted(Path().rglob("*")) == there


def test_of_an_earlier_version_s_sweep_it_is_said_that_nothing_is_known(begun):
    assert "cannot be known" in require_code(SWEEP, replace(begun, code={}), False)


def test_a_new_sweep_has_no_code_to_accept(refused):
    assert "--accept-code goes with --resume or --from-store" in refused("--accept-code")


def test_a_search_takes_nothing_from_the_store(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(hyperparameters.SWEEP, None, ("--dry-run", "--from-store")) == 2
    assert capsys.readouterr().err.startswith("error: --from-store: what a search tries follows")


@pytest.fixture
def damaged(world, tmp_path):
    """Return a function that makes a data root of which one dataset may be changed.

    The others are the world's.
    """

    def make(dataset: str) -> Path:
        root = tmp_path / "data"
        root.mkdir()
        for folder in world.iterdir():
            if folder.name == dataset:
                shutil.copytree(folder, root / folder.name)
            else:
                (root / folder.name).symlink_to(folder)
        return root

    return make


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--rows", "+MN-3"), "'+MN-3'"),
        (("--set", "training.n_batches"), "KEY.PATH=VALUE"),
        (("--set", "training.nbatches=3"), "training.nbatches"),
        (("--set", "training.n_batches=0"), "training.n_batches = 0"),
        (("--set", "training.learning_rate=fast"), "'fast'"),
        (("--set", "objectives.weights.timber=1"), "'timber'"),
        (("--seeds", "x"), "--seeds 'x'"),
        (("--resume", "nothing"), "--resume nothing"),
        (("--resume", "x" * 300), "not a name of a sweep"),
        (("--resume", "ü" * 200), "not a name of a sweep"),
        (("--concurrent", "9" * 400), "--concurrent 99"),
        (("--diagnostics", "9" * 400), "expected no more than 1000000000"),
        (("--tracking-uri", "http://127.0.0.1:9"), "http://127.0.0.1:9"),
        (("--data-root", "/no/such/folder"), "/no/such/folder"),
        (("--set", "data.labelled=URMP/trains"), "'URMP/trains'"),
        (("--set", "data.labelled=E-GMD/train"), "no annotations"),
        (("--set", "data.validation=E-GMD/validation"), "no annotations"),
        (("--set", 'geometry.harmonics=["a"]'), "geometry.harmonics[0] = 'a'"),
        (("--set", 'data.added={"MusicNet/train":Infinity}'), "inf"),
        (("--set", "data.evaluation=[1]"), "data.evaluation[0] = 1"),
        (("--set", "geometry.fmin=6000"), "6000"),
        (("--set", "training.seed=3"), "--seeds"),
        (("--gpus-per-trial", "inf"), "inf"),
        (("--address", "127.0.0.1:9"), "no Ray cluster answers there"),
        (("--max-hours", "0"), "--max-hours"),
        (("--max-gpu-hours", "-1"), "--max-gpu-hours"),
        (("--resume", "x", "--rows", "Ref."), "--rows"),
        (("--from-store", "--diagnostics", "2"), "give one of them"),
        (("--resume", "x", "--from-store"), "--from-store"),
        (("--folder", "URMP=/tmp"), "'URMP'"),
        (("--folder", "mine=/no/such"), "/no/such: no such folder"),
        (("--folder", f"mine=/{'9' * 300}"), "no such folder"),
        (("--folder", "mine=/tmp"), "no row uses it"),
        (("--folder", "mine=/tmp", "--set", "data.added.mime/all=1"), "did you mean 'mine'"),
        (("--max-hours", "FMA/train=1", "--rows", "Ref."), "no row uses that set"),
        (("--set", "data.max_tracks.FMA/train=5", "--rows", "Ref."), "no row uses that set"),
        (("--set", "data.max_tracks.URMP/trian=5"), "did you mean 'train'"),
        (("--set", "data.max_tracks.URMP/train=0"), "data.max_tracks.URMP/train = 0"),
        (("--set", 'data.labelled_share={"FMA/train":1}', "--rows", "+MN-8"), "no row adds that"),
        (("--set", "data.labelled_share.URMP/train=1", "--rows", "Ref."), "(added: none)"),
        (("--set", "data.options.GuitarSet/late=true"), "GuitarSet/correct_late"),
        (("--set", "data.labelled=URMP/validation"), "is learnt from with its labels"),
        (("--set", "objectives.score_teacher=true", "--rows", "Ref."), "without effect"),
        (("--set", "objectives.pseudo_labels.signal=9", "--rows", "Ref."), "without effect"),
    ],
)
def test_options(world, refused, arguments, said):
    assert said in refused(*arguments)


@pytest.mark.parametrize(
    ("storage", "said"), [("nowhere://x/y", "nowhere://x/y"), ("9" * 300, "File name too long")]
)
def test_a_storage_that_cannot_be_used_is_told_before_ray_starts(
    world, refused, monkeypatch, storage, said
):
    monkeypatch.delattr(run, "cluster")  # nothing to start it with
    assert said in refused("--storage", storage)


def test_labels_of_a_set_that_has_none(world, refused):
    said = refused("--rows", "+FMA-8", "--set", "data.labelled_share.FMA/train=0.5")
    assert "data.labelled_share.FMA/train = 0.5" in said
    assert "has no annotation" in said


def test_a_cache_that_cannot_be_written(refused, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SSMPE_CACHE", str(tmp_path / "file" / "cache"))
    assert str(tmp_path / "file") in refused()


def test_results_that_cannot_be_written(refused, tmp_path):
    (tmp_path / "results").touch()
    assert str(tmp_path / "results") in refused()


def test_a_data_root_without_a_needed_set(damaged, refused, capsys):
    root = damaged("")
    (root / "MusicNet").unlink()
    said = refused("--data-root", str(root), *ROWS)
    assert f"MusicNet/test, MusicNet/train cannot be used: they are not below {root}" in said
    assert main(SWEEP, None, ("--data-root", str(root), *ROWS)) == 2
    told = "".join(capsys.readouterr().out.split())
    assert str(root / "MusicNet") in told
    assert "expectedlayout:MusicNet/{train,test}_data/ID.wav" in told


@pytest.mark.parametrize("pattern", ["05_*", "05_*/AuMix_*.wav", "05_*/F0s_1_*.txt"])
def test_a_half_empty_labelled_set(damaged, refused, pattern):
    root = damaged("URMP")
    (found,) = (root / "URMP").glob(pattern)
    shutil.rmtree(found) if found.is_dir() else found.unlink()
    said = refused("--data-root", str(root), *ROWS)
    assert ("05" in said) if found.suffix == "" else (found.name in said)


def overwrite(path: Path, samples: np.ndarray) -> None:
    soundfile.write(path, samples, 22050, subtype="FLOAT")


BAD_AUDIO = {
    "unreadable": lambda path: path.write_bytes(b"no audio"),
    "empty": lambda path: overwrite(path, np.zeros(0)),
    "zero bytes": lambda path: path.write_bytes(b""),
    "NaN": lambda path: overwrite(path, np.full(50_000, np.nan)),
}


@pytest.mark.parametrize("damage", BAD_AUDIO)
def test_bad_audio_of_a_labelled_set(damaged, refused, damage):
    root = damaged("URMP")
    (path,) = (root / "URMP").glob("05_*/AuMix_*.wav")
    BAD_AUDIO[damage](path)
    assert str(path) in refused("--data-root", str(root), *ROWS)


@pytest.mark.parametrize(
    ("text", "said"),
    [("0.0 440\n0.01 foo\n", "line 2"), ("", ""), ("900.0 440\n900.01 440\n", "900")],
    ids=["garbled", "empty", "of another recording"],
)
def test_bad_annotations(damaged, refused, text, said):
    root = damaged("URMP")
    (path,) = (root / "URMP").glob("02_*/F0s_1_*.txt")
    other = [p for p in path.parent.glob("F0s_*.txt") if p != path]
    path.write_text(text)
    if said == "900":
        for part in other:
            part.write_text(text)
    error = refused("--data-root", str(root), *ROWS)
    assert path.parent.name in error
    assert said in error


def test_bad_audio_of_an_unlabelled_set_is_skipped_counted_and_listed(damaged, brief):
    root = damaged("MusicNet")
    first, second = sorted((root / "MusicNet" / "train_data").glob("*.wav"))[:2]
    first.write_bytes(b"no audio")
    overwrite(second, np.full(50_000, np.nan))
    config = brief.replace({"data.added": {"MusicNet/train": 1}, "data.evaluation": []})
    sets = load_sets(config.data, 22050, Locations(root), cache_dir())
    skipped = sets.added[0].store.skipped
    assert {Path(entry.path).name for entry in skipped} == {first.name, second.name}
    assert len(sets.added[0].store) == 38
    assert str(first) in (sets.added[0].store.folder / "skipped.json").read_text()


def test_stereo_other_rates_silence_and_very_short_tracks_are_fine(damaged, brief):
    root = damaged("MusicNet")
    files = sorted((root / "MusicNet" / "train_data").glob("*.wav"))
    rng = np.random.default_rng(0)
    soundfile.write(files[0], rng.uniform(-1, 1, (48_000, 2)), 48_000)
    overwrite(files[1], np.zeros(30_000))
    overwrite(files[2], np.full(1, 0.5))
    for file in files[3:]:
        file.unlink()
        (root / "MusicNet" / "train_labels" / f"{file.stem}.csv").unlink()
    config = brief.replace(
        {
            "data.added": {"MusicNet/train": 3},
            "data.evaluation": [],
            "training.n_batches": 2,
        }
    )
    sets = load_sets(config.data, 22050, Locations(root), cache_dir())
    assert len(sets.added[0].store) == 3
    (validation,) = Trainer(config, sets).run()
    assert np.isfinite(validation.losses["total"])
