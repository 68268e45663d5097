import dataclasses
import math
from typing import Any

import pytest
import torch

from ssmpe.config import (
    LATER,
    OBJECTIVES,
    DataConfig,
    GeometryConfig,
    ModelConfig,
    ObjectivesConfig,
    TrainingConfig,
    TrialConfig,
)
from ssmpe.config.presets import PRESETS, preset, tiny
from ssmpe.errors import UserError
from ssmpe.signal.hcqt import HCQT
from ssmpe.signal.kernels import make_kernels


def test_plain_data_and_back():
    for make in PRESETS.values():
        config = make()
        assert TrialConfig.from_dict(config.to_dict()) == config


def test_identity_is_stable():
    """A change of a value orphans every stored run: it must be meant (see ``LATER``)."""
    assert {name: make().identity for name, make in PRESETS.items()} == {
        "tiny": "289f931c3867",
        "compact": "0e87af13fc64",
        "small": "eb87c2a3160d",
        "paper": "eca6c46ffc37",
    }
    assert TrialConfig.from_dict(tiny().to_dict()).identity == tiny().identity


def test_what_was_stored_before_a_setting_was_added_is_the_same_trial():
    for path, before in LATER.items():
        *groups, name = path.split(".")
        node = stored = tiny().to_dict()
        for group in groups:
            node = node[group]
        assert node.pop(name) == before, path
        assert TrialConfig.from_dict(stored) == tiny()
        assert TrialConfig.from_dict(stored).identity == tiny().identity


def test_pseudo_labels_by_rank_are_the_trials_they_were():
    """Identities of rows that were stored before there were other rules."""
    ranked = {"objectives.teacher_decay": 0.97, "objectives.pseudo_labels.ones": 0.7}
    assert tiny().replace(ranked).identity == "ab0894f9bdef"
    signal = {**ranked, "objectives.pseudo_labels.signal": 40.0}
    assert tiny().replace(signal).identity == "aa8f415c3fcb"
    energy = {**signal, "objectives.pseudo_labels.estimate": "energy"}
    assert tiny().replace(energy).identity == "aa8f415c3fcb"


def test_every_setting_is_part_of_the_identity():
    base = TrialConfig()
    changes = {
        "geometry.hop_length": 512,
        "model.complexity": 2,
        "model.network": "energy",
        "model.decomposition": 20.0,
        "objectives.weights.energy": 0.5,
        "objectives.stop_gradient": True,
        "objectives.teacher_decay": 0.99,
        "objectives.fade.timbre": 0.5,
        "objectives.project_conflicts": True,
        "objectives.view_strength": 0.5,
        "objectives.consistency": "KL",
        "objectives.labelled_targets": "truth",
        "objectives.pseudo_labels.ones": 0.7,
        "objectives.pseudo_labels.rule": "soft",
        "objectives.pseudo_labels": {"rule": "threshold", "confidence": 0.9},
        "objectives.ramp.timbre": 0.5,
        "data.added.MusicNet/train": 4,
        "data.evaluation": [],
        "data.max_hours.URMP/train": 0.5,
        "data.max_tracks.URMP/train": 5,
        "data.options.GuitarSet/correct_late": True,
        "data.sample_format": "int16",
        "training.seed": 1,
        "training.learning_rate": 1e-4,
        "training.parent": "0123456789ab",
    }
    identities = {base.replace({path: value}).identity for path, value in changes.items()}
    assert len(identities | {base.identity}) == len(changes) + 1


def test_what_means_the_same_has_one_identity():
    base = TrialConfig()
    assert base.replace({"data.added.MusicNet/train": 0}) == base
    assert base.replace({"objectives.weights.energy": 0}) == base
    assert base.replace({"objectives.fade.energy": 0.5}) == base, "not there, so not fading"
    assert base.replace({"objectives.ramp.energy": 0.5}) == base, "not there, so not rising"
    assert base.replace({"objectives.pseudo_labels.signal": 40.0}) == base, "no ones, so no labels"
    ones = base.replace({"objectives.pseudo_labels.ones": 0.7})
    other = {"objectives.pseudo_labels.estimate": "decomposition"}
    assert ones.replace(other) == ones, "no signal, so no estimate of it"
    heard = ones.replace({"objectives.pseudo_labels.signal": 40.0})
    assert heard.replace(other).identity != heard.identity
    assert base.replace({"objectives.score_teacher": True}) == base, "no teacher, so not scored"
    for weights in ({"supervised": 1.0}, {"timbre": 1.0}):
        alone = base.replace({"objectives.weights": weights})
        assert alone.replace({"objectives.project_conflicts": True}) == alone, "no conflict"
    taught = base.replace({"objectives.teacher_decay": 0.99})
    assert taught.replace({"objectives.score_teacher": True}).identity != taught.identity
    assert base.replace({"objectives.pseudo_labels.confidence": 0.9}) == base
    rule = {"objectives.pseudo_labels.rule": "threshold"}
    sure = base.replace(rule)
    for name, value in (("ones", 0.7), ("signal", 40.0), ("memory", 0.5)):
        assert base.replace({**rule, f"objectives.pseudo_labels.{name}": value}) == sure, name
    soft = base.replace({"objectives.pseudo_labels.rule": "soft"})
    assert soft.replace({"objectives.pseudo_labels.confidence": 0.9}) == soft
    assert soft.replace({"objectives.pseudo_labels.memory": 0.5}) != soft
    assert base.replace({"data.max_hours.FMA/train": 3.0}) == base, "not used, so not capped"
    assert base.replace({"data.max_tracks.FMA/train": 3}) == base
    assert base.replace({"data.labelled_share.FMA/train": 0.5}) == base
    added = base.replace({"data.added.MusicNet/train": 4})
    assert added.replace({"data.labelled_share.MusicNet/train": 0}) == added
    assert added.replace({"data.labelled_share.MusicNet/train": 0.5}).identity != added.identity
    shuffled = ObjectivesConfig(weights=dict(reversed(list(base.objectives.weights.items()))))
    assert list(shuffled.weights) == list(base.objectives.weights)
    assert base.replace({"training.clip_norm": 1}).identity == base.identity


def test_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        TrialConfig().training.seed = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("geometry.hop_length", 0, "0"),
        ("geometry.bins_per_octave", 25, "25"),
        ("geometry.harmonics", [2.0, 3.0], "1.0 among them"),
        ("geometry.excerpt_seconds", 0.0, "0.0"),
        ("model.complexity", 9, "9"),
        ("model.network", "none", "'autoencoder', 'energy', 'harmonic_sum', 'decomposition'"),
        ("objectives.pseudo_labels.estimate", "none", "'energy', 'harmonic_sum', 'decomposition'"),
        ("objectives.weights.timber", 1.0, "'timber'"),
        ("objectives.weights.timbre", -1.0, "-1.0"),
        ("objectives.weights", {}, "one weight above 0"),
        ("objectives.content_on", "some", "'some'"),
        ("objectives.teacher_decay", 1.1, "1.1"),
        ("objectives", {"teacher_decay": 1.0, "score_teacher": True}, "false, where the teacher"),
        ("objectives.teacher_decay", "slow", "'slow'"),
        ("objectives.consistency", "KLD", "'BCE', 'KL', 'MSE', 'stop+H'"),
        ("objectives.consistency", None, "text"),
        ("objectives.fade.timbre", 0.0, "0.0"),
        ("objectives.fade.timbre", 1.5, "1.5"),
        ("objectives.fade.timber", 0.5, "'timber'"),
        ("objectives.fade", dict.fromkeys(OBJECTIVES, 1.0), "one objective that does not fade"),
        ("objectives.labelled_targets", "Y", "'salience' or 'truth'"),
        ("objectives.pseudo_labels", 0.7, "a group of settings"),
        ("objectives.pseudo_labels.one", 0.7, "known here: ones, doubtful, signal, estimate"),
        ("objectives.pseudo_labels.rule", "order", "'rank', 'threshold', 'matched', 'soft'"),
        ("objectives.pseudo_labels.confidence", 0.4, "a number from 0.5, below 1"),
        ("objectives.pseudo_labels.ones", 2.5, "no less than ones"),
        ("objectives.ramp.timber", 0.5, "'timber'"),
        ("objectives.ramp", dict.fromkeys(OBJECTIVES, 1.0), "one objective that does not rise"),
        ("data.labelled_excerpts", 0, "0"),
        ("data.added.MusicNet/train", 1.5, "1.5"),
        ("data.max_hours.URMP/train", 0, "0"),
        ("data.max_hours.URMP/train", "all", "'all'"),
        ("data.max_tracks.URMP/train", 0, "0"),
        ("data.max_tracks.URMP/train", 2.5, "2.5"),
        ("data.labelled_share.MusicNet/train", 1.5, "1.5"),
        ("data.labelled_share.MusicNet/train", -0.1, "-0.1"),
        ("data.labelled_share", 0.5, "a mapping"),
        ("data.options.GuitarSet/correct_late", 1, "true or false"),
        ("data.sample_format", "float16", "'float16'"),
        ("training.learning_rate", 2.0, "2.0"),
        ("training.n_batches", 2.5, "2.5"),
        ("training.n_batches", "many", "'many'"),
        ("training.mixed_precision", 1, "1"),
        ("training.parent", "Ref.", "'Ref.'"),
        ("training", 3, "3"),
        ("training.epochs", 3, "epochs"),
        ("trainings.seed", 3, "trainings"),
        ("training.seed.x", 3, "training.seed.x"),
    ],
)
def test_bad_values_are_named_in_one_line(path, value, said):
    with pytest.raises(UserError) as error:
        TrialConfig().replace({path: value})
    assert said in str(error.value)
    assert "\n" not in str(error.value)


BEYOND: dict[str, list[Any]] = {
    "geometry.sample_rate": [-1, 0, 999, 10**9],
    "geometry.hop_length": [-256, 10**12],
    "geometry.fmin": [-27.5, 0.0, 1e-300, 1e300],
    "geometry.n_bins": [-440, 45, 10**12],
    "geometry.bins_per_octave": [-12, 0, 12 * 10**12],
    "geometry.harmonics": [[1.0, 1e9], [1e-9, 1.0], [-1.0, 1.0], [1 + h / 100 for h in range(65)]],
    "geometry.excerpt_seconds": [-1.0, 0.01, 601.0, 1e308],
    "model.complexity": [-1, 0, 7, 10**12],
    "model.output_bias": [-1e308, 1e308],
    "model.decomposition": [-1.0, 1e308],
    "objectives.weights.timbre": [-1.0, 1e308],
    "objectives.teacher_decay": [-0.5, 0.0, 1.1, 1e308],
    "objectives.view_strength": [-0.1, 2.1, 1e308],
    "objectives.fade.timbre": [-0.5, 0.0, 1.5, 1e308],
    "objectives.ramp.timbre": [-0.5, 0.0, 1.5, 1e308],
    "objectives.pseudo_labels.ones": [-0.1, 1e308],
    "objectives.pseudo_labels.doubtful": [-1.0, 0.0, 1e308],
    "objectives.pseudo_labels.signal": [-1.0, 1e308],
    "objectives.pseudo_labels.memory": [-0.1, 1.0, 1e308],
    "objectives.pseudo_labels.confidence": [-0.1, 0.4, 1.0, 1e308],
    "data.labelled_excerpts": [-1, 0, 10**12],
    "data.added.MusicNet/train": [-1, 10**12],
    "data.labelled_share.MusicNet/train": [-0.5, 1.5, 1e308],
    "data.max_hours.URMP/train": [-1.0, 0.0, 1e308],
    "data.max_tracks.URMP/train": [-1, 0, 10**12],
    "training.seed": [-1],
    "training.n_batches": [-1, 0, 10**12],
    "training.validate_every": [-1, 0, 10**12],
    "training.learning_rate": [-1e-3, 0.0, 1.0, 1e308],
    "training.decoder_lr_factor": [-0.5, 0.0, 1e308],
    "training.warmup_batches": [-1, 10**12],
    "training.clip_norm": [-1.0, 0.0, 1e308],
    "training.weight_decay": [-0.01, 1e308],
}
"""Setting -> values that nobody can mean."""


def is_number(value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def test_no_number_is_without_bounds():
    base = TrialConfig().replace({"data.added.MusicNet/train": 4})
    numbers = {path for path, value in base.flat().items() if is_number(value)}
    assert numbers - {f"objectives.weights.{name}" for name in OBJECTIVES} <= BEYOND.keys()


@pytest.mark.parametrize("path", BEYOND)
def test_what_nobody_can_mean_is_refused_in_a_line_that_names_the_setting(path):
    base = TrialConfig().replace({"data.added.MusicNet/train": 4})
    for value in (*BEYOND[path], math.nan, math.inf, -math.inf, 10**400):
        with pytest.raises(UserError, match=f"^{path}.* = .*: expected ") as error:
            base.replace({path: value})
        assert "\n" not in str(error.value)
        assert len(str(error.value)) < 400


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e308])
@pytest.mark.parametrize(
    ("make", "name"),
    [
        (GeometryConfig, "fmin"),
        (GeometryConfig, "excerpt_seconds"),
        (ModelConfig, "output_bias"),
        (ObjectivesConfig, "teacher_decay"),
        (TrainingConfig, "learning_rate"),
        (TrainingConfig, "decoder_lr_factor"),
        (TrainingConfig, "clip_norm"),
        (TrainingConfig, "weight_decay"),
    ],
)
def test_bounds_hold_wherever_a_configuration_is_made(make, name, value):
    with pytest.raises(UserError, match=name):
        make(**{name: value})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"n_bins": 10_000, "bins_per_octave": 1200}, "samples of the longest kernel"),
        ({"hop_length": 1, "excerpt_seconds": 4.0}, "frames of an excerpt"),
        ({"n_bins": 1000, "excerpt_seconds": 60.0, "hop_length": 65_536}, "samples of an excerpt"),
    ],
)
def test_a_transform_that_no_memory_holds_is_refused(changes, said):
    with pytest.raises(UserError, match=f"^geometry: .* {said} = .*: expected ") as error:
        GeometryConfig(**changes)
    assert "\n" not in str(error.value)


def test_an_excerpt_is_no_shorter_than_what_the_transform_spoils():
    settings: dict[str, Any] = {"n_bins": 60, "bins_per_octave": 120, "harmonics": [1.0, 2.0]}
    said = (
        r"^geometry.excerpt_seconds = 0.2: expected at least 0.348299 seconds, half of the longest"
    )
    with pytest.raises(UserError, match=said):
        GeometryConfig(excerpt_seconds=0.2, **settings)
    shortest = HCQT(GeometryConfig(excerpt_seconds=0.35, **settings))
    assert shortest.step > 0
    long = torch.zeros(1, 1, 100_000)
    assert shortest(long).shape == (1, 2, 60, 391)


def test_the_longest_kernel_is_as_long_as_those_that_are_made():
    for geometry in (tiny().geometry, GeometryConfig(n_bins=88, bins_per_octave=12)):
        assert math.ceil(geometry.longest_kernel) == make_kernels(geometry).lengths.max()


@pytest.mark.parametrize(
    "other", [{"objectives.stop_gradient": True}, {"objectives.teacher_decay": 0.9}]
)
def test_the_entropy_of_a_target_without_gradient_is_not_asked_for(other):
    with pytest.raises(UserError, match="'stop\\+H': expected another one, where stop_gradient"):
        TrialConfig().replace({"objectives.consistency": "stop+H", **other})


def test_derived_values_of_the_paper():
    g = GeometryConfig()
    assert (g.excerpt_samples, g.excerpt_frames, g.bins_per_semitone) == (88200, 345, 5)
    assert g.bin_frequencies[0] == 27.5
    assert g.bin_frequencies[60] == pytest.approx(55.0)


def test_evaluated_sets_begin_with_the_validation_set_and_hold_none_twice():
    data = DataConfig(evaluation=("Bach10/all", "URMP/validation"))
    assert data.evaluated_sets == ("URMP/validation", "Bach10/all")


def test_weights_are_kept_in_the_registry_s_order():
    weights = dict.fromkeys(reversed(OBJECTIVES), 1.0)
    assert tuple(ObjectivesConfig(weights=weights).weights) == OBJECTIVES


def test_unknown_preset():
    with pytest.raises(UserError, match="huge"):
        preset("huge")
