import dataclasses

import pytest

from ssmpe.config import (
    LATER,
    OBJECTIVES,
    DataConfig,
    GeometryConfig,
    ObjectivesConfig,
    TrialConfig,
)
from ssmpe.config.presets import PRESETS, preset, tiny
from ssmpe.errors import UserError


def test_plain_data_and_back():
    for make in PRESETS.values():
        config = make()
        assert TrialConfig.from_dict(config.to_dict()) == config


def test_identity_is_stable():
    """A change of a value orphans every stored run: it must be meant (see ``LATER``)."""
    assert {name: make().identity for name, make in PRESETS.items()} == {
        "tiny": "3ecceb99d5ee",
        "small": "07c9d1c79810",
        "paper": "eca6c46ffc37",
    }
    assert TrialConfig.from_dict(tiny().to_dict()).identity == tiny().identity


def test_what_was_stored_before_a_setting_was_added_is_the_same_trial():
    for path, before in LATER.items():
        group, name = path.split(".")
        stored = tiny().to_dict()
        assert stored[group].pop(name) == before, path
        assert TrialConfig.from_dict(stored) == tiny()
        assert TrialConfig.from_dict(stored).identity == tiny().identity


def test_every_setting_is_part_of_the_identity():
    base = TrialConfig()
    changes = {
        "geometry.hop_length": 512,
        "model.complexity": 2,
        "objectives.weights.energy": 0.5,
        "objectives.stop_gradient": True,
        "objectives.teacher_decay": 0.99,
        "objectives.fade.timbre": 0.5,
        "objectives.consistency": "KL",
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
        ("objectives.weights.timber", 1.0, "'timber'"),
        ("objectives.weights.timbre", -1.0, "-1.0"),
        ("objectives.weights", {}, "one weight above 0"),
        ("objectives.content_on", "some", "'some'"),
        ("objectives.teacher_decay", 1.0, "1.0"),
        ("objectives.teacher_decay", "slow", "'slow'"),
        ("objectives.consistency", "KLD", "'BCE', 'KL', 'MSE', 'stop+H'"),
        ("objectives.consistency", None, "text"),
        ("objectives.fade.timbre", 0.0, "0.0"),
        ("objectives.fade.timbre", 1.5, "1.5"),
        ("objectives.fade.timber", 0.5, "'timber'"),
        ("objectives.fade", dict.fromkeys(OBJECTIVES, 1.0), "one objective that does not fade"),
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
