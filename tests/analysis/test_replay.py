"""Replays of recorded curves: by hand, and against the schedulers that would have decided."""

import csv
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.image import imread
from ray.tune.schedulers import AsyncHyperBandScheduler

from analysis import replay
from analysis.drawing import style
from analysis.replaying import asha, effects
from analysis.replaying.asha import Asha, Rungs
from analysis.replaying.checkpoints import Choices
from analysis.replaying.collapse import (
    DEFAULT,
    GRID,
    Recorded,
    Setting,
    Sign,
    Verdict,
    recorded,
    verdict,
)
from analysis.replaying.drawing import draw_checkpoints, draw_settings, draw_stops
from analysis.replaying.replayed import Replay
from ssmpe.config import DataConfig
from ssmpe.errors import UserError
from ssmpe.evaluation import collapse
from ssmpe.evaluation.scores import ALL_MEASURES, SetScores, TrackScores
from ssmpe.runner.schedulers import CollapseASHA
from ssmpe.runner.trial import reports
from ssmpe.tracking import schema
from ssmpe.tracking.schema import EndReason
from ssmpe.tracking.stored.records import MetricCurve, StoredSweep, StoredTrial, in_table_order
from ssmpe.training.checkpoint import Best
from tests.analysis.test_figures import sweep_of, text_boxes
from tests.support.analysis_store import Invented, store_in, write_sweep

EVERY, N = 50, 500
LABELLED = (1.0, 0.5, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1)
rates = st.lists(st.sampled_from([0.2, 0.6, 0.7, 0.74, 0.76, 0.8, 0.95]), min_size=10, max_size=10)


def trial(
    name: str,
    blank: tuple[float, ...] = LABELLED,
    reason: EndReason = EndReason.COMPLETED,
    f1: float = 0.5,
    added: str = "X/train",
    started: float = 0.0,
    **free: Any,
) -> StoredTrial:
    """Return a trial with blank rates on X/test and a constant F1; a validation takes 10 s.

    Args:
        free: curves of further measures of X/test; of the validation set, if they begin with v_.
    """
    steps = np.arange(1, len(blank) + 1) * EVERY

    def curve(values) -> MetricCurve:
        return MetricCurve(steps, np.array(values, dtype=float))

    n = len(blank)
    return StoredTrial(
        run_id=name,
        row=name.split("/")[0],
        seed=int(name.partition("/")[2] or 0),
        added_set=added,
        added_excerpts=8 if added else 0,
        end_reason=reason,
        collapsed_at={},
        curves={
            "V/v/blank_rate": curve(LABELLED[:n]),
            "X/test/blank_rate": curve(blank),
            "V/v/f1": curve([f1] * n),
            "X/test/f1": curve(1 - np.array(blank)),
            **{
                f"{'V/v' if m.startswith('v_') else 'X/test'}/{m.removeprefix('v_')}": curve(v)
                for m, v in free.items()
            },
            schema.TRAIN_SECONDS: curve([8.0] * n),
            schema.EVALUATION_SECONDS: curve([2.0] * n),
        },
        params={"training.n_batches": str(N), "data.validation": "V/v", "data.labelled": "V/t"},
        started=started,
        seconds=10.0 * n,
    )


def sweep(*trials: StoredTrial) -> StoredSweep:
    about = ("name", "script", "?", "tiny", "data", "finished", "run", "0")
    return StoredSweep(*about, {}, len(trials), in_table_order(trials))


def stopped_by_the_runner(blank: list[float]) -> int | None:
    """Return the scheduler's decision on what a trial reports."""
    scheduler = CollapseASHA(N, collapse.grace_batches(N))
    data = DataConfig(validation="V/v", evaluation=("X/test",), added={"X/train": 8})
    going = SimpleNamespace(trial_id="a")
    scheduler.on_trial_add(None, going)
    curve = reports.Curve.from_dict({"batches": [], "blank_rates": {"V/v": [], "X/test": []}})
    rates = curve.values[collapse.DEFAULT.measure]
    for number, rate in enumerate(blank):
        curve.batches.append((number + 1) * EVERY)
        rates["X/test"].append(rate)
        rates["V/v"].append(LABELLED[number])
        result = {
            reports.BATCH: curve.batches[-1],
            reports.OBJECTIVE: 0.5,
            reports.COLLAPSING: curve.collapsing(data),
        }
        if scheduler.on_trial_result(None, going, result) == "STOP":
            return curve.batches[-1] if curve.batches[-1] < N else None
    return None


@settings(max_examples=200)
@given(rates)
def test_by_default_it_stops_what_the_runner_stops(blank):
    run = Recorded.of(run_trial := trial("a", tuple(blank)), sweep(run_trial))
    assert run.stopped_at(DEFAULT, collapse.grace_batches(N)) == stopped_by_the_runner(blank)


COLLAPSED = (1.0, 0.9, 0.5, 0.3, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8)
RECOVERS = (1.0, 0.9, 0.5, 0.3, 0.8, 0.8, 0.8, 0.3, 0.2, 0.2)
RETURNS = (1.0, 0.9, 0.5, 0.3, 0.8, 0.8, 0.8, 0.3, 0.8, 0.8)


def test_what_is_saved_and_what_is_wrong_by_hand():
    runs = recorded(
        sweep(
            *(
                trial(n, b)
                for n, b in (("c", COLLAPSED), ("r", RECOVERS), ("again", RETURNS), ("h", LABELLED))
            )
        )
    )
    found = verdict(runs, DEFAULT, N)
    # blank at 250 and 300: two validations in a row
    assert found.stops == {"c": 300, "r": 300, "again": 300}
    assert {t.run_id for t in found.wrong} == {"r"}
    assert {t.run_id for t in found.early} == {"again"}
    assert (found.collapsed, found.configured, found.saved) == (2, 2 * N, 2 * (N - 300))
    patient = verdict(runs, Setting(patience=4), N)
    assert (patient.stops, patient.wrong, patient.early) == ({"c": 400}, (), ())
    late = verdict(runs, Setting(grace=0.9), N)
    assert late.stops == {"c": 450}  # that of the last validation is no stop
    assert verdict(runs, Setting(certain=0.9), N).stops == {}


INTACT = (0.1, 0.3, 0.5, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6)
LOST = (0.1, 0.3, 0.5, 0.6, 0.6, 0.3, 0.2, 0.2, 0.2, 0.2)
RISES_AGAIN = (*LOST[:8], 0.6, 0.6)


def by_signs(*trials: StoredTrial) -> dict[Sign, Verdict]:
    runs = recorded(sweep(*trials))
    return {sign: verdict(runs, DEFAULT, N, sign) for sign in Sign}


def ends(verdicts: dict[Sign, Verdict], run: str) -> tuple[int | None, ...]:
    """Return where each sign stops a run: blank, blank when tuned, content lost, both."""
    return tuple(verdicts[sign].stops.get(run) for sign in Sign)


def test_every_kind_of_collapse_is_stopped_by_its_own_signs():
    """A sunk level by blankness at one half alone, whose stop costs a network with content left."""
    alive: Any = {"v_blank_rate_tuned": LABELLED, "blank_rate_tuned": LABELLED}
    lit = (1.0, 0.9, *[0.1] * 8)
    found = by_signs(
        trial("sunk", COLLAPSED, average_precision=INTACT, **alive),
        trial("lost", COLLAPSED, average_precision=LOST, **alive),
        trial("lost quietly", lit, average_precision=LOST, **alive),
        trial("all on", lit, average_precision=LOST, pitches_per_frame=[40.0] * 10, **alive),
        trial("pattern", lit, average_precision=LOST, similarity=[1.0] * 10, **alive),
        trial(
            "blank",
            COLLAPSED,
            average_precision=LOST,
            v_blank_rate_tuned=LABELLED,
            blank_rate_tuned=COLLAPSED,
        ),
    )
    assert ends(found, "sunk") == (300, None, None, None)
    # of two validations, half the mean is lost at 350, and so it is at 400
    assert ends(found, "lost") == (300, None, 400, 400)
    for run in ("lost quietly", "all on", "pattern"):
        assert ends(found, run) == (None, None, 400, None)
    assert ends(found, "blank") == (300, 300, 400, 400)
    assert [t.run_id for t in found[Sign.HALF].kept] == ["sunk"]
    assert all(not found[sign].kept for sign in (Sign.TUNED, Sign.CONTENT, Sign.BOTH))
    assert not any(v.wrong for v in found.values())
    assert (found[Sign.HALF].trained, found[Sign.HALF].spared) == (6 * N, 3 * (N - 300))
    assert found[Sign.CONTENT].spared == 5 * (N - 400)


def test_content_that_comes_back_was_stopped_wrongly():
    found = by_signs(trial("r", COLLAPSED, average_precision=RISES_AGAIN), trial("c", COLLAPSED))
    assert found[Sign.HALF].wrong == ()
    assert [t.run_id for t in found[Sign.CONTENT].wrong] == ["r"]
    assert [t.run_id for t in found[Sign.BOTH].wrong] == ["r"]
    assert [t.run_id for t in found[Sign.CONTENT].kept] == ["r"]


def test_content_below_the_reference_s_is_not_left():
    """The run has never had more; Ref. has by the end."""
    low = tuple(a / 3 for a in INTACT)
    found = by_signs(
        trial("Ref.", added="", average_precision=INTACT),
        trial("a", COLLAPSED, average_precision=low),
    )
    assert ends(found, "a") == (300, None, None, None)
    assert found[Sign.HALF].kept == ()


def test_content_is_no_sign_before_anything_is_alive():
    blank = (1.0,) * 10
    run = trial("a", blank, average_precision=LOST)
    dead = dict.fromkeys(("V/v/blank_rate",), MetricCurve(np.arange(1, 11) * EVERY, np.ones(10)))
    never = replace(run, curves={**run.curves, **dead})
    assert Recorded.of(never, sweep(never)).stopped_at(DEFAULT, 0, Sign.CONTENT) is None
    assert Recorded.of(run, sweep(run)).stopped_at(DEFAULT, 0, Sign.CONTENT) == 400


def test_the_best_checkpoint_by_other_measures():
    free: Any = {"v_f1_tuned": INTACT, "v_average_precision": LOST, "f1_tuned": LOST}
    whole = sweep(trial("a", f1=0.5, **free), trial("b", f1=0.5, **free))
    choices = Choices.of(whole)
    assert {m: {c.batch for c in cs} for m, cs in choices.by.items()} == {
        "f1": {50},  # the first of equal ones
        "f1_tuned": {200},
        "average_precision": {200},
    }
    assert choices.row("f1", "a", "X/test", "f1_tuned").mean == pytest.approx(0.1)
    assert choices.row("f1_tuned", "a", "X/test", "f1_tuned").mean == pytest.approx(0.6)
    assert set(Choices.of(sweep(trial("a", **free), trial("old"))).by) == {"f1"}


def test_the_best_checkpoint_is_the_trainer_s():
    """Batch 0 is validated where weights are continued, and never the best."""
    rng = np.random.default_rng(0)
    values = [0.9, *rng.choice([0.1, 0.2, 0.3, np.nan], 30)]
    best, network = Best(), torch.nn.Linear(1, 1)
    for batch, value in enumerate(values[1:], 1):
        means = TrackScores(*[value] * len(ALL_MEASURES))
        best.take_if_better(SetScores("V/v", means, {}), batch, network)
    curve = MetricCurve(np.arange(31), np.array(values))
    run = replace(trial("a"), curves={f"V/v/{best.measure}": curve})
    assert [c.batch for c in Choices.of(sweep(run)).by[best.measure]] == [best.batch]


def test_of_a_run_that_was_stopped_only_earlier_stops_are_known():
    stopped = trial("s", COLLAPSED[:6], EndReason.COLLAPSED)
    runs = recorded(sweep(trial("c", COLLAPSED), stopped))
    assert verdict(runs, DEFAULT, N).stops == {"c": 300, "s": 300}
    assert verdict(runs, DEFAULT, N).collapsed == 1
    patient = verdict(runs, Setting(patience=3), N)
    assert patient.stops == {"c": 350}
    assert patient.unknown == (stopped,)


def test_the_default_is_of_the_grid_and_no_setting_twice():
    assert DEFAULT in GRID
    assert len(set(GRID)) == len(GRID)


@pytest.mark.parametrize(
    ("trials", "said"),
    [
        ([trial("a", COLLAPSED, added="")], "no run adds excerpts of a kind that is scored"),
        ([trial("a", COLLAPSED, added="Y/train")], "no run adds excerpts of a kind"),
        ([trial("a"), trial("b", COLLAPSED[:6], EndReason.COLLAPSED)], "--no-early-stop"),
    ],
)
def test_sweeps_that_cannot_be_replayed(trials, said):
    with pytest.raises(UserError, match=said):
        Replay.of(sweep(*trials))


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("grace", [0.1, 0.3])
def test_rungs_cut_what_ray_cuts(factor, grace):
    setting, rng = Asha(factor, grace), np.random.default_rng(factor)
    own = Rungs(setting, N)
    ray = AsyncHyperBandScheduler(
        time_attr="batch", metric="f1", mode="max", max_t=N, reduction_factor=factor,
        grace_period=collapse.grace_batches(N, grace),
    )  # fmt: skip
    runs = [SimpleNamespace(trial_id=str(i)) for i in range(12)]
    for run in runs:
        ray.on_trial_add(None, run)
    at = dict.fromkeys(range(12), 0)
    n_cut = 0
    while at:
        i = int(rng.choice(list(at)))
        at[i] += EVERY
        f1 = float(rng.uniform())
        cut = own.cuts(str(i), at[i], f1)
        if at[i] < N:  # Ray stops at the end, too
            verdict = ray.on_trial_result(None, runs[i], {"batch": at[i], "f1": f1})
            assert (verdict == "STOP") is cut
        n_cut += cut
        if cut or at[i] == N:
            del at[i]
    assert 0 < n_cut < 12


def test_asha_depends_on_who_comes_first():
    good, bad = trial("good", f1=0.8), trial("bad", f1=0.2)
    # one at a time, in the order in which they were started
    first, second = (trial("good", f1=0.8), trial("bad", f1=0.2, started=1000.0))
    assert asha.cuts(sweep(first, second), Asha(2)) == {"bad": 150}
    first, second = (trial("bad", f1=0.2), trial("good", f1=0.8, started=1000.0))
    assert asha.cuts(sweep(first, second), Asha(2)) == {}
    assert asha.at_a_time((good, bad)) == 2
    assert asha.at_a_time((first, second)) == 1


def test_a_cut_run_makes_room():
    """With one place, the third starts when the second is cut; at equal scores none is cut."""
    trials = [trial(f"r/{i}", f1=f, started=1000.0 * i) for i, f in enumerate((0.8, 0.2, 0.8))]
    assert asha.cuts(sweep(*trials), Asha(2)) == {"r/1": 150}


def test_effects_by_hand():
    whole = sweep(trial("c/0", COLLAPSED), trial("c/1"), trial("h", LABELLED))
    stops = {"c/0": 200}  # blank rate 0.3 there, 0.8 at the end; F1 is one minus it
    largest = effects.shifts(whole, stops)[0]
    assert (largest.row, largest.set_name) == ("c", "X/test")
    assert abs(largest.change) == pytest.approx(0.25)
    assert effects.swaps(whole, stops) == ()
    other = sweep(trial("c", COLLAPSED), trial("m", (*LABELLED[:-1], 0.5)))
    (f1, blank) = effects.swaps(other, {"c": 200})
    assert (f1.rows, f1.measure, blank.measure) == (("c", "m"), "f1", "blank_rate")
    assert effects.lost_rows(whole, {"h": 100, "c/1": 50}) == ("h",)


def invented(seeds: int) -> list[Invented]:
    trials = [Invented("Ref.", s) for s in range(seeds)]
    for count in (2, 8, 16):
        trials += [Invented(f"+MN-{count}", s, "MusicNet/train", count) for s in range(seeds)]
    return trials


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("seeds", [1, 3])
def test_no_text_overlaps(seeds, half):
    found = Replay.of(sweep_of([replace(i, half_alone=half) for i in invented(seeds)]))
    with style.look():
        figures = [
            draw_settings(found.sweep, found.verdicts),
            draw_stops(found.sweep, found.rules),
            *([draw_checkpoints(found.choices)] if not half else []),
        ]
        for figure in figures:
            boxes = list(text_boxes(figure))
            for i, (text, box) in enumerate(boxes):
                assert figure.bbox.x0 <= box.x0 <= box.x1 <= figure.bbox.x1, text
                assert not [(text, t) for t, b in boxes[:i] if box.padded(-1).overlaps(b)]


def test_the_command_writes_what_the_curves_say(empty_store, tmp_path, capsys):
    uri = store_in(tmp_path, empty_store)
    write_sweep(uri, "whole", invented(2))
    arguments = ["--tracking-uri", uri, "--out", str(tmp_path / "out")]
    assert replay.main(arguments) == 0
    lines = list(csv.DictReader((tmp_path / "out" / "replay.csv").open()))
    (default,) = [x for x in lines if x["default"] == "1"]
    assert len(lines) == len(GRID)
    printed = capsys.readouterr().out
    assert f"{float(default['saved_share']):.0%} of the" in " ".join(printed.split())
    runs = list(csv.DictReader((tmp_path / "out" / "replay_stops.csv").open()))
    stopped = [int(r["collapse rule, by default"]) for r in runs if r["collapse rule, by default"]]
    assert len(stopped) == int(default["stopped"]) > 0
    assert len(runs) == 8
    for stem in ("replay", "replay_stops"):
        assert min(imread(tmp_path / "out" / f"{stem}.png").shape[:2]) > 500
    write_sweep(uri, "closed", [Invented("Ref.", 0)])
    assert replay.main([*arguments, "--sweep", "closed"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_findings_tell_signs_and_choices_where_the_store_has_them():
    old = sweep_of([replace(i, half_alone=True) for i in invented(2)])
    said = " ".join(replay.findings(Replay.of(old)))
    assert "the store has scores at a salience of 0.5 alone" in said
    assert "By the sign" not in said
    whole = sweep_of(invented(2))
    found = Replay.of(whole)
    said = " ".join(replay.findings(found))
    for v in found.signs:
        stopped = f"{len(v.stops)} complete runs" if v.stops else "none of the complete runs"
        assert f"By the sign “{v.sign}” {stopped} would have been stopped" in said
        assert not v.stops or f"which spares {v.spared} of {v.trained} batches" in said
    assert any(v.stops for v in found.signs)
    chosen = found.choices.by
    moved = sum(a.batch != b.batch for a, b in zip(chosen["f1"], chosen["f1_tuned"], strict=True))
    assert f"is that of another batch in {moved} of 8 runs" in said
    lines = replay.numbers(found)
    assert len(lines["replay_signs"]) == len(Sign)
    assert len(lines["replay_checkpoints"]) == 3 * 8 * len(whole.sets)
