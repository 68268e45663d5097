"""Galleries of salience-grams, from pictures as the runner writes them.

And the commands that draw from a store.
"""

import csv
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imsave
from mlflow import MlflowClient
from numpy.typing import NDArray

from analysis import border, gallery, spending
from analysis.drawing import style
from analysis.drawing.axes import Grid
from analysis.gallery import Gallery
from analysis.reading.pictures import Picture, Pictures, frame_width, read_pictures
from ssmpe.errors import UserError
from ssmpe.runner.trial import pictures
from ssmpe.tracking import schema
from ssmpe.tracking.stored.store import read_sweep
from tests.analysis.test_border import on_a_plane
from tests.analysis.test_figures import sweep_of, text_boxes
from tests.support.analysis_store import SETS, Invented, drawn, store_in, write_sweep

GEOMETRY = {
    "geometry.sample_rate": "22050",
    "geometry.hop_length": "1024",
    "geometry.fmin": "27.5",
    "geometry.bins_per_octave": "24",
    "geometry.n_bins": "176",
}
BINS, FRAMES = 176, 86
UNANNOTATED = "Bach10/all"


class Drawn(Invented):
    """A trial whose settings have a geometry."""

    def params(self, sets: tuple[str, ...]) -> dict[str, str]:
        return {**super().params(sets), **GEOMETRY}


def panel(seed: int, loudest: float = 1.0) -> NDArray[np.float32]:
    """Return a tone at A4 and noise below it."""
    values = 0.2 * np.random.default_rng(seed).random((BINS, FRAMES), np.float32)
    values[48 * 2, 10:60] = loudest
    return values


def trials() -> list[Invented]:
    return [
        Drawn("Ref.", 0),
        Drawn("Ref.", 1),
        Drawn("+MN-2", 0, "MusicNet/train", 2),
        Drawn("+MN-2", 1, "MusicNet/train", 2),
        Drawn("+MN-8", 0, "MusicNet/train", 8, "failed", 100),
        Drawn("+MN-8", 1, "MusicNet/train", 8, "collapsed", 300),
    ]


@pytest.fixture(scope="module")
def uri(empty_store, tmp_path_factory) -> str:
    """Fill a store with a sweep whose runs have pictures, and one on a plane of weights."""
    folder = tmp_path_factory.mktemp("pictures")
    uri = store_in(folder, empty_store)
    write_sweep(uri, "plane", on_a_plane(1)[:6])
    write_sweep(uri, "drawn", trials())
    client = MlflowClient(uri)
    for trial in read_sweep(uri, "drawn").trials:
        for set_name in SETS[:3]:
            local = folder / trial.run_id / set_name.replace("/", "-")
            local.mkdir(parents=True)
            for batch in range(50, trial.last_step + 1, 50):
                panels = [panel(batch, loudest=0.5)]
                if set_name != UNANNOTATED:
                    panels.insert(0, panel(1))
                pictures.write(local / f"{batch:06d}.png", panels)
        client.log_artifacts(trial.run_id, str(folder / trial.run_id), schema.SALIENCE_ARTIFACTS)
    return uri


def read(uri: str, row: str, scratch: Path) -> Pictures:
    (trial, *_) = read_sweep(uri, "drawn").of_row(row)
    return read_pictures(MlflowClient(uri), trial, SETS, scratch)


def test_pictures_are_the_values_again(uri, tmp_path):
    found = read(uri, "Ref.", tmp_path)
    assert {s for s, _ in found} == set(SETS[:3])
    assert found[UNANNOTATED, 100].truth is None
    picture = found["MusicNet/test", 100]
    assert picture.truth is not None
    width = frame_width(found.values())
    assert width == 450 // FRAMES
    for values, expected in ((picture.salience, panel(100, 0.5)), (picture.truth, panel(1))):
        assert values[:, ::width].shape == (BINS, FRAMES)
        assert values[:, ::width] == pytest.approx(expected, abs=1 / 255)


def test_a_tone_lies_at_its_pitch_and_time(uri, tmp_path):
    found = list(read(uri, "Ref.", tmp_path).values())
    grid = Grid.of(GEOMETRY, found)
    assert grid.seconds == pytest.approx(FRAMES * 1024 / 22050)
    low, high = grid.edges
    rows = np.linspace(low, high, 2 * BINS + 1)[1::2]  # centres
    assert found[0].truth is not None
    assert rows[found[0].truth.max(axis=1).argmax()] == pytest.approx(69)
    assert low < grid.view[0] < 69 < grid.view[1] < high
    bare = Grid.of({}, found)
    assert (bare.seconds, bare.midi, bare.edges) == (None, False, (0.0, BINS))
    blank = [Picture(np.zeros((BINS, 10)), None)]
    assert Grid.of(GEOMETRY, blank).seconds is None


def test_by_default_the_most_blank_row_hangs_under_the_reference(uri, tmp_path):
    made = drawn(gallery.FIGURE, uri, "drawn", tmp_path)
    lines = list(csv.DictReader((tmp_path / "gallery.csv").open()))
    assert dict.fromkeys(x["row"] for x in lines) == {"Ref.": None, "+MN-8": None}
    assert {x["seed"] for x in lines} == {"1"}  # of the other seed, one has failed
    batches = sorted({int(x["batch"]) for x in lines})
    assert batches[0] == 50
    assert batches[-2:] == [300, 400]
    assert not [x for x in lines if x["row"] == "+MN-8" and x["batch"] == "400"]
    of_run = {t.run_id: t for t in read_sweep(uri, "drawn").trials}
    for line in lines:
        curve = of_run[line["run"]].curves[f"{line['set']}/blank_rate"]
        assert float(line["blank_rate"]) == curve.at(int(line["batch"]))
    assert "+MN-8 seed 1, collapsed at batch 300" in "\n".join(made.findings)
    stems = {f"gallery_{s.replace('/', '-')}" for s in SETS[:3]}
    assert {p.stem for p in made.files} == {*stems, "gallery"}
    assert all(p.stat().st_size > 500 for p in made.files)


@pytest.mark.parametrize("rows", ["+MN-2, Ref.", "+MN-8"])
def test_rows_can_be_chosen(uri, rows):
    sweep = read_sweep(uri, "drawn")
    assert list(gallery.chosen(sweep, rows)) == [r.strip() for r in rows.split(",")]
    with pytest.raises(UserError, match=r"no row '\+MN-9' \(rows: Ref., "):
        gallery.chosen(sweep, "+MN-9")


def test_panels_show_truth_and_states_and_no_text_overlaps():
    sweep = sweep_of(trials())
    shown = gallery.one_of_each(sweep, ("Ref.", "+MN-8"))
    found = {
        t.run_id: {
            ("MusicNet/test", b): Picture(np.asarray(panel(b), float), np.asarray(panel(1), float))
            for b in range(50, t.last_step + 1, 50)
        }
        for t in shown
    }
    hung = Gallery(sweep, shown, found)
    with style.look():
        figure = gallery.draw_set(hung, "MusicNet/test")
        boxes = list(text_boxes(figure))
    assert hung.batches == (50, 150, 200, 300, 400)
    rows = [figure.axes[i : i + 5] for i in (0, 5, 10)]
    for ax, batch in zip(rows[1], hung.batches, strict=True):
        assert np.asarray(ax.images[0].get_array()) == pytest.approx(panel(batch))
    assert all(np.asarray(ax.images[0].get_array()) == pytest.approx(panel(1)) for ax in rows[0])
    assert not rows[2][-1].images
    assert rows[2][-1].texts[0].get_text() == "stopped as collapsed\nat batch 300"
    for i, (text, box) in enumerate(boxes):
        assert figure.bbox.x0 <= box.x0 <= box.x1 <= figure.bbox.x1, text
        assert not [(text, t) for t, b in boxes[:i] if box.padded(-1).overlaps(b)]


def test_runs_without_pictures_and_foreign_pictures_are_refused(uri, tmp_path):
    (trial,) = read_sweep(uri, "plane").trials[:1]
    with pytest.raises(
        UserError, match=f"no pictures of salience in the store of rows {trial.row}"
    ):
        drawn(gallery.FIGURE, uri, "plane", tmp_path, rows=trial.row)
    file = tmp_path / "000050.png"
    imsave(file, np.random.default_rng(0).random((20, 20, 3)))
    MlflowClient(uri).log_artifact(trial.run_id, str(file), "salience/URMP-validation")
    with pytest.raises(UserError, match=r"salience/URMP-validation/000050.png is no picture"):
        drawn(gallery.FIGURE, uri, "plane", tmp_path, rows=trial.row)


@pytest.mark.parametrize(
    ("module", "sweep"), [(border, "plane"), (spending, "drawn"), (spending, "plane")]
)
def test_commands_draw_from_a_store_and_refuse_in_one_line(uri, tmp_path, capsys, module, sweep):
    stem = module.__name__.partition(".")[2]
    arguments = ["--tracking-uri", uri, "--out", str(tmp_path), "--sweep", sweep]
    assert module.main(arguments) == 0
    assert {p.name for p in tmp_path.iterdir()} == {f"{stem}.{x}" for x in ("png", "svg", "csv")}
    assert str(tmp_path / f"{stem}.csv") in capsys.readouterr().out.replace("\n", "")
    assert module.main([*arguments[:-1], "nonesuch"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
