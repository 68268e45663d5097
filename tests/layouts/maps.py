"""MAPS in small: two pieces of the close microphones, one of which the ambient ones have, too."""

from pathlib import Path

from ssmpe.data.files.annotation import NoteAnnotation
from ssmpe.units import midi_to_hz
from tests.layouts.layout import Layout, write_tone

PIECES = {"ENSTDkCl": ("chpn-p19", "mz_331_3"), "ENSTDkAm": ("mz_331_3",)}
NOTES = "OnsetTime\tOffsetTime\tMidiPitch\n0.10\t0.30\t69\n0.15\t0.40\t45\n"


def write(root: Path) -> None:
    for instrument, pieces in PIECES.items():
        folder = root / "MAPS" / instrument / "MUS"
        for piece in pieces:
            path = folder / f"MAPS_MUS-{piece}_{instrument}.wav"
            # copies that have been packed without loss are as good
            suffix = ".flac" if instrument == "ENSTDkAm" else ".wav"
            write_tone(path.with_suffix(suffix), rate=44_100, channels=2)
            path.with_suffix(".txt").write_text(NOTES)
            path.with_suffix(".mid").write_bytes(b"")
    write_tone(root / "MAPS" / "ENSTDkCl" / "ISOL" / "NO" / "MAPS_ISOL_NO_F_S0_M21_ENSTDkCl.wav")


def layout(instrument: str, *pieces: str) -> Layout:
    """Return the layout of a set that has these pieces of an instrument set."""
    return Layout(
        write,
        tracks=tuple(f"MAPS_MUS-{piece}_{instrument}" for piece in pieces),
        sounding=(float(midi_to_hz(45)), 440.0),
        annotation=NoteAnnotation,
    )


SETS = {
    "MAPS/ENSTDkCl": layout("ENSTDkCl", *PIECES["ENSTDkCl"]),
    "MAPS/ENSTDkAm": layout("ENSTDkAm", *PIECES["ENSTDkAm"]),
    "MAPS/ENSTDkCl-only": layout("ENSTDkCl", "chpn-p19"),
}
