"""Pictures that are small and ask for much, each an example of its kind; for `attacks.py` and the tests."""

import io
import struct
import zlib

from PIL import Image


def encoded(format: str, image=None, **options) -> bytes:
    file = io.BytesIO()
    (image or Image.effect_noise((96, 64), 90).convert("RGB")).save(file, format, **options)
    return file.getvalue()


def scans(count: int, side: int) -> bytes:
    """A progressive JPEG whose first scan is repeated."""
    whole = encoded("JPEG", Image.new("RGB", (side, side)), progressive=True)
    start = whole.index(b"\xff\xda")
    end = whole.index(b"\xff", start + 2 + struct.unpack(">H", whole[start + 2 : start + 4])[0])
    return whole[:end] + whole[start:end] * count + whole[end:]


def tags(count: int, size: int) -> bytes:
    """A TIFF whose tags all point at the same bytes."""
    fields = [(256, 4, 1, 64), (257, 4, 1, 64), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    fields += [(273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, 64), (279, 4, 1, 4096)]
    fields += [(40_000 + i, 1, size, 8) for i in range(count)]
    directory = struct.pack("<H", len(fields)) + b"".join(struct.pack("<HHII", *field) for field in fields) + bytes(4)
    return b"II*\0" + struct.pack("<I", 8 + size) + bytes(size) + directory


def rle(side: int, codes: int) -> bytes:
    """A BMP of run-length codes that draw nothing."""
    data = b"\x01\x00" * codes + b"\0\1"
    head = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, len(data), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 54 + 1024 + len(data), 0, 0, 54 + 1024) + head + bytes(1024) + data


HOSTILE = {
    "a JPEG of 1,000 scans": scans(1000, 6000),
    "a TIFF of 4,000 tags at the same bytes": tags(4000, 1_000_000),
    "a BMP of run-length codes": rle(6000, 5_000_000),
    "a PPM of comments": b"P6\n" + b"#\n" * 500_000 + b"64 64 255\n" + bytes(64 * 64 * 3),
    "a JPEG 2000": encoded("JPEG2000"),
    "an ICO": encoded("ICO"),
    "a PCX": encoded("PCX"),
    "a TGA": encoded("TGA"),
    "a compressed TIFF": encoded("TIFF", compression="tiff_adobe_deflate"),
    "a PNG beyond 40 megapixels": encoded("PNG", Image.new("1", (9000, 9000))),
    "text in a PNG": b"\x89PNG\r\n\x1a\n" + b"\0\0\0\x0dIHDR" + bytes(30) + zlib.compress(bytes(10**7)),
}
