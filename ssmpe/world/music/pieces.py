"""Pieces of the corpus that the world may use, and their dealing out to the datasets."""

import re
from typing import Literal

from ssmpe.errors import UserError
from ssmpe.seeding import numpy_generator
from ssmpe.world.music.scores import corpus_root

Pool = Literal["chorale", "madrigal", "quartet", "piano", "tune", "mass"]

# Four-part chorales of different opening lines, so that no hymn tune is in two datasets.
CHORALES = """
10.7 11.6 13.6 14.5 16.6 17.7 18.5-lz 20.11 36.4-2 36.8-2 38.6 40.6 40.8 43.11 46.6 56.5 57.8 60.5
66.6 67.7 69.6-a 74.8 86.6 92.9 101.7 102.7 103.6 104.6 108.6 110.7 111.6 113.8 114.7 115.6 116.6
117.4 119.9 120.6 121.6 122.6 123.6 125.6 127.5 133.6 135.6 140.7 144.3 145-a 145.5 146.8 148.6
151.5 153.1 153.9 156.6 158.4 164.6 165.6 166.6 169.7 174.5 177.5 187.7 190.7 197.7-a 226.2 227.1
229.2 244.32 244.46 245.5 245.15 245.26 245.28 248.23-s 248.28 248.33-3 248.35-3 248.42-s 248.53-5
253 254 255 259 261 262 263 264 266 268 269 272 273 274 275 276 281 283 284 285 287 288 290 291 292
293 294 295 297 299 300 301 302 306 307 309 310 311 313 315 316 320 321 325 328 329 331 332 335 336
337 338 343 344 345 346 347 349 350 351 352 355 357 363 364 365 366 368 369 370 371 373 378 379 381
384 385 386 387 388 391 396 400 401 403 404 406 407 408 410 411 412 417 419 420 423 424 426 431 437
"""

# Quartet movements that parse in less than about a third of a second.
QUARTETS = """
mozart/k155/movement2 mozart/k155/movement3 mozart/k156/movement1 mozart/k156/movement2
mozart/k156/movement3 mozart/k156/movement4 mozart/k458/movement2 mozart/k80/movement1
mozart/k80/movement2 mozart/k80/movement3 mozart/k80/movement4 haydn/opus1no1/movement1
haydn/opus1no1/movement2 haydn/opus1no1/movement3 haydn/opus1no1/movement4
haydn/opus1no1/movement5 haydn/opus74no1/movement3 beethoven/opus18no1/movement3
beethoven/opus59no3/movement3 schumann_robert/opus41no1/movement2
schumann_robert/opus41no1/movement3 schumann_robert/opus41no1/movement4
"""

PIANO = """
chopin/mazurka06-2.krn cpebach/h186.mxl joplin/maple_leaf_rag.mxl
mozart/k545/movement1_exposition.mxl schoenberg/opus19/movement2.mxl
schoenberg/opus19/movement6.mxl schumann_clara/polonaise_op1n1.mxl
schumann_clara/polonaise_op1n2.mxl schumann_clara/polonaise_op1n3.mxl
schumann_clara/polonaise_op1n4.mxl verdi/laDonnaEMobile.mxl
"""

MADRIGALS = [
    (book, number) for book, last in ((3, 20), (4, 20), (5, 8)) for number in range(1, last + 1)
]


# Palestrina: of the movements of a mass, which share their themes, only the first, in one part or
# the first of several.
KYRIE = re.compile(r"Kyrie_\d+(_a)?\.krn")

# Pieces of each pool that the unlabelled training sets leave to the sets that are dealt out later.
KEPT: dict[Pool, int] = {"chorale": 90, "madrigal": 6, "quartet": 4, "piano": 4, "mass": 20}


def corpus_paths(pool: Pool) -> list[str]:
    """Return the paths within the corpus of all pieces of a pool, in a fixed order."""
    if pool == "chorale":
        return [f"bach/bwv{name}.mxl" for name in CHORALES.split()]
    if pool == "madrigal":
        return [f"monteverdi/madrigal.{book}.{number}.mxl" for book, number in MADRIGALS]
    if pool == "quartet":
        return [f"{name}.mxl" for name in QUARTETS.split()]
    if pool == "piano":
        return PIANO.split()
    if pool == "mass":
        names = (path.name for path in (corpus_root() / "palestrina").glob("*.krn"))
        return sorted(f"palestrina/{name}" for name in names if KYRIE.fullmatch(name))
    return sorted(f"ryansMammoth/{p.name}" for p in (corpus_root() / "ryansMammoth").glob("*.abc"))


class Deal:
    """Dealer of pieces, in an order drawn for each pool.

    A piece that ``draw`` has given is never given again, and none that ``draw_shared`` has given is
    ever given by ``draw``. So labelled, validation and evaluation sets, which use the former, share
    nothing with one another nor with the unlabelled sets, which may use the latter.
    """

    def __init__(self) -> None:
        self._left: dict[Pool, list[str]] = {}
        self._shared: dict[Pool, list[str]] = {}

    def draw(self, pool: Pool) -> str:
        """Give a piece of a pool for one recording alone, by its path within the corpus.

        Raises:
            UserError: there is none left.
        """
        left = self._of(pool)
        if not left:
            raise UserError(
                f"the corpus has too few pieces of the kind {pool!r} for an embedded world of this "
                f"size; ask for fewer recordings"
            )
        return left.pop()

    def draw_shared(self, pool: Pool) -> str:
        """Give a piece of a pool for an unlabelled training set.

        Where no more than ``KEPT`` are left, it is one that these sets have had before: the one
        that was given longest ago.
        """
        shared = self._shared.setdefault(pool, [])
        fresh = len(self._of(pool)) > KEPT.get(pool, 0) or not shared
        piece = self.draw(pool) if fresh else shared.pop(0)
        shared.append(piece)
        return piece

    def _of(self, pool: Pool) -> list[str]:
        if pool not in self._left:
            paths = corpus_paths(pool)
            order = numpy_generator("world", "pieces", pool).permutation(len(paths))
            self._left[pool] = [paths[i] for i in order]
        return self._left[pool]
