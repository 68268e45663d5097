"""Annotations and audio that may be anybody's: soon one line or a result, in bounded memory.

What lies in wait here are small files that would unfold to something enormous; plain damage is in
the tests of the readers.
"""

import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import soundfile

from ssmpe.data.datasets import bach10
from ssmpe.data.datasets.dataset import Track
from ssmpe.data.files import audio, jams, midi, parsing
from ssmpe.data.store.audio_store import AudioStore
from tests.data.test_midi_damage import smf
from tests.support import confined

SECONDS = 20
"""of CPU time for any of the files"""


def read(kind: str, path: str) -> Any:
    """Read a file as ``kind`` says; called in the confined process."""
    file = Path(path)
    readers: dict[str, Callable[[], object]] = {
        "jams": lambda: len(jams.read_jams(file).span),
        "contours": lambda: len(jams.read_pitch_contours(file, 256 / 44_100).grid),
        "midi": lambda: len(midi.read_notes(file).onsets),
        "f0": lambda: len(parsing.read_f0_track(file)[0]),
        "csv": lambda: len(list(parsing.read_csv(file, ("a", "b")))),
        "mat": lambda: bach10.read_part_pitches(file).shape,
        "audio": lambda: len(audio.read_audio(file, 22_050)),
    }
    return readers[kind]()


def jams_of(data: object, duration: object = 1, namespace: str = "pitch_contour") -> str:
    annotations = [{"namespace": namespace, "data": data}]
    return json.dumps({"file_metadata": {"duration": duration}, "annotations": annotations})


def contour(time: object, hz: object = 220.0) -> list[dict[str, object]]:
    return [{"time": time, "duration": 0, "value": {"voiced": True, "frequency": hz}}]


def note(time: object, duration: object, value: object) -> list[dict[str, object]]:
    return [{"time": time, "duration": duration, "value": value}]


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(jams.MAX_BYTES + 1)


def flac_of(n_samples: int) -> Callable[[Path], None]:
    """Return a second of silence whose header tells of another number of samples."""

    def write(path: Path) -> None:
        soundfile.write(path, np.zeros(44_100), 44_100, format="FLAC")
        content = bytearray(path.read_bytes())
        told = int.from_bytes(content[18:26], "big") >> 36 << 36 | n_samples
        content[18:26] = told.to_bytes(8, "big")
        path.write_bytes(content)

    return write


def silence(path: Path, hours: float = 25) -> None:
    """Hours of silence in some kilobytes."""
    with soundfile.SoundFile(path, "w", 1000, 1, format="FLAC") as file:
        for _ in range(round(hours)):
            file.write(np.zeros(3_600_000, np.int16))


def ogg_of_ages(path: Path) -> None:
    soundfile.write(path, np.random.default_rng(0).uniform(-0.1, 0.1, 44_100), 44_100, format="OGG")
    content = bytearray(path.read_bytes())
    last = content.rfind(b"OggS")
    content[last + 6 : last + 14] = struct.pack("<q", 1 << 62)
    content[last + 22 : last + 26] = bytes(4)
    content[last + 22 : last + 26] = struct.pack("<I", ogg_checksum(bytes(content[last:])))
    path.write_bytes(content)


def ogg_checksum(page: bytes) -> int:
    checksum = 0
    for byte in page:
        checksum ^= byte << 24
        for _ in range(8):
            checksum = (checksum << 1 ^ (0x04C11DB7 if checksum >> 31 else 0)) & 0xFFFFFFFF
    return checksum


def wav_with(field: int, value: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        soundfile.write(path, np.zeros(1000), 8000, format="WAV")
        content = bytearray(path.read_bytes())
        content[field : field + len(value)] = value
        path.write_bytes(content)

    return write


def packed_mat(path: Path) -> None:
    scipy.io.savemat(path, {"GTF0s": np.zeros((4, 700_000))}, do_compression=True)
    assert path.stat().st_size < 100_000


def mat_that_tells_of_more(path: Path) -> None:
    """Its variable claims to take 4 GB, of which nothing is there."""
    scipy.io.savemat(path, {"GTF0s": np.ones((4, 3))})
    content = path.read_bytes()
    data = struct.pack("<II", 9, 4 * 3 * 8)
    assert content.count(data) == 1
    path.write_bytes(content.replace(data, struct.pack("<II", 9, 0xFFFFFFF8)))


DEEP = 100_000
CRAFTED: dict[str, tuple[str, str | bytes | Callable[[Path], object], str]] = {
    "lists in lists": ("jams", "[" * DEEP, "RecursionError"),
    "objects in objects": ("jams", '{"annotations":' * DEEP, "RecursionError"),
    "number of a million digits": ("jams", jams_of([], "N").replace('"N"', "9" * 10**6), "not"),
    "duration of ages": ("jams", jams_of(contour(0.5), 1e9), "too long for contours"),
    "duration of ages on a grid": ("contours", jams_of(contour(0.5), 1e9), "too long"),
    "duration beyond floats": ("jams", jams_of([], 10**400), "from 0 to 1e+09"),
    "duration without end": ("jams", jams_of([], float("inf")), "inf is not a number from 0"),
    "duration of no number": ("jams", jams_of([], float("nan")), "nan is not a number"),
    "contour of ages": ("jams", jams_of(contour(1e300)), "observation 1: 1e+300"),
    "pitch beyond floats": ("jams", jams_of(contour(0.5, 10**400)), "observation 1: 1000"),
    "note of ages": ("jams", jams_of(note(0, 1e300, 60), 1, "note_midi"), "1e+300"),
    "note beyond floats": ("jams", jams_of(note(0, 1, 10**400), 1, "note_midi"), "1000"),
    "columns of letters": ("jams", jams_of({"time": "0" * 9, "value": "0" * 9}), "observation 1"),
    "pickled objects": ("jams", '{"py/reduce": [{"py/function": "os.abort"}, []]}', "not JAMS"),
    "larger than any": ("jams", sparse, f"larger than {jams.MAX_BYTES} bytes"),
    "tens of thousands of tracks": (
        "midi",
        smf(b"", struct.pack(">hhh", 1, 32_767, 480))[:14]
        + 32_767 * (b"MTrk" + struct.pack(">L", 4) + b"\0\xff\x2f\0"),
        "no notes",
    ),
    "hours between two ticks": (
        "midi",
        smf(b"\0\xff\x51\x03\xff\xff\xff" + b"\xff\xff\xff\x7f\x90\x3c\x50"),
        "lasts more than 86400 s",
    ),
    "text larger than any": ("f0", sparse, f"larger than {parsing.MAX_BYTES} bytes"),
    "text without end": ("f0", lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
    "time of ages": ("f0", "0 220\n1e300 220\n", ""),
    "time beyond floats": ("f0", f"{'9' * 400} 220\n", "line 1: time is"),
    "line of a million columns": ("f0", "1 " * 10**6, "columns where 2 are expected"),
    "field of a megabyte": ("csv", 'a,b\n1,"' + "x" * 10**6, "line 2: not CSV"),
    "variable that unfolds": ("mat", packed_mat, "unpacked, it would be too large"),
    "variable that is not there": ("mat", mat_that_tells_of_more, "not a readable MAT-file"),
    "FLAC of weeks": ("audio", flac_of(2**36 - 1), "claims to last 433 hours"),
    "FLAC of a day": ("audio", flac_of(23 * 3600 * 44_100), "cannot be read"),
    "silence of a day": ("audio", silence, "claims to last 25 hours"),
    "Ogg of ages": ("audio", ogg_of_ages, "claims to last"),
    "a thousand channels": ("audio", wav_with(22, b"\0\4"), "0 samples"),
    "a rate beyond any": ("audio", wav_with(24, b"\xff" * 4), "cannot be read"),
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, confined.Outcome]]:
    """Of every crafted file: where it lies, and what came of reading it."""
    folder = tmp_path_factory.mktemp("crafted")
    paths = [folder / f"{number}.file" for number in range(len(CRAFTED))]
    for path, (_, content, _) in zip(paths, CRAFTED.values(), strict=True):
        if callable(content):
            content(path)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
    kinds = [kind for kind, *_ in CRAFTED.values()]
    calls = [(kind, str(path)) for kind, path in zip(kinds, paths, strict=True)]
    found = confined.call(f"{__name__}:read", calls, folder)
    return {name: (paths[i], found[i]) for i, name in enumerate(CRAFTED)}


@pytest.mark.parametrize("name", CRAFTED)
def test_crafted_file_is_soon_one_line_in_little_memory(outcomes, name: str) -> None:
    path, outcome = outcomes[name]
    said = CRAFTED[name][2]
    assert outcome.error == ("DataError" if said else ""), outcome
    assert said in outcome.message
    assert "\n" not in outcome.message
    assert len(outcome.message) < 500
    assert str(path) in outcome.message or not said
    assert outcome.seconds < SECONDS


def test_confinement_ends_what_takes_too_much(tmp_path: Path) -> None:
    too_much, fine = confined.call("builtins:bytearray", [(2 * confined.MEMORY,), (9,)], tmp_path)
    assert too_much.error == "MemoryError"
    assert not fine.error
    bomb = zlib.compress(bytes(confined.FILE + 1)).hex()
    [written] = confined.call(f"{__name__}:unfold", [(bomb, str(tmp_path / "x"))], tmp_path)
    assert written.error == "OSError"


def unfold(packed: str, path: str) -> None:
    """Write what was packed; called in the confined process."""
    Path(path).write_bytes(zlib.decompress(bytes.fromhex(packed)))


def test_hours_of_silence_in_kilobytes_do_not_fill_the_disk(tmp_path: Path) -> None:
    for name in ("bomb", "liar"):
        (silence if name == "bomb" else flac_of(2**36 - 1))(tmp_path / f"{name}.flac")
    soundfile.write(tmp_path / "tone.flac", np.full(800, 0.5), 8000)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 1_000_000
    tracks = [Track("Own", n, tmp_path / f"{n}.flac") for n in ("bomb", "liar", "tone")]
    store = AudioStore.open(tracks, tmp_path, tmp_path / "cache", 8000, skip_bad=True)
    assert [track.name for track in store.tracks] == ["tone"]
    assert ["claims to last" in skipped.reason for skipped in store.skipped] == [True, True]
    files = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 100_000
