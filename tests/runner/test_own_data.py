"""A sweep on the user's own recordings: without labels, with them, and as percussion."""

import json
import shutil
from pathlib import Path

import pytest

from ssmpe.cli import main
from sweeps import sample_count
from tests.support import sweeping

SWEEP = (sweeping.UNREPORTED, "sample_count")


@pytest.fixture(scope="module")
def own(world: Path, tmp_path_factory) -> dict[str, Path]:
    """Make folders of recordings, some annotated by ragged text, and of drums."""
    root = tmp_path_factory.mktemp("own")
    songs, drums = root / "my songs", root / "drums"
    for i, path in enumerate(sorted((world / "MusicNet" / "train_data").iterdir())[:4]):
        folder = songs / f"album {i % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / f"{i}.wav")
        if i < 2:
            frames = "".join(f"{t / 10:.1f} 220 330\n" for t in range(100))
            (folder / f"{i}.txt").write_text(frames)
    shutil.copytree(world / "E-GMD" / "drummer1", drums)
    return {"songs": songs, "drums": drums}


def test_a_sweep_on_own_recordings(own, tmp_path):
    arguments = [
        *(f"--folder={name}={folder}" for name, folder in own.items()),
        *("--rows", "Ref.", "--set", "data.added.songs/all=1"),
        *("--set", "data.labelled=songs/annotated", "--set", "data.percussion=drums/all"),
        *("--set", 'data.evaluation=["songs/annotated"]', "--max-hours", "songs/all=0.008"),
        *("--set", "training.n_batches=4", "--set", "training.validate_every=2"),
        *("--set", "data.labelled_excerpts=1"),
    ]
    code, output = sweeping.run(tmp_path, *SWEEP, *arguments)
    assert code == 0, output
    (trial,) = sweeping.runs(tmp_path, "trial")
    assert 0 <= trial.data.metrics["songs/annotated/blank_rate"] <= 1
    table = {line.split()[0]: line.split()[1:4] for line in output.splitlines() if "found" in line}
    assert table["songs/annotated"][:2] == ["found", "2"]
    # 12 s each: the third fills 0.008 hours up
    assert table["songs/all"][:2] == ["found", "3"]
    assert "is the same recording as" not in output
    # a resume finds them again
    name = sweeping.sweep_name(output)
    plan = json.loads((tmp_path / "results" / "sweeps" / name / "plan.json").read_text())
    assert plan["folders"] == {name: str(folder) for name, folder in own.items()}
    code, again = sweeping.run_here(tmp_path, *SWEEP, "--resume", name)
    assert code == 0, again


def test_everything_that_is_missing_is_told_before_anything_runs(
    world, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    root = tmp_path / "data"
    root.mkdir()
    for name in ("URMP", "E-GMD"):
        shutil.copytree(world / name, root / name)
    (damaged,) = (root / "URMP").glob("02_*/F0s_1_*.txt")
    damaged.write_text("0.0 440\n0.01 x\n")
    assert main(sample_count.SWEEP, None, ("--data-root", str(root), "--rows", "Ref.")) == 2
    said = capsys.readouterr()
    output = said.out + said.err
    assert f"{damaged}, line 2" in output
    for name in ("Bach10", "MusicNet", "GuitarSet"):
        assert f"{root / name} is missing; expected layout: " in output
    assert output.splitlines()[-1].startswith("error: URMP/validation, ")
    assert "Traceback" not in output
    assert sweeping.runs(tmp_path, "sweep") == []
