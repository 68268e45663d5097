"""MagnaTagATune in small: three clips, and one of 0 bytes as there are three in the real set."""

from pathlib import Path

from tests.layouts.layout import Layout, write_tone

NAMES = (
    "0/american_bach_soloists-heinrich_schutz__musicalische_exequien-01-i_concert-0-29",
    "6/william_brooke-silver-01-march-0-29",
    "f/american_bach_soloists-j_s__bach_solo_cantatas-01-bwv54__i_aria-30-59",
)
EMPTY = "6/norine_braun-now_and_zen-08-gently-117-146"


def write(root: Path) -> None:
    folder = root / "MagnaTagATune"
    for name in NAMES:
        write_tone(folder / f"{name}.mp3", rate=16_000)
    (folder / f"{EMPTY}.mp3").write_bytes(b"")
    (folder / "annotations_final.csv").write_text("clip_id\tguitar\tmp3_path\n")


SETS = {"MagnaTagATune/all": Layout(write, tracks=NAMES)}
