"""Hostile values: texts, numbers and JSON that nobody expects, and bytes that were damaged."""

import json
import re
from random import Random
from typing import Any

TEXTS = (
    *("", " ", "\x1b]0;owned\x07", "half\udcff", "a\nb", "\u202efdp", "ü音", "x" * 300, "x" * 9000),
    *("..", "../..", "/", "/dev/null", "/dev/zero", "-", "--", "*", "[", "{", "=", "a=", "=b"),
    *("nan", "inf", "-inf", "1e999", "-1", "0", "1", "1e308", "5e-324", "0x10", "1_0", "１２"),
    *("9" * 400, "9" * 5000, "true", "null", "%s%n", "{0}", "$(touch x)", "a,b", "0-9", "3-1"),
    *("http://127.0.0.1:9", "sqlite:////no/such.db", "file:///no", "://", "nowhere://x"),
    *("MusicNet/train", "mine=/tmp", "URMP/all", "model.complexity=99", "[" * 2000),
)
NUMBERS = (
    None,
    True,
    -1,
    0,
    0.5,
    2**31,
    2**63,
    10**400,
    1e308,
    -1e-300,
    float("nan"),
    float("inf"),
)


def damaged(rng: Random, content: bytes) -> bytes:
    """Flip, overwrite, cut, repeat or insert bytes, most often near the beginning."""
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        n = max(len(changed), 1)
        at = rng.randrange(min(n, 128) if rng.random() < 0.5 else n)
        how = rng.randrange(6)
        if how == 0 and changed:
            changed[at] ^= 1 << rng.randrange(8)
        elif how == 1:
            extreme = rng.choice(
                (b"\0", b"\xff", b"\x7f", b"\x80", b"\xff\xff\xff\x7f", b"\0\0\0\x80")
            )
            changed[at : at + len(extreme)] = extreme
        elif how == 2:
            del changed[at:]
        elif how == 3:
            del changed[at : at + rng.randrange(1, 64)]
        elif how == 4:
            changed[at:at] = changed[at : at + rng.randrange(1, 256)]
        else:
            changed[at:at] = rng.randbytes(rng.randrange(1, 16))
    return bytes(changed)


def garbled(rng: Random, text: str) -> str:
    """Change a text by characters or numbers in it, or take another one."""
    if rng.random() < 0.4:
        return rng.choice(TEXTS)
    at = rng.randrange(len(text) + 1)
    how = rng.randrange(4)
    if how == 0:
        return text[:at] + rng.choice(TEXTS) + text[at:]
    if how == 1:
        return text[:at] + text[at + 1 :]
    if how == 2:
        return re.sub(r"\d+", lambda _: rng.choice(("0", "-1", "nan", "9" * 400, "1e308")), text)
    return text[:at] + text[at : at + 5] * rng.choice((2, 50)) + text[at:]


def anything(rng: Random) -> Any:
    """Return a value of JSON that is hardly what is expected."""
    deep: Any = "end"
    for _ in range(50):
        deep = [deep]
    return rng.choice((*NUMBERS, *TEXTS[:12], [], {}, [1], {"a": 1}, [[]], deep, ["x"] * 1000))


def reshaped(rng: Random, values: Any) -> Any:
    """Replace, rename, drop or wrap one node of JSON, which is copied."""
    root = [json.loads(json.dumps(values))]
    node: Any = root
    while True:
        key = rng.randrange(len(node)) if isinstance(node, list) else rng.choice(list(node))
        child = node[key]
        if isinstance(child, dict | list) and child and rng.random() < 0.85:
            node = child
            continue
        how = rng.randrange(5)
        if how == 0 and isinstance(node, dict):
            node[rng.choice(TEXTS[:8])] = node.pop(key)
        elif how == 1 and node is not root:
            del node[key]
        elif how == 2:
            node[key] = [child]
        else:
            node[key] = anything(rng)
        return root[0]
