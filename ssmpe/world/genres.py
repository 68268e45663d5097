"""FMA's genres, and what is played in the clips of each."""

from ssmpe.world.music.casting import CHAMBER, Ensemble
from ssmpe.world.writers.fma import Genre

ROOTS = {
    2: "International",
    3: "Blues",
    4: "Jazz",
    5: "Classical",
    8: "Old-Time / Historic",
    9: "Country",
    10: "Pop",
    12: "Rock",
    13: "Easy Listening",
    14: "Soul-RnB",
    15: "Electronic",
    17: "Folk",
    20: "Spoken",
    21: "Hip-Hop",
    38: "Experimental",
    1235: "Instrumental",
}
BELOW = {25: ("Punk", 12), 42: ("Ambient Electronic", 15), 66: ("Indie-Rock", 12)}
GENRES = (
    *(Genre(number, 0, title, number) for number, title in ROOTS.items()),
    *(Genre(number, root, title, root) for number, (title, root) in BELOW.items()),
)

# Genres of a clip, and the band of ``bands.BANDS`` or the ensemble that plays. Any stretch of it
# is mixed; the second has two root genres.
CLIPS: tuple[tuple[tuple[int, ...], str | Ensemble], ...] = (
    ((12,), "Rock"),
    ((21, 15), "Hip-Hop"),
    ((5,), CHAMBER[0]),
    ((42,), "Electronic"),
    ((17,), "Folk"),
    ((10,), "Pop"),
    ((4,), "Jazz"),
    ((5,), CHAMBER[1]),
    ((25, 12), "Punk"),
    ((14,), "Soul-RnB"),
    ((2,), "International"),
    ((15,), "Electronic"),
    ((1235,), CHAMBER[5]),
    ((66, 17), "Rock"),
    ((21,), "Hip-Hop"),
    ((5,), CHAMBER[2]),
    ((42, 38), "Ambient"),
    ((17,), CHAMBER[3]),
    ((12, 10), "Pop"),
    ((2,), CHAMBER[4]),
)
MISSING = 20  # number of a track that is in the table but has no clip
EMPTY = 99134  # number of a clip without sound, as in the dataset
