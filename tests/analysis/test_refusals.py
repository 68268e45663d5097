"""Stores and sweeps that cannot be drawn are refused by every command, in one clear line."""

import importlib
import pkgutil
import re
import shutil
import sqlite3

import pytest

import analysis

MODULES = sorted(
    info.name
    for info in pkgutil.iter_modules(analysis.__path__)
    if "main" in vars(importlib.import_module(f"analysis.{info.name}"))
)
"""Commands that draw something of a sweep"""


@pytest.fixture(scope="module")
def stores(report_store, empty_store, tmp_path_factory) -> dict[str, tuple[str, ...]]:
    """Options of a command that has to refuse them."""
    folder = tmp_path_factory.mktemp("stores")
    empty, text, foreign = (folder / f"{name}.db" for name in ("empty", "text", "foreign"))
    shutil.copy(empty_store, empty)
    text.write_text("not a database, but long enough to be looked at as one" * 20)
    connection = sqlite3.connect(foreign)
    connection.execute("CREATE TABLE experiments (id)")
    connection.close()
    alone = {
        n: ("--tracking-uri", f"sqlite:///{folder / n}.db")
        for n in ("empty", "text", "foreign", "none")
    }
    kept = ("--tracking-uri", report_store, "--sweep")
    return {
        **alone,
        "running": (*kept, "running"),
        "unstarted": (*kept, "unstarted"),
        "unknown": (*kept, "x"),
    }


COMPLAINTS = {
    "empty": "no sweep of ssmpe in it",
    "text": "not a SQLite database",
    "foreign": "not an MLflow store",
    "none": "no MLflow store there",
    "running": "has not finished",
    "unstarted": "no trial has finished yet",
    "unknown": "no sweep 'x'",
}


@pytest.mark.parametrize("kind", COMPLAINTS)
@pytest.mark.parametrize("module", MODULES)
def test_every_command_refuses_in_one_line(stores, tmp_path, monkeypatch, capsys, module, kind):
    monkeypatch.chdir(tmp_path)
    assert importlib.import_module(f"analysis.{module}").main([*stores[kind]]) == 2
    said = capsys.readouterr()
    assert re.fullmatch(rf"error: .*{COMPLAINTS[kind]}.*\n", said.err)
    assert not said.out
    assert not list(tmp_path.iterdir())
