"""MedleyDB in small: a recording with a stem, and one of Bach10 in MedleyDB's form."""

from pathlib import Path

from tests.layouts.layout import Layout, write_tone

NAMES = ("AClassicEducation_NightOwl", "MusicDelta_Beatles", "Bach10_AchGottundHerr")


def write(root: Path) -> None:
    audio = root / "MedleyDB" / "Audio"
    for name in NAMES:
        write_tone(audio / name / f"{name}_MIX.wav", rate=44_100, channels=2)
        write_tone(audio / name / f"{name}_STEMS" / f"{name}_STEM_01.wav", rate=44_100)
    (audio / "README.txt").write_text("MedleyDB")


SETS = {"MedleyDB/all": Layout(write, tracks=("AClassicEducation_NightOwl", "MusicDelta_Beatles"))}
