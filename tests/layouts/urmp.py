"""URMP in small: the pieces of the validation split as duets."""

from pathlib import Path

from ssmpe.data.datasets.urmp import VALIDATION
from ssmpe.data.files.annotation import FrameAnnotation
from tests.layouts.layout import Layout, write_tone


def write(root: Path) -> None:
    for number in VALIDATION:
        folder = root / "URMP" / f"{number}_Song_vn_vc"
        write_tone(folder / f"AuMix_{number}_Song_vn_vc.wav", rate=48_000, channels=2)
        for part, hz in (("1_vn", 440.0), ("2_vc", 110.0)):
            # the first part rests in the second half
            lines = [
                f"{0.01 * n:.3f}\t{hz if part == '2_vc' or n < 25 else 0:.3f}" for n in range(50)
            ]
            (folder / f"F0s_{part}_{number}_Song.txt").write_text("\n".join(lines) + "\n")
    (root / "URMP" / "Supplementary_Files").mkdir()


SETS = {
    "URMP/validation": Layout(
        write,
        tracks=tuple(f"{n}_Song_vn_vc" for n in VALIDATION),
        sounding=(110.0, 440.0),
        annotation=FrameAnnotation,
    )
}
