"""What an MP3 file tells of itself."""

from pathlib import Path

_TAGS = (b"Xing", b"Info", b"VBRI")


def tells_length(path: Path) -> bool:
    """Whether a tag in the first frame gives the number of frames.

    Without one decoders guess the length from the bit rate of the first frame.
    """
    with path.open("rb") as file:
        head = file.read(10)
        if head[:3] == b"ID3":
            # size of the ID3v2 tag: four bytes of seven bits
            size = sum((byte & 0x7F) << 7 * (3 - i) for i, byte in enumerate(head[6:10]))
            file.seek(10 + size)
            head = b""
        first_frame = head + file.read(2048)
    return any(tag in first_frame for tag in _TAGS)
