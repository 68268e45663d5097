"""Transcriptions that are stopped or killed leave nothing that is not cleared away."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssmpe.transcription.transcribe import UNFINISHED
from tests.support import transcribing
from tests.support.transcribing import write_tones

checkpoint, command = transcribing.checkpoint, transcribing.command

PATIENCE = 120.0
"""Seconds within which a busy machine gets that far"""


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a recording that takes a while."""
    path = tmp_path_factory.mktemp("long") / "long.flac"
    with soundfile.SoundFile(path, "w", 22_050, 1, "PCM_16") as file:
        for _ in range(60):
            file.write(np.random.default_rng(0).uniform(-0.1, 0.1, 60 * 22_050))
    return path


def unfinished(out: Path) -> list[str]:
    return [name for name in os.listdir(out) if name.startswith(UNFINISHED)]


def begin(path: Path, checkpoint: Path, out: Path) -> subprocess.Popen[str]:
    """Start a transcription; return once it is at work."""
    out.mkdir(exist_ok=True)
    before = len(unfinished(out))
    command = [sys.executable, "-m", "ssmpe", "transcribe", str(path), "--out", str(out)]
    process = subprocess.Popen(
        [*command, "--checkpoint", str(checkpoint), "--device", "cpu"],
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        text=True,
        # where tests run in the background of a shell, Ctrl-C is ignored, and so it would be there
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    end = time.monotonic() + PATIENCE
    while len(unfinished(out)) == before and time.monotonic() < end:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    return process


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_stopped_it_leaves_nothing(tmp_path, long, checkpoint, how):
    out = tmp_path / "out"
    process = begin(long, checkpoint, out)
    process.send_signal(how)
    _, error = process.communicate(timeout=PATIENCE)
    assert (process.returncode, error) == (130, "interrupted\n")
    assert os.listdir(out) == []


def test_killed_its_files_go_with_the_next_start_and_nobody_else_s(
    tmp_path, long, checkpoint, command
):
    out, short = tmp_path / "out", write_tones(tmp_path / "a.wav", 2000)
    arguments = ("transcribe", short, "--checkpoint", checkpoint, "--out", out)
    (out / f"{UNFINISHED}mine").mkdir(parents=True)
    (out / f"{UNFINISHED}mine" / "thesis.txt").touch()
    made = {"a.csv", "a.txt", "a.mid", "a.png", f"{UNFINISHED}mine"}
    process = begin(long, checkpoint, out)
    try:
        assert command(*arguments)[0] == 0
        assert len(unfinished(out)) == 2  # that of the other process is at work
    finally:
        process.kill()
        process.communicate()
    assert len(unfinished(out)) == 2
    assert command(*arguments)[0] == 0
    assert set(os.listdir(out)) == made
