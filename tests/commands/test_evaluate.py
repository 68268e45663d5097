"""``python -m ssmpe evaluate`` with a trained network."""

import csv
import io
import json
import math
import re
import shutil
import sys
import warnings
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import mir_eval
import numpy as np
import pytest

from analysis.numbers.intervals import mean_difference
from ssmpe.commands import scored, weights
from ssmpe.commands.scored import accuracy
from ssmpe.console import make_console
from ssmpe.data.datasets.registry import DATASETS, Locations
from ssmpe.data.sets import load_use, use_of
from ssmpe.data.store.cache import cache_dir
from ssmpe.evaluation.notes import NOTE_MEASURES
from ssmpe.evaluation.scores import ALL_MEASURES, SetScores, TrackScores, mean_scores
from ssmpe.evaluation.scoring import evaluate, prepare
from ssmpe.network.baselines import network_of
from ssmpe.tracking import schema
from ssmpe.tracking.tracker import Tracker
from ssmpe.training.checkpoint import BEST
from ssmpe.transcription.trained import load_trained, with_decomposition
from tests.layouts.midi import write_midi
from tests.support import transcribing
from tests.support.checkpoints import as_0_3_0_wrote
from tests.support.transcribing import write_tones

checkpoint, command = transcribing.checkpoint, transcribing.command


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def table_of(output: str) -> dict[str, list[str]]:
    """Set -> the numbers of its row in the first table."""
    first = output.partition("notes, by mir_eval")[0].partition("onset P")[0]
    lines = [line.split() for line in first.splitlines()]
    return {line[0]: line[1:9] for line in lines if "/" in line[0] and line[1].isdigit()}


def notes_of(output: str) -> dict[str, list[str]]:
    """Set -> the numbers of its row in the table of notes."""
    lines = [line.split() for line in output.partition("onset P")[2].splitlines()]
    return {line[0]: line[1:8] for line in lines if "/" in line[0] and line[1].isdigit()}


def test_scores_are_those_of_training(tmp_path, world, checkpoint, command):
    """The best weights have the F1 that the trial reported, and every other number, too."""
    path = tmp_path / "not there yet" / "scores.csv"
    names = ("NSynth/valid", "TRIOS/all")
    code, output, error = command("evaluate", *names, "--checkpoint", checkpoint, "--csv", path)
    assert (code, error) == (0, "")
    trained = load_trained(checkpoint, "cpu")
    config = trained.config
    uses = [use_of(n, config.data, config.geometry.sample_rate, annotated=True) for n in names]
    loaded = tuple(load_use(use, Locations(world), cache_dir()) for use in uses)
    tuned, prepared = trained.threshold, prepare(loaded, trained.hcqt, "cpu")
    expected = {s.name: evaluate(trained.network, s, tuned) for s in prepared}
    assert expected["NSynth/valid"].means.f1_tuned == trained.best_score
    assert expected["NSynth/valid"].means.pitches_per_frame > 0

    rows = rows_of(path)
    assert len(rows) == sum(len(s.tracks) for s in expected.values())
    for row in rows:
        scores = expected[row["set"]].tracks[row["track"]]
        assert row["data"] == "embedded world (tiny)"
        for measure in ALL_MEASURES:
            found = float(row[measure] or "nan")
            assert found == pytest.approx(getattr(scores, measure), abs=1e-6, nan_ok=True)
    table = table_of(output)
    for name in names:
        own = [row for row in rows if row["set"] == name]
        columns = (
            *("f1_tuned", "blank_rate_tuned", "average_precision"),
            *("precision", "recall", "f1", "blank_rate"),
        )
        means = [f"{np.mean([float(row[c]) for row in own]):.3f}" for c in columns]
        assert table[name] == [str(len(own)), *means]
        means = [f"{np.mean([float(row[m]) for row in own]):.3f}" for m in NOTE_MEASURES]
        assert notes_of(output)[name] == [str(len(own)), *means]
    told = f"tuned: at a salience of {tuned:.3g}, tuned on NSynth/valid; others, but average "
    assert told in output
    assert output.splitlines()[-1].startswith(f"{', '.join(names)}: embedded world (tiny); ")


def test_the_trial_s_own_sets_are_the_default(checkpoint, command):
    code, output, _ = command("evaluate", "--checkpoint", checkpoint)
    assert code == 0
    assert list(table_of(output)) == ["NSynth/valid", "TRIOS/all"]


def test_its_own_transcription_is_perfect(tmp_path, checkpoint, command):
    """What ``transcribe`` writes is an annotation by which the same network scores 1.

    At the threshold that it was written with, which is the tuned one unless another is given.
    """
    folder = tmp_path / "mine"
    folder.mkdir()
    path = write_tones(folder / "a.wav", 200_000)
    arguments = ("--checkpoint", checkpoint)
    assert command("transcribe", path, *arguments, "--out", tmp_path / "out")[0] == 0
    shutil.copy(tmp_path / "out" / "a.csv", folder)
    bare, out = tmp_path / "bare", tmp_path / "scores.csv"
    bare.mkdir()
    shutil.copy(path, bare)
    own = ("--folder", f"mine={folder}", "--folder", f"bare={bare}", "--csv", out)
    code, output, error = command("evaluate", "mine/annotated", "bare/all", *arguments, *own)
    assert (code, error) == (0, "")
    annotated, unlabelled = rows_of(out)
    assert float(annotated["f1_tuned"]) == 1.0
    assert float(annotated["f1"]) < 1.0
    assert annotated["data"] == str(folder)
    # without labels there is no score, but a rate of blank frames
    scores = ("f1_tuned", "average_precision", "precision", "recall", "f1", "accuracy")
    assert [unlabelled[m] for m in scores] == [""] * 6
    assert 0 <= float(unlabelled["blank_rate_tuned"]) <= float(unlabelled["blank_rate"]) <= 1
    row = table_of(output)["bare/all"]
    assert [row[1], *row[3:7]] == ["–"] * 5
    assert output.endswith(f"mine/annotated: {folder}\nbare/all: {bare}\n")
    assert "mine/annotated, bare/all: no notes are known" in output
    assert [annotated[m] for m in NOTE_MEASURES] == [""] * 6
    shutil.copy(path, folder / "b.wav")
    output = command("evaluate", "mine/all", *arguments, *own)[1]
    assert table_of(output)["mine/all"][:3] == ["1", "of", "2"], "tracks"
    (folder / "b.wav").unlink()
    # as MIDI, notes are right as well
    (folder / "a.csv").unlink()
    shutil.copy(tmp_path / "out" / "a.mid", folder)
    code, output, _ = command("evaluate", "mine/annotated", *arguments, *own)
    assert (code, notes_of(output)) == (0, {"mine/annotated": ["1", *["1.000"] * 6]})
    (annotated,) = rows_of(out)
    assert {float(annotated[m]) for m in NOTE_MEASURES} == {1.0}
    (folder / "a.mid").unlink()
    half = (*arguments, "--threshold", "0.5")
    assert command("transcribe", path, *half, "--out", tmp_path / "half")[0] == 0
    shutil.copy(tmp_path / "half" / "a.csv", folder)
    code, output, _ = command("evaluate", "mine/annotated", *half, *own)
    assert code == 0
    (annotated,) = rows_of(out)
    names = ("precision", "recall", "f1", "accuracy", "f1_tuned")
    assert [float(annotated[m]) for m in names] == [1.0] * 5
    assert "tuned: at a salience of 0.5 (--threshold);" in output


def test_the_decomposition_stands_beside_a_network(world, checkpoint, command):
    """With the threshold that is best for both, on the set that is asked for."""
    name, weight = "TRIOS/all", 20.0
    asked = ("--tune", name, "--decomposition", weight)
    code, output, error = command("evaluate", name, "--checkpoint", checkpoint, *asked)
    assert (code, error) == (0, "")
    trained = load_trained(checkpoint, "cpu")
    config = trained.config.replace({"model.decomposition": weight})
    both = network_of(config.geometry, config.model).eval()
    both.load_state_dict(trained.network.state_dict())
    use = use_of(name, config.data, config.geometry.sample_rate, annotated=True)
    loaded = load_use(use, Locations(world), cache_dir())
    (prepared,) = prepare((loaded,), trained.hcqt, "cpu")
    expected = evaluate(both, prepared)
    assert f"salience of {expected.threshold:.3g}, tuned on {name}; others" in output
    assert "beside every network: the harmonic decomposition, of weight 20" in output
    means = expected.means
    found = [f"{x:.3f}" for x in (means.f1_tuned, means.blank_rate_tuned, means.average_precision)]
    assert table_of(output)[name][1:4] == found
    assert trained.network.decomposition == 0.0
    other = with_decomposition(trained, weight)
    assert (trained.network.decomposition, other.network.decomposition) == (0.0, weight)
    assert (other.threshold, other.notes, with_decomposition(other, weight)) == (None, None, other)
    _, alone, _ = command("evaluate", name, "--checkpoint", checkpoint, "--tune", name)
    assert float(found[2]) > float(table_of(alone)[name][3]) + 0.1, "six batches teach nothing"


def test_other_data(world, checkpoint, command):
    """Datasets of a data root are not called embedded, whatever the trial was trained on."""
    which = ("--checkpoint", checkpoint, "--data-root", world)
    code, output, _ = command("evaluate", "NSynth/valid", *which)
    assert code == 0
    assert "embedded" not in output
    assert f"NSynth/valid: {world}\n" in output


def test_all_trials_of_a_sweep_are_scored_that_have_weights(
    tmp_path, tmp_path_factory, world, brief, checkpoint, command, uri, monkeypatch
):
    """Together, and each as by itself: of other weights, of no network, at its own threshold."""
    config = brief.replace(transcribing.FRESH)
    folders = {
        ("Ref.", "0"): checkpoint,
        ("+MN-8", "1"): transcribing.trained(
            world, config.replace({"training.seed": 1}), tmp_path_factory
        ),
        ("no network", "0"): transcribing.trained(
            world, config.replace({"model.network": "energy"}), tmp_path_factory
        ),
        # of other features, on other tracks
        ("finer", "0"): transcribing.untrained(
            tmp_path / "finer",
            config.replace({"geometry.hop_length": 512, "data.max_tracks": {"NSynth/valid": 3}}),
        ),
        ("failed", "0"): None,
    }
    tracker = Tracker(uri, tmp_path / "spool")
    tracker.start_sweep("sample_count", "calm-otter", {}, {})
    for (row, seed), folder in folders.items():
        tracker.start_trial(row, row, {schema.ROW: row, schema.SEED: seed}, {})
        for path in sorted(folder.glob(f"{BEST}.*")) if folder else ():
            tracker.log_file(row, path, schema.BEST_CHECKPOINT_ARTIFACT)
    assert tracker.close(60)
    loaded = {
        key: load_trained(folder, "cpu", signal=True) for key, folder in folders.items() if folder
    }
    names, path, rows = ("NSynth/valid", "TRIOS/all"), tmp_path / "scores.csv", []
    for room in (weights.LOADED_BYTES, 1):  # all networks at once, and one after the other
        monkeypatch.setattr(weights, "LOADED_BYTES", room)
        which = ("--sweep", "calm-otter", "--tracking-uri", uri)
        code, output, error = command("evaluate", *names, *which, "--csv", path)
        assert (code, error) == (0, "")
        rows.append(rows_of(path))
    assert rows[0] == rows[1]
    named = {(r["row"], r["seed"]): r["run"] for r in rows[0]}
    assert named.keys() == loaded.keys()
    assert len(set(named.values())) == 4

    def alone(row: str, seed: str) -> Iterator[dict[str, str]]:
        trained = loaded[row, seed]
        data, rate = trained.config.data, trained.config.geometry.sample_rate
        uses = [use_of(name, data, rate, annotated=True) for name in names]
        sets = tuple(load_use(use, Locations(world), cache_dir()) for use in uses)
        least = trained.least_salience
        first = {"row": row, "seed": seed, "threshold": f"{least:g}"}
        for one in prepare(sets, trained.hcqt, "cpu"):
            for track, scores in evaluate(trained.network, one, least).tracks.items():
                values = {measure: f"{value:.6f}" for measure, value in asdict(scores).items()}
                yield {**first, "set": one.name, "track": track, **values}

    expected = [line for key in named for line in alone(*key)]
    assert len({line["threshold"] for line in expected}) == 4
    assert [{k: r[k] for k in e} for r, e in zip(rows[0], expected, strict=True)] == expected
    lines = [line.split("  ")[0] for line in output.splitlines()[1:9:2]]
    assert lines == [row for row, _ in named]
    assert output.splitlines()[-1].startswith(f"{', '.join(names)}: embedded world (tiny); ")
    code, _, error = command("evaluate", "--sweep", "calm", "--tracking-uri", uri)
    assert (code, error) == (2, f"error: {uri}: sweep calm: not in the store\n")


def test_rows_of_a_sweep_are_compared_over_seeds_and_tracks():
    """Paired by seed with Ref., wherever that stands; a row without partners is not compared."""
    rng, half = np.random.default_rng(0), TrackScores(*[0.5] * 6)
    data = scored.Data(Locations(Path("/data")), None)

    def of(row: str, seed: int, f1s: np.ndarray) -> scored.Scored:
        tracks = {str(i): replace(half, f1_tuned=f1) for i, f1 in enumerate(f1s)}
        found = SetScores("Bach10/all", mean_scores([*tracks.values()]), tracks)
        return scored.Scored("run", row, str(seed), row != "no network", 0.5, "", data, [found])

    reference = rng.uniform(0.4, 0.6, (5, 10))
    better = reference + rng.normal(0.1, 0.02, (5, 10))
    alike = reference + rng.normal(0, 0.1, (5, 10))
    rows = {"no network": reference[:1] - 0.1, "better": better, "Ref.": reference, "alike": alike}
    given = [of(row, seed, s) for row, found in rows.items() for seed, s in enumerate(found)]
    given += [of("other seed", 7, better[0]), of("fewer tracks", 0, better[0, :3])]
    file = io.StringIO()
    scored.tell(make_console(file, 200), given)
    text = file.getvalue()
    told = {
        match[1]: [*match.groups()[1:]]
        for match in re.finditer(
            r"^Bach10/all +(\S.*?)  +(\d)  +(\S+)(?:  +(\S.*?))?  +–", text, re.M
        )
    }
    assert list(told) == [*rows, "other seed", "fewer tracks"]
    for row, found in rows.items():
        effect = mean_difference(found - reference[: len(found)])
        assert effect is not None
        mark = "*" * (row in ("better", "no network"))
        gain = None if row == "Ref." else f"{effect.mean:+.3f} {effect.interval()}{mark}"
        assert told[row] == [str(len(found)), f"{found.mean():.3f}", gain]
    assert told["other seed"] == ["1", f"{better[0].mean():.3f}", None]
    assert told["fewer tracks"] == ["1", f"{better[0, :3].mean():.3f}", None]
    assert "*: survives Holm's correction for all 3 of a measure" in " ".join(text.split())
    # names, not numbers, are folded where there is little room
    narrow = io.StringIO()
    long = {row: f"{row}+labels+views+EMA+free-4" for row in told if row != "Ref."}
    longer = [replace(one, row=long.get(one.row, one.row)) for one in given]
    scored.tell(make_console(narrow, 96), longer)
    assert "…" not in narrow.getvalue()
    assert all(gain in narrow.getvalue() for _, _, gain in told.values() if gain)
    given = [one for one in given if one.row != "Ref."]  # then the first row with a network
    scored.tell(make_console(file, 200), given)
    assert "− better" in file.getvalue()


QUESTION = '"""Does a choir sing?"""\n'
ROWS = """
from ssmpe.cli import sweep
from ssmpe.experiments.deltas import REFERENCE
from ssmpe.experiments.sweep import row

SWEEP = sweep(lambda base: [row(REFERENCE)])
"""


def test_datasets_of_a_sweep_s_file_are_scored(tmp_path, checkpoint, command, monkeypatch):
    """The reader of the page on extending, for a trial that was validated with it."""
    monkeypatch.setitem(DATASETS, "Choir", DATASETS["URMP"])  # and afterwards there is none again
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    own = tmp_path / "own"
    shutil.copytree(checkpoint, own)
    as_0_3_0_wrote(own)
    plain = json.loads((own / "trial.json").read_text())
    plain["config"]["data"] |= {"validation": "Choir/test", "evaluation": [], "source": "folder"}
    (own / "trial.json").write_text(json.dumps(plain))
    folder = tmp_path / "Choir" / "test"
    write_midi(folder / "a.mid", [(0.1, "note_on", 60, 64), (0.9, "note_off", 60, 0)])
    write_tones(folder / "a.wav", 22_050)
    page = (Path(__file__).parents[2] / "sweeps" / "EXTEND.md").read_text()
    reader = re.findall(r"^```python\n(.*?)^```", page, re.M | re.S)[1]
    (tmp_path / "choir.py").write_text(QUESTION + reader + ROWS)
    which = ("evaluate", "--checkpoint", own, "--data-root", tmp_path)
    of_file = ("--sweep-file", "choir.py")
    for given, said in (
        ((), "unknown dataset 'Choir' (known: URMP, "),
        ((), "SWD, MagnaTagATune); of your own: --sweep-file FILE or --folder NAME=DIR\n"),
        (("--sweep-file", "chor.py"), "error: sweep chor.py: no such file, here or"),
        (("Coir/test", *of_file), "did you mean 'Choir'?"),
        (("Coir/test", *of_file), "; --sweep-file choir.py brings none of that name\n"),
        (("Choir/tests", *of_file), "unknown split of Choir 'tests'; did you mean 'test'?"),
    ):
        DATASETS.pop("Choir", None)
        code, output, error = command(*which, *given)
        assert (code, output, error.count("\n")) == (2, "", 1)
        assert said in error
    for name in ("./choir.py", "choir"):
        DATASETS.pop("Choir", None)
        code, output, error = command(*which, "--sweep-file", name)
        assert (code, error) == (0, "")
        assert table_of(output)["Choir/test"][0] == "1"
    DATASETS.pop("Choir", None)
    checked = ("data", "check", "--data-root", tmp_path, "Choir")
    assert "unknown dataset 'Choir'" in command(*checked)[2]
    code, output, error = command(*checked, *of_file)
    assert (code, error) == (0, "")
    assert re.search(r"^Choir +found +1 +0\.00 +22050", output, re.M)
    (tmp_path / "faulty.py").write_text(QUESTION + "import numpi\n")
    code, output, error = command(*which, "--sweep-file", "faulty.py")
    assert (code, output) == (2, "")
    said = r"error: sweep faulty\.py: ModuleNotFoundError: No module named 'numpi' \(.*, line 2\)\n"
    assert re.fullmatch(said, error)


def test_mistakes_are_one_line(tmp_path, checkpoint, command):
    foreign = tmp_path / "of a data root"
    shutil.copytree(checkpoint, foreign)
    as_0_3_0_wrote(foreign)  # whose files can be changed without sums to be set right
    plain = json.loads((foreign / "trial.json").read_text())
    plain["config"]["data"]["source"] = "folder"
    (foreign / "trial.json").write_text(json.dumps(plain))
    (tmp_path / "empty").mkdir()
    for arguments, said in (
        (("URMPP/all", "--checkpoint", checkpoint), "did you mean 'URMP'"),
        (("mine/all", "--checkpoint", checkpoint), "unknown dataset 'mine'"),
        (("NSynth/valid", "--checkpoint", foreign), "give --data-root DIR"),
        (("--checkpoint", checkpoint, "--data-root", tmp_path / "x"), "no such folder"),
        (("--checkpoint", checkpoint, "--data-root", "x" * 300), "no such folder"),
        (("--checkpoint", checkpoint, "--threshold", "low"), "threshold low: expected a salience"),
        (("--checkpoint", checkpoint, "--threshold", "nan"), "threshold nan: expected a salience"),
        (("--checkpoint", checkpoint, "--threshold", "1.1"), "a number from 0 to 1"),
        (("--checkpoint", checkpoint, "--tune", "URMPP/all"), "did you mean 'URMP'"),
        (("--checkpoint", checkpoint, "--tune", "FMA/train"), "has no annotations"),
        (("--checkpoint", checkpoint, "--tune", "Su/all", "--threshold", "0.4"), "either --tune"),
        (("--checkpoint", checkpoint, "--decomposition", "20"), "give --tune SET, or --threshold"),
        (
            ("--checkpoint", checkpoint, "--decomposition", "much"),
            "expected a number from 0 to 1000",
        ),
        (("Su/all", "--checkpoint", checkpoint, "--data-root", tmp_path / "empty"), "Su"),
        (("--checkpoint", checkpoint, "--csv", tmp_path), "is a folder"),
        (("--checkpoint", checkpoint, "--csv", tmp_path / "a.wav"), "named as a recording is"),
        (("--checkpoint", checkpoint, "--csv", foreign / "best.pt" / "x"), "cannot be written"),
    ):
        code, output, error = command("evaluate", *arguments)
        assert (code, output, error.count("\n")) == (2, "", 1)
        assert said in error


def test_accuracy_is_mir_eval_s():
    rng = np.random.default_rng(0)
    times = np.arange(50) / 100
    tones = 440 * 2 ** (np.arange(12) / 12)
    for n in (0, 1, 3):
        truth, estimate = ([rng.choice(tones, 3, replace=False) for _ in times] for _ in range(2))
        estimate = [f0s[:n] for f0s in estimate]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of nothing estimated
            p, r, a, *_ = mir_eval.multipitch.metrics(times, truth, times, estimate)
        assert accuracy(TrackScores(p, r, 0, 0, 0, 0)) == pytest.approx(a)
    assert math.isnan(accuracy(TrackScores(*[math.nan] * 6)))
