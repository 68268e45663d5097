"""The SQLite store: damaged, foreign, gone or moved, in every place that opens one."""

import os
import random
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from mlflow import MlflowClient

from ssmpe.errors import UserError
from ssmpe.tracking import schema
from ssmpe.tracking.reading import ended_runs, fetch_best, fetch_record, open_store, reading
from ssmpe.tracking.sqlite import BUSY_SECONDS, local_uri, relocate, require_store
from ssmpe.tracking.tracker import Tracker, check_server
from tests.support.tracked import WAIT, runs_of

NOBODY = 65534
"""number of a user without rights"""
RUN = "0123456789abcdef0123456789abcdef"


def sweep_to(uri: str, folder: Path) -> None:
    """Begin a sweep on a store, as the runner does."""
    check_server(uri)
    tracker = Tracker(uri, folder / "spool")
    try:
        tracker.start_sweep("sample_count", "calm-otter", {}, {})
    finally:
        tracker.close(0.0)


def look_at(uri: str, folder: Path) -> None:
    """Read a store, as analysis does."""
    client = open_store(uri)
    with reading(uri):
        client.search_runs([e.experiment_id for e in client.search_experiments()])


PLACES: dict[str, Callable[[str, Path], object]] = {
    "sweep": sweep_to,
    "parents": lambda uri, _: ended_runs(uri, "a1", "data"),
    "weights": lambda uri, folder: fetch_best(uri, RUN, folder),
    "record": lambda uri, folder: fetch_record(uri, RUN, folder),
    "analysis": look_at,
}
"""all that open a store"""


def is_random(path: Path) -> None:
    path.write_bytes(random.Random(0).randbytes(50_000))


def is_truncated(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def is_torn(path: Path) -> None:
    """Whole in size, but for all pages behind the first."""
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(random.Random(0).randbytes(path.stat().st_size - 4096))


def is_foreign(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as file:
        file.execute("CREATE TABLE songs (id)")


def has_other_columns(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as file:
        for table in ("experiments", "runs", "tags", "metrics"):
            file.execute(f"CREATE TABLE {table} (id)")


def is_of_another_version(path: Path) -> None:
    with closing(sqlite3.connect(path)) as file:
        file.execute("UPDATE alembic_version SET version_num = 'unheard-of'")
        file.commit()


def lacks_a_table(path: Path) -> None:
    is_of_another_version(path)
    with closing(sqlite3.connect(path)) as file:
        file.execute("DROP TABLE logged_model_tags")
        file.commit()


def is_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def leads_nowhere(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


DAMAGES = (
    *(is_random, is_truncated, is_torn, is_foreign, has_other_columns, is_of_another_version),
    *(lacks_a_table, is_folder, leads_nowhere),
)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("place", PLACES)
def test_a_store_that_cannot_be_used_is_one_line_in_every_place(
    uri: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], place: str, damage
) -> None:
    damage(Path(uri.removeprefix("sqlite:///")))
    if place == "parents" and damage in (is_folder, leads_nowhere):
        pytest.skip("nothing has been written there: the sweep refuses it")
    with pytest.raises(UserError, match=r"mlflow\.db") as refused:
        PLACES[place](uri, tmp_path)
    assert "\n" not in str(refused.value)
    said = capfd.readouterr()
    assert "Traceback" not in said.out + said.err


@contextmanager
def without_rights() -> Iterator[None]:
    """Be a user who may do nothing, for the time of the block."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def public(empty_store: Path) -> Iterator[Path]:
    """Return a store in a folder that everybody gets to."""
    folder = Path("/tmp") / f"ssmpe-{os.getpid()}-public"
    folder.mkdir()
    folder.chmod(0o755)
    shutil.copy(empty_store, folder / "mlflow.db")
    yield folder / "mlflow.db"
    folder.chmod(0o755)
    shutil.rmtree(folder)


@pytest.mark.parametrize(("mode", "of_folder"), [(0o000, 0o755), (0o444, 0o755), (0o444, 0o555)])
def test_a_store_without_permission_is_one_line(public: Path, mode: int, of_folder: int) -> None:
    public.chmod(mode)
    public.parent.chmod(of_folder)
    with without_rights():
        with pytest.raises(UserError, match=r"mlflow\.db: runs cannot be stored there") as refused:
            check_server(f"sqlite:///{public}")
        assert "\n" not in str(refused.value)
        if mode == 0:
            with pytest.raises(UserError, match=r"mlflow\.db: cannot be read") as refused:
                open_store(f"sqlite:///{public}")
            assert "\n" not in str(refused.value)


def test_a_foreign_database_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "songs.db"
    with closing(sqlite3.connect(path)) as file:
        file.execute("CREATE TABLE songs (id)")
    before = path.read_bytes()
    with pytest.raises(UserError, match="not an MLflow store"):
        check_server(f"sqlite:///{path}")
    assert path.read_bytes() == before


def test_a_resumed_sweep_gets_no_new_store(tmp_path: Path) -> None:
    gone = tmp_path / "renamed" / "mlflow.db"
    with pytest.raises(UserError, match=f"{gone}: the store of this sweep is not there") as refused:
        check_server(f"sqlite:///{gone}", create=False)
    assert "\n" not in str(refused.value)
    assert not gone.parent.exists()
    check_server(f"sqlite:///{gone}")


def test_a_resumed_sweep_that_a_store_knows_nothing_of_is_refused(uri: str, tmp_path: Path) -> None:
    tracker = Tracker(uri, tmp_path / "spool")
    try:
        with pytest.raises(UserError, match="no run of the sweep calm-otter") as refused:
            tracker.start_sweep("sample_count", "calm-otter", {}, {}, create=False)
        assert "\n" not in str(refused.value)
        assert not runs_of(uri, "sweep")
        first = tracker.start_sweep("sample_count", "calm-otter", {}, {})
        assert tracker.start_sweep("sample_count", "calm-otter", {}, {}, create=False) == first
    finally:
        tracker.close(WAIT)


def tracked(results: Path, text: str, trial: str = "a1") -> None:
    """Store a sweep with one trial, which has an artifact."""
    file = results.parent / "note.txt"
    file.write_text(text)
    tracker = Tracker(local_uri(results), results / "spool")
    tracker.start_sweep("sample_count", "calm-otter", {}, {})
    tracker.start_trial(trial, trial, {}, {})
    tracker.log_file(trial, file, schema.BEST_CHECKPOINT_ARTIFACT)
    tracker.end_trial(trial, "FINISHED", {schema.END_REASON: "completed"})
    assert tracker.close(WAIT)


@pytest.fixture
def results(uri: str) -> Path:
    """Return a folder of results with a sweep in it."""
    folder = Path(uri.removeprefix("sqlite:///")).parent
    tracked(folder, "before")
    return folder


def notes(results: Path) -> dict[str, str]:
    """Trial -> what its artifact says, as the store finds it."""
    client = MlflowClient(local_uri(results))
    path = f"{schema.BEST_CHECKPOINT_ARTIFACT}/note.txt"
    return {
        name: Path(client.download_artifacts(run.info.run_id, path)).read_text()
        for name, run in runs_of(local_uri(results), "trial").items()
    }


@pytest.mark.parametrize("opening", ["sweep", "analysis"])
def test_moved_results_go_on_from_where_they_are(
    results: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, opening: str
) -> None:
    moved = tmp_path / "elsewhere" / "moved 100'"
    moved.parent.mkdir()
    results.rename(moved)
    PLACES[opening](local_uri(moved), tmp_path)
    (said,) = (r.getMessage() for r in caplog.records if r.name.startswith("ssmpe"))
    assert said == f"{moved}/mlflow.db: moved here from {results}, and goes on from here"
    tracked(moved, "after", "b2")
    assert notes(moved) == {"a1": "before", "b2": "after"}
    assert not results.exists()
    caplog.clear()
    PLACES[opening](local_uri(moved), tmp_path)
    assert not [r for r in caplog.records if r.name.startswith("ssmpe")]


def test_a_copy_leaves_the_original_alone(results: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(results, copy)
    assert relocate(copy / "mlflow.db") == results
    tracked(copy, "after", "b2")
    (copy / "artifacts").rename(tmp_path / "away")
    assert notes(results) == {"a1": "before"}
    (tmp_path / "away").rename(copy / "artifacts")
    assert notes(copy) == {"a1": "before", "b2": "after"}


def test_artifacts_that_stay_are_found_where_they_are(results: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    (results / "mlflow.db").rename(alone / "mlflow.db")
    assert relocate(alone / "mlflow.db") is None
    assert notes(alone) == {"a1": "before"}


def test_artifacts_of_others_stay_where_they_are(results: Path, tmp_path: Path) -> None:
    elsewhere = str(tmp_path / "bucket" / "sample_count")
    MlflowClient(local_uri(results)).create_experiment("other", elsewhere)
    MlflowClient(local_uri(results)).create_experiment("remote", "s3://bucket/artifacts")
    moved = tmp_path / "moved"
    results.rename(moved)
    assert relocate(moved / "mlflow.db") == results
    found = {
        e.name: e.artifact_location for e in MlflowClient(local_uri(moved)).search_experiments()
    }
    assert found["other"] == elsewhere
    assert found["remote"] == "s3://bucket/artifacts"
    assert found["sample_count"] == f"{moved}/artifacts"


def test_a_store_that_is_being_made_is_waited_for(empty_store, tmp_path):
    """Longer than a moment: on a busy machine MLflow's tables take that."""
    path = shutil.copy(empty_store, tmp_path / "mlflow.db")
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as file:
        file.execute("BEGIN EXCLUSIVE")
        threading.Timer(BUSY_SECONDS + 1, file.rollback).start()
        require_store(tmp_path / "mlflow.db", local_uri(tmp_path))
