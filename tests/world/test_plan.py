"""What the worlds consist of: which piece goes where, who plays, how much there is."""

import dataclasses

import pytest

from ssmpe.errors import UserError
from ssmpe.world.music.casting import GUITARS
from ssmpe.world.music.instruments import INSTRUMENTS, URMP_CODES
from ssmpe.world.music.pieces import KEPT, Deal, Pool, corpus_paths
from ssmpe.world.music.scores import corpus_root
from ssmpe.world.plan import plan
from ssmpe.world.sizes import SIZES, WorldSize
from ssmpe.world.workers import Task
from ssmpe.world.writers import bach10
from ssmpe.world.writers.egmd import DrumIndex
from ssmpe.world.writers.fma import FmaTables
from ssmpe.world.writers.guitarset import GuitarSetTrack
from ssmpe.world.writers.maestro import MaestroTable
from ssmpe.world.writers.musicnet import MusicNetTrack
from ssmpe.world.writers.nsynth import NSynthSplit
from ssmpe.world.writers.urmp import UrmpPiece

POOLS: tuple[Pool, ...] = ("chorale", "madrigal", "quartet", "piano", "tune", "mass")
TABLES = DrumIndex, FmaTables, MaestroTable
CORPUS = {path for pool in POOLS for path in corpus_paths(pool)}


def test_catalogue_is_in_the_installed_corpus():
    for pool in POOLS:
        paths = corpus_paths(pool)
        assert len(set(paths)) == len(paths)
        assert [p for p in paths if not (corpus_root() / p).is_file()] == []


def test_deal_gives_each_piece_once():
    deal = Deal()
    dealt = [deal.draw("quartet") for _ in corpus_paths("quartet")]
    assert sorted(dealt) == sorted(corpus_paths("quartet"))
    assert dealt != corpus_paths("quartet")


def test_only_unlabelled_sets_share_pieces():
    deal = Deal()
    alone = [deal.draw("piano") for _ in range(4)]
    shared = [deal.draw_shared("piano") for _ in range(30)]
    later = [deal.draw("piano") for _ in range(KEPT["piano"])]
    assert len(set(alone + later)) == 4 + KEPT["piano"]
    assert set(shared) == set(corpus_paths("piano")) - set(alone + later)
    assert shared[0] in shared[1:]
    with pytest.raises(UserError, match="too few pieces of the kind 'piano'"):
        deal.draw("piano")


def pieces_of(task):
    """Find the pieces of the corpus that a task performs, wherever its fields name them."""
    values = [getattr(task, field.name) for field in dataclasses.fields(task)]
    named = {value for value in values if isinstance(value, str) and value in CORPUS}
    return named.union(*(pieces_of(v) for v in values if dataclasses.is_dataclass(v)))


def is_unlabelled_training(task):
    sets = ("FMA", "MedleyDB", "SWD", "MagnaTagATune")
    return task.label.startswith(sets) or getattr(task, "split", "") == "train"


@pytest.mark.parametrize("size", SIZES)
def test_only_unlabelled_training_sets_share_pieces_with_each_other(size):
    used: dict[str, list[Task]] = {}
    for task in plan(SIZES[size]):
        for piece in pieces_of(task):
            used.setdefault(piece, []).append(task)
    assert len(used) > 110
    for piece, tasks in used.items():
        assert len(tasks) == 1 or all(map(is_unlabelled_training, tasks)), piece


def recordings(kind):
    return [task for task in plan(SIZES["tiny"]) if isinstance(task, kind)]


def test_unlabelled_instruments_overlap_with_the_labelled_and_go_beyond_them():
    labelled = {URMP_CODES[code] for piece in recordings(UrmpPiece) for code in piece.players}
    train, test = (
        {name for t in recordings(MusicNetTrack) if t.split == split for name, _ in t.players}
        for split in ("train", "test")
    )
    assert len(labelled & train) >= 8
    assert {"harp", "piano"} <= (train & test) - labelled


def test_instruments_that_waver_are_kept_from_sets_whose_f0_is_annotated():
    annotated = {*URMP_CODES.values(), *bach10.PLAYERS, *GUITARS}
    assert not any(INSTRUMENTS[name].wavers for name in annotated)


@pytest.mark.parametrize("split", ["train", "test"])
def test_musicnet_has_seven_recordings_with_piano_in_ten(split):
    tracks = [track for track in recordings(MusicNetTrack) if track.split == split]
    with_piano = [t for t in tracks if any("piano" in name for name, _ in t.players)]
    assert len(with_piano) == 0.7 * len(tracks)


def hours(tasks):
    seconds = [4.0 * len(t.notes) if isinstance(t, NSynthSplit) else t.seconds for t in tasks]
    return sum(seconds) / 3600


def test_full_world_is_as_large_as_the_paper_needs():
    """URMP has 1.4 h in 44 pieces; the evaluation sets have their real number of pieces."""
    tasks = [task for task in plan(SIZES["full"]) if not isinstance(task, TABLES)]
    urmp = [task for task in tasks if isinstance(task, UrmpPiece)]
    assert len(urmp) == 44
    assert hours(urmp) == pytest.approx(1.4, abs=0.05)
    unlabelled = {
        name: hours([t for t in tasks if t.label.startswith(name) and is_unlabelled_training(t)])
        for name in ("MusicNet", "NSynth", "FMA", "MedleyDB", "SWD", "MagnaTagATune")
    }
    assert 3.0 < sum(unlabelled.values()) < 4.2
    assert max(unlabelled, key=lambda name: unlabelled[name]) == "MusicNet"
    sets = [task.label.split()[0] for task in tasks]
    counts = {name: sets.count(name) for name in ("Bach10", "Su", "TRIOS")}
    assert counts == {"Bach10": 10, "Su": 10, "TRIOS": 5}
    assert sum(isinstance(t, GuitarSetTrack) and t.name.startswith("05") for t in tasks) == 60


def test_names_are_given_once_in_the_full_world():
    labels = [task.label for task in plan(SIZES["full"])]
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize("size", SIZES)
def test_no_note_is_in_two_splits_of_nsynth(size):
    splits = [task for task in plan(SIZES[size]) if isinstance(task, NSynthSplit)]
    names = [note.name for split in splits for note in split.notes]
    assert len(splits) == 3
    assert len(set(names)) == len(names)


def test_sizes_make_the_world_larger_or_smaller():
    small = WorldSize(urmp=3, musicnet_train=1, musicnet_test=2, bach10=0, drum_loops=1)
    sets = [task.label.split()[0] for task in plan(small)]
    assert [sets.count(name) for name in ("URMP", "MusicNet", "Bach10")] == [3, 3, 0]
    assert sets.count("E-GMD") == 2  # a loop and the table
