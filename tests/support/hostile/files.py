"""Files of datasets: recordings and annotations."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np

from tests.support.hostile.changes import damaged, garbled, reshaped
from tests.support.hostile.trying import Kind, WrongError


def audio(folder: Path) -> Kind:
    """Audio files of every format; what is read must be numbers."""
    import soundfile

    from ssmpe.data.files.audio import read_audio

    rng = np.random.default_rng(0)
    formats = (
        *(
            ("WAV", "PCM_16"),
            ("WAV", "FLOAT"),
            ("WAV", "DOUBLE"),
            ("WAV", "PCM_24"),
            ("W64", "FLOAT"),
        ),
        *(("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")),
        *(("AIFF", "PCM_16"), ("AU", "FLOAT")),
    )
    contents = {}
    for name, subtype in formats:
        for channels in (1, 2):
            file = io.BytesIO()
            samples = rng.uniform(-0.5, 0.5, (3000, channels))
            soundfile.write(file, samples, 24_000, format=name, subtype=subtype)
            contents[name, subtype, channels] = file.getvalue()

    def case(rng: Random, here: Path) -> None:
        path = here / "x.wav"
        if rng.random() < 0.15:
            values = (np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-45, 0.0)
            shape = rng.randrange(1, 3000), rng.choice((1, 2, 8))
            made = np.random.default_rng(rng.randrange(1 << 30)).choice(
                values[rng.randrange(7) :], shape
            )
            soundfile.write(path, made, rng.choice((1000, 22_050, 96_000)), "FLOAT")
        else:
            path.write_bytes(damaged(rng, contents[rng.choice(list(contents))]))
        samples = read_audio(path, 22_050)
        if not np.isfinite(samples).all():
            raise WrongError("samples that are no numbers were taken")

    return case


def annotations(folder: Path) -> Kind:
    """Annotations of every form."""
    import mido
    import scipy.io

    from ssmpe.data.datasets import bach10
    from ssmpe.data.datasets.folder import READERS
    from ssmpe.data.files import jams, parsing

    notes = [{"time": t, "duration": 0.4, "value": 60.5 + t, "confidence": None} for t in range(4)]
    contour = [
        {"time": 0.01 * t, "duration": 0, "value": {"index": 0, "voiced": True, "frequency": 220.0}}
        for t in range(9)
    ]
    document = {
        "file_metadata": {"duration": 5.0},
        "annotations": [
            {"namespace": "note_midi", "annotation_metadata": {}, "data": notes},
            {"namespace": "pitch_contour", "annotation_metadata": {}, "data": contour},
        ],
    }
    ragged = "".join(f"{t / 100:.2f}\t220.0\t{440 + t}.5\n" for t in range(30)).encode()
    pairs = "".join(f"{t / 100:.2f} {220 + t}\n" for t in range(30)).encode()
    table = b"a,b\n" + b"".join(b"%d,x%d\n" % (t, t) for t in range(9))
    midi = mido.MidiFile(ticks_per_beat=480)
    track = midi.add_track()
    for pitch in (60, 64, 67):
        track.append(mido.Message("note_on", note=pitch, velocity=80, time=10))
        track.append(mido.Message("note_off", note=pitch, velocity=0, time=200))
    smf, mat = io.BytesIO(), io.BytesIO()
    midi.save(file=smf)
    scipy.io.savemat(mat, {"GTF0s": np.full((4, 30), 60.0)})
    packed = io.BytesIO()
    scipy.io.savemat(packed, {"GTF0s": np.full((4, 30), 60.0)}, do_compression=True)
    read_ragged, read_midi = READERS[".txt"], READERS[".mid"]
    kinds: tuple[tuple[bytes, Callable[[Path], object]], ...] = (
        (ragged, read_ragged),
        (ragged.replace(b"\t", b","), read_ragged),
        (pairs, parsing.read_f0_track),
        (pairs, lambda path: list(parsing.read_columns(path, 2))),
        (table, lambda path: list(parsing.read_csv(path, ("a", "b")))),
        (smf.getvalue(), read_midi),
        (mat.getvalue(), bach10.read_part_pitches),
        (packed.getvalue(), bach10.read_part_pitches),
        (b"", READERS[".jams"]),
        (b"", lambda path: jams.read_pitch_contours(path, 256 / 44_100)),
    )

    def case(rng: Random, here: Path) -> None:
        content, read = rng.choice(kinds)
        if not content:  # JAMS
            content = json.dumps(reshaped(rng, document)).encode()
        elif content[:1] in b"0a" and rng.random() < 0.5:
            content = garbled(rng, content.decode()).encode("utf-8", "surrogateescape")
        else:
            content = damaged(rng, content)
        (here / "x.txt").write_bytes(content)
        read(here / "x.txt")

    return case
