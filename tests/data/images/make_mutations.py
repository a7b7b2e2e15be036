#!/usr/bin/env python3
"""Damages PNG, GIF and BMP files of this folder at random and notes what PIL makes of each.

    /usr/bin/python3 tests/data/images/make_mutations.py      (Debian bookworm: python3-pil 9.4.0)

Writes mutations.json, a list of [file, edits, verdict]. An edit is [at, bytes removed, hex put there]. The verdict is
null (refused) or [width, height, SHA-256 of ImageOps.exif_transpose(image).convert("RGB")].

Where newer Pillow is known to judge otherwise than 9.4, `left_out` says why, and no such mutation is kept.
"""
import hashlib
import io
import json
import pathlib
import random
import struct
import warnings
import zlib

from PIL import Image, ImageOps

HERE = pathlib.Path(__file__).resolve().parent
COUNT = {".png": 150, ".gif": 90, ".bmp": 80}
MAX_HEX = 500  # of the edits of one mutation
chance = random.Random(20)
warnings.simplefilter("ignore")


def flip(data, count, reach=None):
    """Some bits of the first `reach` bytes the other way."""
    out = bytearray(data)
    for _ in range(count if out else 0):
        out[chance.randrange(min(len(out), reach or len(out)))] ^= 1 << chance.randrange(8)
    return bytes(out)


def any_damage(data):
    """Damage that needs no knowledge of the format."""
    kind = chance.randrange(4)
    if kind == 0:
        return data[: chance.randrange(2, len(data))]
    if kind == 1:
        return flip(data, 1 << chance.randrange(4))
    if kind == 2:
        return flip(data, 1 << chance.randrange(2), 60)
    at = chance.randrange(2, len(data))
    return data[:at] + chance.randbytes(chance.randrange(3)) + data[at + chance.randrange(3) :]


def png_chunks(data):
    out, at = [], 8
    while at + 8 <= len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        out.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return out


def png_file(chunks, wrong_checksum=None):
    out = b"\x89PNG\r\n\x1a\n"
    for i, (tag, body) in enumerate(chunks):
        checksum = zlib.crc32(tag + body) ^ (i == wrong_checksum)
        out += struct.pack(">I", len(body)) + tag + body + struct.pack(">I", checksum)
    return out


def png_text():
    """A chunk beside the pixels, whole or not."""
    turn = chance.randrange(10)
    tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01" + struct.pack("<HIII", chance.choice((3, 4, 8, 9)), 1, turn, 0)
    xmp = b'<x tiff:Orientation="%d"/>' % turn
    profile = b"\nexif\n  %d\n" % len(tiff) + tiff.hex().encode() + b"\n"
    return chance.choice([
        (b"eXIf", tiff), (b"eXIf", tiff[: chance.randrange(len(tiff))]),
        (b"tEXt", b"Raw profile type exif\0" + profile), (b"tEXt", b"no zero"), (b"tEXt", b""), (b"tEXt", b"Comment\0x"),
        (b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(profile)), (b"zTXt", b"k\0\1" + zlib.compress(b"a")),
        (b"zTXt", b"k\0\0" + flip(zlib.compress(b"abcabcabc"), 2)), (b"zTXt", b"k\0"),
        (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp), (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(xmp)),
        (b"iTXt", b"k\0\1\1\0\0x"), (b"iTXt", b"k"), (b"iCCP", b"n\0\0" + zlib.compress(b"x")), (b"iCCP", b"n\0\0x"),
        (b"gAMA", bytes(chance.choice((0, 3, 4)))), (b"cHRM", bytes(chance.choice((8, 31, 32, 33, 36)))),
        (b"sRGB", bytes(chance.randrange(2))), (b"pHYs", bytes(chance.choice((8, 9)))), (b"ab-d", b"x"), (b"abCd", b"x"),
        (b"acTL", struct.pack(">II", chance.randrange(3), 0)),
        (b"fcTL", struct.pack(">IIIIIHHBB", chance.randrange(2), 3, 3, chance.randrange(2), 0, 1, 1, 0, 0)),
    ])


def damage_png(data):
    chunks = png_chunks(data)
    pixels = [i for i, (tag, _) in enumerate(chunks) if tag == b"IDAT"]
    rows = zlib.decompress(b"".join(chunks[i][1] for i in pixels))

    def packed(stream):
        cuts = sorted(chance.randrange(len(stream) + 1) for _ in range(chance.choice((0, 0, 1, 3))))
        parts = [(b"IDAT", stream[a:b]) for a, b in zip([0] + cuts, cuts + [len(stream)])]
        return png_file(chunks[: pixels[0]] + parts + chunks[pixels[-1] + 1 :])

    kind = chance.randrange(14)
    stream = zlib.compress(rows, chance.choice((1, 9)))
    if kind < 2:
        return any_damage(data)
    if kind == 2:  # a field of the header
        header = bytearray(chunks[0][1])
        header[chance.choice((3, 7, 8, 9, 10, 11, 12))] = chance.choice((0, 1, 2, 3, 4, 6, 8, 16, chance.randrange(256)))
        return png_file([(b"IHDR", bytes(header))] + chunks[1:])
    if kind == 3:
        return packed(zlib.compress(rows[: chance.randrange(len(rows) + 1)]))
    if kind == 4:  # whole rows
        row = len(rows) // struct.unpack(">I", chunks[0][1][4:8])[0]
        return packed(zlib.compress(rows[: row * chance.randrange(1, 1 + len(rows) // row)]))
    if kind == 5:
        return packed(stream[: -chance.randrange(1, 9)])
    if kind == 6:
        return packed(flip(stream, 1))
    if kind == 7:
        return png_file(chunks, chance.randrange(len(chunks)))
    if kind == 8:
        chunks.pop(chance.randrange(len(chunks)))
        return png_file(chunks)
    if kind == 9:
        chunks = [chunk for chunk in chunks if chunk[0] != b"PLTE"]
        chunks.insert(chance.randrange(1, len(chunks) + 1), (b"PLTE", chance.randbytes(chance.choice((0, 1, 3, 6, 29, 60)))))
        return png_file(chunks)
    if kind == 10:
        chunks.insert(chance.randrange(1, len(chunks) + 1), (b"tRNS", chance.randbytes(chance.choice((0, 1, 2, 5, 6, 7)))))
        return png_file(chunks)
    if kind == 11:  # a length that lies
        at = 8 + sum(12 + len(body) for _, body in chunks[: chance.randrange(len(chunks))])
        length = struct.unpack(">I", data[at : at + 4])[0]
        wrong = chance.choice((0, 1, len(data), 1 << 31, 0xFFFFFFFF, length + 1, length + 4))
        return data[:at] + struct.pack(">I", wrong) + data[at + 4 :]
    if kind == 12:
        out = bytearray(rows)
        for _ in range(chance.randrange(1, 4)):
            out[chance.randrange(len(out))] = chance.choice((0, 1, 2, 3, 4, 5, 255))
        return packed(zlib.compress(bytes(out), 9))
    chunks.insert(chance.randrange(1, len(chunks) + 1), png_text())
    return png_file(chunks)


def gif_table(data):
    """Where the file's own colours end."""
    return 13 + (3 << (data[10] & 7) + 1 if data[10] & 128 else 0)


def gif_frame(data):
    """Where the first frame begins; raises IndexError if there is none."""
    at = gif_table(data)
    while data[at] != 0x2C:
        if data[at] == 0x21:
            at += 2
            while data[at]:
                at += 1 + data[at]
        at += 1
    return at


def damage_gif(data):
    kind = chance.randrange(7)
    if kind < 2:
        return any_damage(data)
    out, table, frame = bytearray(data), gif_table(data), gif_frame(data)
    if kind == 2:
        out[frame + chance.choice((1, 3, 5, 7, 9))] = chance.choice((0, 1, 2, 255, chance.randrange(256)))
    elif kind == 3:
        code_size = frame + 10 + (3 << (out[frame + 9] & 7) + 1 if out[frame + 9] & 128 else 0)
        out[code_size] = chance.randrange(14)
        if chance.random() < 0.5:
            out[min(code_size + 1 + chance.randrange(40), len(out) - 1)] ^= 1 << chance.randrange(8)
    elif kind == 4:
        out[table:table] = chance.choice([
            b"!\xf9\4\1\0\0\5\0", b"!\xf9\0", b"!\xf9\2\1\1\0", b"!\xf9\3\1\1\1\0", b"!\xfe\0", b"!\xfe\3abc\0", b"xyz", b"!\1\0\0",
            b"!\xff\x0bNETSCAPE2.0\0", b"!\xff\x0bNETSCAPE2.0\3\1\0\0\0", b"\0\0", b"!\xf9\4\x09\0\0\3\0"])
    elif kind == 5 and out[10] & 128:  # no colours, or grays
        if chance.random() < 0.5:
            out[10] &= 127
            del out[13:table]
        else:
            out[13:table] = bytes((i - 13) // 3 for i in range(13, table))
    elif kind == 6 and not out[frame + 9] & 128:  # colours of the frame's own
        size = chance.randrange(4)
        out[frame + 9] |= 128 | size
        out[frame + 10 : frame + 10] = chance.randbytes(6 << size)
    return bytes(out)


def damage_bmp(data):
    kind = chance.randrange(7)
    if kind < 2:
        return any_damage(data)
    out = bytearray(data)
    if kind == 2:
        out[28:30] = struct.pack("<H", chance.choice((0, 1, 2, 4, 8, 16, 24, 32)))
    elif kind == 3:
        out[30:34] = struct.pack("<I", chance.choice((0, 1, 2, 3, 4, 6)))
    elif kind == 4:
        out[46:50] = struct.pack("<I", chance.choice((0, 1, 2, 3, 16, 255, 256, 257, 300)))
    elif kind == 5:
        at, values = chance.choice(((10, (0, 14, 54, 1078, len(data) - 1)), (14, (12, 16, 40, 64, 108, 124)),
                                    (18, (-3, 0, 1, 2, 3, 40)), (22, (-3, -1, 0, 1, 5, 200))))
        out[at : at + 4] = struct.pack("<i", chance.choice(values))
    else:
        start = struct.unpack("<I", data[10:14])[0]
        for _ in range(chance.randrange(1, 5)):
            out[chance.randrange(start, len(out))] = chance.choice((0, 1, 3, 4, 255, chance.randrange(256)))
    return bytes(out)


def left_out(data, image):
    """Whether newer Pillow judges otherwise than 9.4. `image`: opened, not loaded, or None."""
    if data[:2] == b"BM":
        # Headers of 52 and 56 bytes are known to newer Pillow only.
        if data[14:18] in (b"\x34\0\0\0", b"\x38\0\0\0"):
            return True
        # 9.4 reads moves of run lengths, and odd runs of half bytes, from the wrong place.
        return data[30:34] in (b"\1\0\0\0", b"\2\0\0\0") and runs_moved(data)
    if data[:3] == b"GIF":
        # 9.4 fails at an application's block without contents, and opens a frame without pixels.
        return b"!\xff\0" in data or image is not None and image.tile and 0 in (
            image.tile[0][1][2] - image.tile[0][1][0], image.tile[0][1][3] - image.tile[0][1][1])
    # 9.4 does not know "Exif" before the EXIF of a PNG, and takes any way of packing a colour profile.
    return b"eXIfExif" in data or b"iCCP" in data and b"iCCPn\0\0" not in data


def runs_moved(data):
    """Whether run lengths hold a move, or an odd run of half bytes as it is."""
    at, nibbles = struct.unpack("<I", data[10:14])[0], data[30] == 2
    while at + 1 < len(data):
        count, value = data[at], data[at + 1]
        at += 2
        if count == 0 and value == 2:
            return True
        if count == 0 and value > 2:
            if nibbles and value % 4 != 0:
                return True
            at += value // 2 if nibbles else value
            at += at % 2
    return False


def judge(data, kind):
    """PIL's verdict, and whether the mutation may be kept."""
    image = verdict = None
    try:
        image = Image.open(io.BytesIO(data))
        if image.format.lower() != kind[1:] or image.width * image.height > 1 << 20:
            return None, False
        if left_out(data, image):
            return None, False
        upright = ImageOps.exif_transpose(image).convert("RGB")
        verdict = [upright.width, upright.height, hashlib.sha256(upright.tobytes()).hexdigest()]
    except Exception:  # whatever it says
        pass
    return verdict, not left_out(data, image)


def edit(old, new):
    """What is between the bytes that both have at their ends."""
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    return [head, len(old) - head - tail, new[head : len(new) - tail].hex()]


def main():
    damage = {".png": damage_png, ".gif": damage_gif, ".bmp": damage_bmp}
    lines = []
    for kind, count in COUNT.items():
        names = sorted(path.name for path in HERE.glob("*" + kind))
        kept, opened = 0, 0
        while kept < count:
            name = chance.choice(names)
            data = (HERE / name).read_bytes()
            try:
                damaged = damage[kind](data)
            except (zlib.error, struct.error, IndexError, ValueError):
                continue  # an odd file that is not to be taken apart
            change = edit(data, damaged)
            if damaged == data or len(change[2]) > MAX_HEX:
                continue
            verdict, keep = judge(damaged, kind)
            # Half of them at least are to show something.
            if not keep or verdict is None and kept - opened >= count // 2:
                continue
            kept += 1
            opened += verdict is not None
            lines.append(json.dumps([name, [change], verdict], separators=(",", ":")))
    (HERE / "mutations.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")


main()
