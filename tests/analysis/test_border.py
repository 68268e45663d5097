"""The border of the collapse: where runs lie on the plane, and what is drawn of them."""

import csv
import io

import numpy as np
import pytest

from analysis import border
from analysis.drawing import style
from analysis.drawing.tables import comma_separated
from analysis.numbers.plane import Plane
from ssmpe.errors import UserError
from ssmpe.tracking.stored.records import StoredSweep
from tests.analysis.test_figures import sweep_of, text_boxes
from tests.support.analysis_store import Invented

FACTORS, COUNTS = (0.1, 0.3, 1.0, 2.0), (0, 2, 8)


def weights(factor: float, **more: float) -> dict[str, float]:
    ours = dict.fromkeys(("timbre", "percussion", "geometric"), 0.25 * factor)
    return {"supervised": 1.0, **ours, **more}


def on_a_plane(seeds: int, reference: bool = True) -> list[Invented]:
    """Return every factor with every count but the last of both.

    Names say nothing of them; the largest count is stopped at the larger factors.
    """
    trials = []
    for factor in FACTORS:
        for count in COUNTS:
            if (factor, count) == (FACTORS[-1], COUNTS[-1]):
                continue
            row = "Ref." if reference and (factor, count) == (1, 0) else f"row {factor} {count}"
            ended = ("collapsed", 300) if factor == 1 and count == 8 else ("completed", 400)
            for seed in range(seeds):
                added = "MusicNet/train" if count else ""
                trials.append(Invented(row, seed, added, count, *ended, weights(factor)))
    return trials


def plane(seeds: int = 2) -> Plane:
    return Plane.of(sweep_of(on_a_plane(seeds)))


def test_factor_and_count_come_from_the_settings():
    found = plane()
    assert (found.factors, found.counts) == (FACTORS, COUNTS)
    assert found.relative
    assert {t.row for t in found.cells[0.3, 8]} == {"row 0.3 8"}
    assert [t.seed for t in found.cells[1.0, 0]] == [0, 1]
    assert (2.0, 8) not in found.cells
    assert found.left_out == ()


def test_without_a_reference_row_factors_are_weights():
    found = Plane.of(sweep_of(on_a_plane(1, reference=False)))
    assert not found.relative
    assert found.factors == pytest.approx([0.25 * f for f in FACTORS])


def test_rows_that_differ_in_more_are_left_out():
    trials = on_a_plane(1)
    trials.append(Invented("supervised", 0, weights={"supervised": 1.0}))
    trials.append(Invented("+EG", 0, "MusicNet/train", 2, weights=weights(1, energy=0.25)))
    trials.append(Invented("skewed", 0, weights={**weights(1), "timbre": 0.5}))
    trials.append(Invented("+NS", 0, "NSynth/train", 2, weights=weights(1)))
    found = Plane.of(sweep_of(trials))
    assert set(found.left_out) == {"supervised", "+EG", "skewed", "+NS"}
    assert sum(len(c) for c in found.cells.values()) == len(FACTORS) * len(COUNTS) - 1
    assert "Not on the plane: supervised" in "\n".join(border.findings(found))


@pytest.mark.parametrize("axis", ["factor", "count", "neither", "supervised"])
def test_two_varied_axes_are_needed(axis):
    trials = {
        "factor": [Invented("a", 0, weights=weights(f)) for f in FACTORS],
        "count": [Invented(f"{n}", 0, "MusicNet/train" * (n > 0), n) for n in COUNTS],
        "neither": [Invented("Ref.", 0)],
        "supervised": [Invented("supervised", 0, weights={"supervised": 1.0})],
    }[axis]
    with pytest.raises(UserError, match=r"do not vary both .*loss_weights\.py"):
        Plane.of(sweep_of(trials))


def value(sweep: StoredSweep, row: str, metric: str) -> float:
    """Return the mean over the seeds of a row's last values."""
    return float(np.mean([t.curves[metric].values[-1] for t in sweep.of_row(row)]))


def test_cells_show_what_the_curves_end_with():
    found = plane()
    with style.look():
        figure = border.draw(found)
    sets = ("MusicNet/test", "MusicNet/test", "URMP/validation")
    shown = zip(sets, ("blank_rate", "f1_tuned", "f1_tuned"), strict=True)
    for ax, (set_name, measure) in zip(figure.axes, shown, strict=True):
        texts = {t.get_position(): t.get_text() for t in ax.texts}
        assert len(texts) == len(FACTORS) * len(COUNTS) - 1
        expected = value(found.sweep, "row 0.3 8", f"{set_name}/{measure}")
        assert texts[2, 1].startswith(f"{expected:.2f}\n±")
        assert "2/2 coll." in texts[2, 2]
        assert "coll." not in texts[2, 1]
        stopped = [x for x in ax.lines if x.get_marker() == style.STOPPED_MARKER]
        assert [np.round(np.ravel(x.get_xydata())).tolist() for x in stopped] == [[2, 2]]
        assert len(ax.patches) == 1  # the cell without a run


def test_the_border_lies_where_the_mean_crosses_the_threshold():
    found = plane()
    blank = found.means("MusicNet/test", "blank_rate")
    assert np.isnan(blank[3, 2])
    assert blank[1, 1] < 0.7 < blank[1, 2]
    with style.look():
        ax = border.draw(found).axes[0]
    (contour,) = ax.collections
    points = np.concatenate([p.vertices for p in contour.get_paths()])
    assert len(points)
    at = points[np.isclose(points[:, 1], 1)][:, 0]
    assert at == pytest.approx(1 + (0.7 - blank[1, 1]) / (blank[1, 2] - blank[1, 1]))


def test_table_and_sentences_give_the_same_numbers():
    found = plane()
    lines = list(csv.DictReader(io.StringIO(comma_separated(border.numbers(found)))))
    assert len(lines) == 3 * len(found.cells)
    for line in lines:
        expected = value(found.sweep, line["rows"], f"{line['set']}/{line['measure']}")
        assert float(line["mean"]) == pytest.approx(expected)
    (stopped,) = {(x["factor"], x["added_excerpts"]) for x in lines if x["stopped"] == "2"}
    assert stopped == ("1.0", "8")
    said = border.findings(found)
    assert said[1].startswith("Factor 0.3: collapse from 8 added on")
    assert said[3].startswith("Factor 2: no collapse")


@pytest.mark.parametrize("seeds", [1, 3])
def test_no_text_overlaps(seeds):
    with style.look():
        figure = border.draw(plane(seeds))
        boxes = list(text_boxes(figure))
    for i, (text, box) in enumerate(boxes):
        assert figure.bbox.x0 <= box.x0 <= box.x1 <= figure.bbox.x1, text
        assert not [(text, t) for t, b in boxes[:i] if box.padded(-1).overlaps(b)]
