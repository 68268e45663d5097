"""MDB Drums in small: two recordings of drums, and mixtures that are not read."""

from pathlib import Path

from tests.layouts.layout import Layout, write_tone


def write(root: Path) -> None:
    audio = root / "MDBDrums" / "MDB Drums" / "audio"
    for name in ("MusicDelta_Rock", "MusicDelta_80sRock"):
        write_tone(audio / "drum_only" / f"{name}_Drum.wav", rate=44_100)
        write_tone(audio / "full_mix" / f"{name}_MIX.wav", rate=44_100)
    # a copy that has been packed without loss is as good, and none beside the original
    write_tone(audio / "drum_only" / "MusicDelta_Rock_Drum.flac")
    write_tone(audio / "drum_only" / "MusicDelta_Punk_Drum.flac")
    (audio / "drum_only" / "README.txt").write_text("MDB Drums")


SETS = {
    "MDBDrums/all": Layout(
        write,
        tracks=("MusicDelta_80sRock_Drum", "MusicDelta_Punk_Drum", "MusicDelta_Rock_Drum"),
    )
}
