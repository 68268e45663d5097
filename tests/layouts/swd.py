"""SWD in small: two songs in two performances."""

from pathlib import Path

from tests.layouts.layout import Layout, write_tone

NAMES = tuple(f"Schubert_D911-{song}_{by}" for song in ("01", "02") for by in ("HU33", "SC06"))


def write(root: Path) -> None:
    for name in NAMES:
        write_tone(root / "SWD" / "01_RawData" / "audio_wav" / f"{name}.wav", rate=22_050)
    (root / "SWD" / "01_RawData" / "audio_wav" / "README.txt").write_text("SWD")


SETS = {"SWD/all": Layout(write, tracks=NAMES)}
