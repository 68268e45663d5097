"""The instruments that the embedded world may use, with the ranges in which they are in tune."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Instrument:
    """A preset of bank 0 of the General MIDI soundfont.

    Attributes:
        program: General MIDI program, counted from 0.
        low, high: lowest and highest allowed key (MIDI), both checked to sound at their pitch.
        vibrato: largest depth in cents.
        fixed_pitch: whether a player cannot bend it (keyboards, harp, mallets).
        chords: whether one player sounds several notes at once.
        wavers: whether its pitch is off by more than 20 cents for more than 2 % of the time, in the
            attack or because its voices beat: unfit where fundamental frequencies are annotated.
    """

    program: int
    low: int
    high: int
    vibrato: float = 0.0
    fixed_pitch: bool = False
    chords: bool = False
    wavers: bool = False


def _keyboard(program: int, low: int, high: int) -> Instrument:
    return Instrument(program, low, high, fixed_pitch=True, chords=True)


def _mallets(program: int, low: int, high: int) -> Instrument:
    return Instrument(program, low, high, fixed_pitch=True, chords=True, wavers=True)


def _plucked(program: int, low: int, high: int) -> Instrument:
    return Instrument(program, low, high, chords=True)


INSTRUMENTS = {
    "violin": Instrument(40, 55, 93, vibrato=25),
    "viola": Instrument(41, 48, 86, vibrato=25),
    "cello": Instrument(42, 36, 76, vibrato=22),
    "double_bass": Instrument(43, 28, 60, vibrato=14),
    "flute": Instrument(73, 60, 93, vibrato=16),
    "oboe": Instrument(69, 58, 81, vibrato=14),
    "clarinet": Instrument(71, 50, 91, vibrato=4),
    "saxophone": Instrument(66, 44, 76, vibrato=18),
    "bassoon": Instrument(70, 34, 72, vibrato=10),
    "trumpet": Instrument(56, 54, 86, vibrato=12),
    "horn": Instrument(60, 41, 77, vibrato=4),
    "trombone": Instrument(57, 40, 72, vibrato=8),
    "tuba": Instrument(58, 28, 58, vibrato=4),
    "recorder": Instrument(74, 60, 98, vibrato=8),
    "pan_flute": Instrument(75, 60, 95, vibrato=10),
    "strings": Instrument(48, 28, 95),
    "brass": Instrument(61, 34, 84, wavers=True),
    "pizzicato": Instrument(45, 36, 96, wavers=True),
    "harp": Instrument(46, 24, 103, fixed_pitch=True, chords=True),
    "piano": _keyboard(0, 24, 104),
    "bright_piano": _keyboard(1, 24, 104),
    "electric_piano": _keyboard(4, 28, 100),
    "harpsichord": _keyboard(6, 29, 89),
    "vibraphone": _mallets(11, 53, 89),
    "marimba": _mallets(12, 45, 96),
    "nylon_guitar": _plucked(24, 40, 84),
    "steel_guitar": _plucked(25, 40, 84),
    "jazz_guitar": _plucked(26, 40, 84),
    "fretless_bass": Instrument(35, 28, 60),
    "finger_bass": Instrument(33, 28, 60),
    "pick_bass": Instrument(34, 28, 60),
    "slap_bass_1": Instrument(36, 28, 60),
    "slap_bass_2": Instrument(37, 28, 60),
    "synth_bass_1": Instrument(38, 24, 60),
    "synth_bass_2": Instrument(39, 24, 60),
    "square_lead": Instrument(80, 36, 100),
    "warm_pad": Instrument(89, 36, 96, wavers=True),
    "polysynth_pad": Instrument(90, 36, 96, wavers=True),
}

# URMP's abbreviations.
URMP_CODES = {
    "vn": "violin",
    "va": "viola",
    "vc": "cello",
    "db": "double_bass",
    "fl": "flute",
    "ob": "oboe",
    "cl": "clarinet",
    "sax": "saxophone",
    "bn": "bassoon",
    "tpt": "trumpet",
    "hn": "horn",
    "tbn": "trombone",
    "tba": "tuba",
}
