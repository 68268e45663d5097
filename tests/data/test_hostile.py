"""Thousands of damaged files of every kind: a sound result, or one line that names the file."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssmpe.data.datasets import bach10, egmd, fma, maestro, maps, musicnet, nsynth, su
from ssmpe.data.files import audio, jams, midi, parsing, ragged
from ssmpe.data.files.annotation import FrameAnnotation, NoteAnnotation
from ssmpe.seeding import numpy_generator
from tests.layouts import LAYOUTS
from tests.layouts.guitarset import jams as jams_document
from tests.support import confined

PER_SEED = 200
"""Mutants of each file"""
SECONDS = 20.0
"""CPU time that one of them may take"""
EXTREMES = (
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\0\0\0\x80",
)
TOKENS = (
    b"nan",
    b"-inf",
    b"1e999",
    b"-1",
    b"0",
    b"9" * 400,
    b"1e308",
    b"",
    b"\0",
    b"\xc3\xa9",
    b"[",
)
NUMBER = re.compile(rb"[0-9.]+")


def read(kind: str, path: str) -> object:
    """Read a file as ``kind`` says, and check the result; called in the confined process."""
    file = Path(path)
    annotations: dict[str, Callable[[Path], FrameAnnotation | NoteAnnotation]] = {
        "jams": jams.read_jams,
        "contours": lambda p: jams.read_pitch_contours(p, 256 / 44_100),
        "midi": midi.read_notes,
        "ragged": ragged.read_ragged,
        "musicnet": musicnet.read_labels,
        "su": su.read_note_table,
        "maps": maps.read_note_table,
    }
    others: dict[str, Callable[[Path], object]] = {
        "f0": parsing.read_f0_track,
        "mat": bach10.read_part_pitches,
        "roots": fma.read_roots,
        "tracks": lambda p: [number for number, _ in fma.read_tracks(p)],
        "egmd": lambda p: egmd.EGMD(p.parent).tracks("train"),
        "maestro": lambda p: maestro.MAESTRO(p.parent).tracks("validation"),
        "nsynth": lambda p: nsynth.NSynth(p.parent.parent).tracks("valid"),
    }
    if kind in annotations:
        annotation = annotations[kind](file)
        assert np.isfinite(annotation.span).all()
        sounding = annotation.at(np.arange(100) / 100).f0s
        assert all((f0s > 0).all() and (f0s <= parsing.MAX_F0).all() for f0s in sounding)
        return len(sounding)
    if kind in others:
        return others[kind](file)
    samples = audio.read_audio(file, 22_050)
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() <= 1
    return len(samples)


def seeds(folder: Path) -> Iterator[tuple[str, Path]]:
    """Write a sound file of every kind; yield kind and path."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.1, (4000, 2))
    for form, subtype in (
        *(("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "FLOAT"), ("WAV", "DOUBLE")),
        *(("WAV", "ULAW"), ("WAV", "IMA_ADPCM"), ("FLAC", "PCM_16"), ("OGG", "VORBIS")),
        *(("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III"), ("AIFF", "PCM_16"), ("AU", "FLOAT")),
        *(("W64", "PCM_16"), ("CAF", "ALAC_16"), ("RF64", "PCM_16"), ("NIST", "PCM_16")),
    ):
        path = folder / f"{form}-{subtype}.{form.lower()}"
        soundfile.write(path, noise, 16_000, format=form, subtype=subtype)
        yield "audio", path
    for name in ("URMP/validation", "Su/all", "MusicNet/test", "Bach10/all", "TRIOS/all"):
        LAYOUTS[name].write(folder)
    for name in ("E-GMD/train", "MAESTRO/validation", "NSynth/valid", "FMA/train", "MAPS/ENSTDkCl"):
        LAYOUTS[name].write(folder)
    document = json.dumps(jams_document())
    (folder / "contours.jams").write_text(document)
    notes = [{"time": 0.1 * i, "duration": 0.1, "value": 60 + i} for i in range(8)]
    document = json.dumps(
        {
            "file_metadata": {"duration": 1},
            "annotations": [{"namespace": "note_midi", "data": notes}],
        }
    )
    (folder / "notes.jams").write_text(document)
    rows = (f"{i / 100:.2f} {220 + i} {330 + i}" for i in range(80))
    (folder / "ragged.txt").write_text("\n".join(rows))
    yield "jams", folder / "contours.jams"
    yield "contours", folder / "contours.jams"
    yield "jams", folder / "notes.jams"
    yield "ragged", folder / "ragged.txt"
    for kind, pattern in (
        *(("f0", "URMP/*/F0s_*.txt"), ("su", "Su/gt_Note/*.txt"), ("mat", "Bach10/*/*.mat")),
        *(("musicnet", "MusicNet/test_labels/*.csv"), ("midi", "TRIOS/*/*.mid")),
        *(("midi", "MAESTRO/*/*.midi"), ("egmd", "E-GMD/*.csv"), ("maestro", "MAESTRO/*.csv")),
        *(("nsynth", "NSynth/nsynth-valid/*.json"), ("roots", "FMA/fma_metadata/genres.csv")),
        *(("maps", "MAPS/ENSTDkCl/MUS/*.txt"),),
        ("tracks", "FMA/fma_metadata/tracks.csv"),
    ):
        yield kind, min(folder.glob(pattern))


def mutated(content: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    """Damage a file once to four times, in one of nine ways each."""
    for _ in range(rng.integers(1, 5)):
        n = max(len(content), 1)
        at, length = int(rng.integers(n)), int(rng.integers(1, 1 + min(n, 64)))
        stretch = content[at : at + length]
        numbers = list(NUMBER.finditer(content))
        number = numbers[rng.integers(len(numbers))].span() if numbers else (at, at + length)
        flipped = bytes([content[at] ^ 1 << int(rng.integers(8))]) if content else b""
        content = [
            content[:at] + flipped + content[at + 1 :],
            content[:at] + rng.bytes(length) + content[at + length :],
            content[:at],
            content[:at] + content[at + length :],
            content[:at] + stretch * int(rng.integers(1, 200)) + content[at:],
            content[:at] + EXTREMES[rng.integers(len(EXTREMES))] + content[at + 4 :],
            content[: number[0]] + TOKENS[rng.integers(len(TOKENS))] + content[number[1] :],
            content[:at] + other[at:],
            content[: at % 256] + EXTREMES[rng.integers(len(EXTREMES))] + content[at % 256 + 4 :],
        ][rng.integers(9)]
    return content


@pytest.mark.long
def test_damaged_files_are_read_or_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "sound").mkdir()
    whole = [(kind, path, path.read_bytes()) for kind, path in seeds(tmp_path / "sound")]
    found: Counter[str] = Counter()
    for number, (kind, path, content) in enumerate(whole):
        rng = numpy_generator("hostile", number)
        calls = []
        for i in range(PER_SEED):
            # as the reader of an index expects: in a folder of its own, by its own name
            damaged = tmp_path / f"{number}" / f"{i}" / "nsynth-valid" / path.name
            damaged.parent.mkdir(parents=True)
            other = whole[rng.integers(len(whole))][2]
            damaged.write_bytes(mutated(content, other, rng))
            calls.append((kind, str(damaged)))
        for call, outcome in zip(
            calls, confined.call(f"{__name__}:read", calls, tmp_path), strict=True
        ):
            found[outcome.error or "read"] += 1
            if outcome.error == "UserError":  # an index that lists nothing
                assert "no tracks of split" in outcome.message
                continue
            assert outcome.error in ("", "DataError"), (call, outcome)
            assert outcome.seconds < SECONDS, (call, outcome)
            if outcome.error:
                assert call[1] in outcome.message, outcome
                assert "\n" not in outcome.message, (call, outcome)
                assert len(outcome.message) < 700, (call, outcome)
    print(f"\n{sum(found.values())} damaged files of {len(whole)} kinds: {dict(found)}")
