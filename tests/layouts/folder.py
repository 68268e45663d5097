"""A user's own folder in small: a recording for every form of annotation, and two without."""

import json
from pathlib import Path

import mido

from ssmpe.data.files.annotation import FrameAnnotation, NoteAnnotation
from tests.layouts.guitarset import jams
from tests.layouts.layout import SECONDS, write_tone

RAGGED = "".join(f"{n / 100:.2f} 220.0 440.0\n" for n in range(round(SECONDS * 100)))

ANNOTATED: dict[str, tuple[str, type[FrameAnnotation] | type[NoteAnnotation], list[float]]] = {
    "contours.WAV": ("contours.JAMS", FrameAnnotation, [220.0]),
    "jazz/take 1/keys.mid.flac": ("jazz/take 1/keys.mid.midi", NoteAnnotation, [220.0, 440.0]),
    "jazz/take 1/notes.mp3": ("jazz/take 1/notes.mid", NoteAnnotation, [220.0, 440.0]),
    "melody.ogg": ("melody.f0", FrameAnnotation, [220.0, 440.0]),
    "ragged.wav": ("ragged.txt", FrameAnnotation, [220.0, 440.0]),
    "table.aiff": ("table.csv", FrameAnnotation, [220.0, 440.0]),
}
"""By recording: the annotation beside it, its type, F0s in Hz around 0.2 s"""

BARE = ("drums/loop.wav", "drums/one.shot.wav")


def write_midi(path: Path) -> None:
    """Return MIDI of a rest of 0.1 s, then two notes as long as a recording."""
    ticks = round(2 * 480 * SECONDS)  # at the default tempo
    messages = [
        *(mido.Message("note_on", note=note, time=0) for note in (57, 69)),
        mido.Message("note_off", note=57, time=ticks),
        mido.Message("note_off", note=69, time=0),
    ]
    messages[0].time = ticks // 5
    mido.MidiFile(tracks=[mido.MidiTrack(messages)]).save(path)


def write_annotation(path: Path) -> None:
    """Write an annotation in the form that the suffix tells."""
    match path.suffix.lower():
        case ".mid" | ".midi":
            write_midi(path)
        case ".jams":
            path.write_text(json.dumps(jams()))
        case ".csv":
            path.write_text(RAGGED.replace(" ", ","))
        case _:
            path.write_text(RAGGED)


def write(folder: Path) -> None:
    for recording, (annotation, _, _) in ANNOTATED.items():
        write_tone(folder / recording)
        write_annotation(folder / annotation)
    for recording in BARE:
        write_tone(folder / recording)
    (folder / "drums" / "LICENCE.txt").write_text("beside no recording of its name")
    (folder / "drums" / "._loop.wav").write_bytes(b"Mac OS X")
    (folder / ".cache").mkdir()
    write_tone(folder / ".cache" / "hidden.wav")
    (folder / "samples.raw").write_bytes(bytes(100))
