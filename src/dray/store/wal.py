"""Whether SQLite's write-ahead log lost something in its middle.

SQLite takes the first frame that is not what was written for the end of the log, as after a loss of power, and goes on
with what came before. A transaction is synced before the next is written, so a bad frame with a later transaction behind
it was acknowledged once: that is damage, and must not be passed over. Format: https://www.sqlite.org/fileformat2.html,
section 4.
"""

import struct
import sys
from array import array
from pathlib import Path
from typing import Final, NamedTuple

_HEADER: Final = struct.Struct(">8I")
_FRAME: Final = struct.Struct(">6I")
_MAGIC: Final = (0x377F0682, 0x377F0683)
"""Checksums over little-endian and big-endian words."""

_SMALLEST_PAGE, _LARGEST_PAGE = 512, 65536
_MASK: Final = 0xFFFF_FFFF
Checksum = tuple[int, int]


class _Frame(NamedTuple):
    salts: tuple[int, int]
    ends_transaction: bool
    is_written: bool
    """Whether its checksum follows from that of the frame before."""


def lost_frame(path: Path) -> int | None:
    """The number of the first frame that was acknowledged and is not what was written; None when there is none.

    Raises OSError.
    """
    data = path.read_bytes() if path.exists() else b""
    if len(data) < _HEADER.size:
        return None
    magic, _, page_size, _, *salts, first, second = _HEADER.unpack_from(data)
    is_little = magic != _MAGIC[1]
    start = _checksum(memoryview(data)[: _HEADER.size - 8], (0, 0), is_little)
    is_sound = magic in _MAGIC and start == (first, second)
    if not is_sound:
        page_size = page_size if _is_page(page_size) else 4096
    frames = _frames(memoryview(data)[_HEADER.size :], page_size, (first, second), is_little)
    if not frames:
        return None
    known = (salts[0], salts[1]) if is_sound else _most_common([frame.salts for frame in frames])
    bad = 0 if not is_sound else _first_bad(frames, known)
    return bad + 1 if bad is not None and _goes_on(frames, bad, known) else None


def _is_page(size: int) -> bool:
    return _SMALLEST_PAGE <= size <= _LARGEST_PAGE and size & (size - 1) == 0


def _frames(data: memoryview, page_size: int, before: Checksum, is_little: bool) -> list[_Frame]:
    frames: list[_Frame] = []
    step = _FRAME.size + page_size
    for at in range(0, len(data) - step + 1, step):
        _, size, salt, other_salt, first, second = _FRAME.unpack_from(data, at)
        found = _checksum(data[at : at + 8], before, is_little)
        found = _checksum(data[at + _FRAME.size : at + step], found, is_little)
        before = (first, second)
        frames.append(_Frame((salt, other_salt), size != 0, found == before))
    return frames


def _first_bad(frames: list[_Frame], salts: tuple[int, int]) -> int | None:
    for index, frame in enumerate(frames):
        if frame.salts != salts or not frame.is_written:
            return index
    return None


def _goes_on(frames: list[_Frame], bad: int, salts: tuple[int, int]) -> bool:
    """Whether a transaction ends at the bad frame or after it, and another one follows."""
    ended = False
    for frame in frames[bad:]:
        if ended and frame.salts == salts and frame.is_written:
            return True
        ended = ended or (frame.salts == salts and frame.ends_transaction)
    return False


def _most_common(salts: list[tuple[int, int]]) -> tuple[int, int]:
    return max(set(salts), key=salts.count)


def _checksum(data: memoryview, start: Checksum, is_little: bool) -> Checksum:
    words = array("I", data.tobytes())
    if is_little != (sys.byteorder == "little"):
        words.byteswap()
    first, second = start
    for index in range(0, len(words), 2):
        first = (first + words[index] + second) & _MASK
        second = (second + words[index + 1] + first) & _MASK
    return first, second
