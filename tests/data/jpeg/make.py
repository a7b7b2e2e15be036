#!/usr/bin/env python3
"""Makes odd and damaged JPEG files and what PIL makes of them.

    /usr/bin/python3 tests/data/jpeg/make.py     (Debian bookworm: python3-pil 9.4.0, python3-numpy, libjpeg-turbo-progs)

Pillow runs on libjpeg-turbo 2.1.5, the version that src/vision holds. Writes
    NAME.jpg          a file for each kind of damage; seen_*.jpg are kept as they were found
    expected.json     of each: size and SHA-256 of ImageOps.exif_transpose(Image.open(FILE)).convert("RGB"), or null
    mutations.json    random damage: [base file, edits, SHA-256 or null]; an edit [at, removed bytes, inserted bytes as
                      hex] applies to what the edits before it left
"""
import hashlib
import io
import json
import pathlib
import random
import struct
import subprocess
import warnings

import numpy as np
from PIL import Image, ImageOps

HERE = pathlib.Path(__file__).resolve().parent
MUTATIONS = 400
rng = np.random.default_rng(31)
chance = random.Random(31)
warnings.simplefilter("ignore")


def scene(width, height, channels=3):
    """Smooth colours with some noise and an edge."""
    y, x = np.mgrid[0:height, 0:width].astype(float)
    planes = [128 + 100 * np.sin((x * (c + 1) + y * (2 - c)) / 9 + c) for c in range(channels)]
    out = np.stack(planes, -1) + rng.normal(0, 9, (height, width, channels))
    out[height // 3 : height // 2, width // 4 : width // 2] = 255
    return out.clip(0, 255).astype(np.uint8)


def save(image, **options):
    out = io.BytesIO()
    image.save(out, "JPEG", quality=75, **options)
    return out.getvalue()


def cjpeg(image, *options):
    """For what Pillow cannot write: arithmetic coding, restart markers, sampling factors, scripts of scans."""
    out = io.BytesIO()
    image.save(out, "PPM")
    return subprocess.run(["cjpeg", *options], input=out.getvalue(), capture_output=True, check=True).stdout


def segments(data):
    """(marker, start, end) of each segment; a scan ends where the next segment begins."""
    at = 2
    while data[at + 1] != 0xD9:
        marker, end = data[at + 1], at + 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
        if marker == 0xDA:
            while data[end] != 0xFF or data[end + 1] == 0 or 0xD0 <= data[end + 1] <= 0xD7:
                end += 1
        yield marker, at, end
        at = end


def without(data, *markers, keep=0):
    """Without the segments of these kinds but for the first `keep`."""
    out, seen = data[:2], 0
    for marker, start, end in segments(data):
        seen += marker in markers
        if marker not in markers or seen <= keep:
            out += data[start:end]
    return out + b"\xff\xd9"


def first(data, *markers):
    """Where the first such segment begins and ends."""
    return next((start, end) for marker, start, end in segments(data) if marker in markers)


def put(data, at, replacement):
    return data[:at] + replacement + data[at + len(replacement) :]


def insert(data, at, addition):
    return data[:at] + addition + data[at:]


def flip(data, at, bit=0x10):
    return put(data, at, bytes([data[at] ^ bit]))


def segment(marker, body):
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def tiff(entries, more=b""):
    """A TIFF block of entries (tag, type, count, value or offset as bytes); `more` stands right behind the directory."""
    body = b"".join(struct.pack("<HHI", *entry[:3]) + entry[3].ljust(4, b"\0") for entry in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + body + struct.pack("<I", 0) + more


def with_exif(data, block):
    return data[:2] + segment(0xE1, b"Exif\0\0" + block) + data[2:]


def bases():
    image = Image.fromarray(scene(52, 43))
    wide = Image.fromarray(scene(67, 40))
    out = {
        "base_420": save(image, subsampling=2),
        "base_422": save(wide, subsampling=1),
        "base_444": save(image, subsampling=0),
        "base_420_progressive": save(wide, subsampling=2, progressive=True),
        "base_444_progressive": save(image, subsampling=0, progressive=True),
        "base_gray": save(image.convert("L")),
        "base_gray_progressive": save(image.convert("L"), progressive=True),
        "base_cmyk": save(Image.fromarray(scene(40, 33, 4), "CMYK")),
        "base_cmyk_progressive": save(Image.fromarray(scene(40, 33, 4), "CMYK"), progressive=True),
        "base_restart": cjpeg(image, "-restart", "2B"),
        "base_restart_progressive": cjpeg(wide, "-progressive", "-restart", "3B"),
        "base_arithmetic": cjpeg(image, "-arithmetic"),
        "base_arithmetic_progressive": cjpeg(wide, "-arithmetic", "-progressive"),
        "base_arithmetic_restart": cjpeg(image, "-arithmetic", "-restart", "3B"),
        "base_41x2": cjpeg(wide, "-sample", "4x2"),
        "base_1x2": cjpeg(image, "-sample", "1x2"),
        "base_mixed_sampling": cjpeg(wide, "-sample", "2x2,1x2,2x1"),
    }
    script = HERE / "scans.tmp"
    script.write_text("0;1;2;")  # three scans of one component each
    out["base_three_scans"] = cjpeg(image, "-scans", str(script))
    script.unlink()
    return out


def cases(base):
    plain, restart, progressive = base["base_420"], base["base_restart"], base["base_420_progressive"]
    frame, frame_end = first(plain, 0xC0)
    scan, scan_end = first(plain, 0xDA)
    height = struct.unpack(">H", plain[frame + 5 : frame + 7])[0]
    marks = [i for i in range(len(restart) - 1) if restart[i] == 0xFF and 0xD0 <= restart[i + 1] <= 0xD7]
    refinement = [start for marker, start, _ in segments(progressive) if marker == 0xDA]
    out = {
        # Missing tables: the standard's Huffman tables are known, all else is not.
        "no_huffman_tables": without(cjpeg(Image.fromarray(scene(52, 43)), "-baseline"), 0xC4),
        "no_quantisation_tables": without(plain, 0xDB),
        "no_second_quantisation_table": without(plain, 0xDB, keep=1),
        "no_huffman_tables_progressive": without(progressive, 0xC4),
        # Bytes between segments, wrong lengths.
        "bytes_before_frame": insert(plain, frame, b"abc"),
        "bytes_before_scan": insert(plain, scan, b"\0\x01\x02\xff"),
        "escaped_bytes_before_scan": insert(plain, scan, b"\xff\0\xff\0"),
        "fill_bytes": insert(plain, scan, b"\xff" * 9),
        "lonely_markers": insert(plain, scan, b"\xff\xd0\xff\xd5"),
        "unknown_marker": insert(plain, scan, b"\xff\x02"),
        "comment_length_0": insert(plain, scan, b"\xff\xfe\0\0"),
        "comment_length_1": insert(plain, scan, b"\xff\xfe\0\1abc"),
        "comment_too_long": insert(plain, scan, b"\xff\xfe\xff\xff"),
        "app_too_short": insert(plain, scan, segment(0xE5, b"abc") + b"defgh"),
        "huffman_length_wrong": put(plain, first(plain, 0xC4)[0] + 2, b"\0\x1e"),
        "quantisation_length_wrong": put(plain, first(plain, 0xDB)[0] + 2, b"\0\x42"),
        "frame_length_wrong": put(plain, frame + 2, b"\0\x12"),
        "scan_length_wrong": put(plain, scan + 2, b"\0\x0d"),
        # Restart intervals.
        "restart_bit": flip(restart, (marks[1] + marks[2]) // 2),
        "restart_marker_missing": restart[: marks[2]] + restart[marks[2] + 2 :],
        "restart_marker_twice": insert(restart, marks[2], restart[marks[2] : marks[2] + 2]),
        "restart_marker_wrong": put(restart, marks[3] + 1, b"\xd7"),
        "restart_interval_missing": restart[: marks[1]] + restart[marks[2] :],
        "restart_interval_wrong": put(restart, first(restart, 0xDD)[0] + 4, b"\0\5"),
        # Ends.
        "zeros_for_end": plain[:-2] + bytes(300),
        "no_end": plain[:-2],
        "no_end_progressive": progressive[:-2],
        "bytes_behind_end": plain + b"more",
        "scan_behind_picture": plain[:-2] + plain[scan:],
        "ends_early_in_first_row": plain[: scan_end - (scan_end - scan) * 9 // 10] + b"\xff\xd9",
        "cut": plain[: scan + 400],
        # Sizes.
        "height_doubled": put(plain, frame + 5, struct.pack(">H", 2 * height)),
        "height_halved": put(plain, frame + 5, struct.pack(">H", height // 2)),
        "width_doubled": put(plain, frame + 7, struct.pack(">H", 104)),
        "height_0_with_dnl": insert(put(plain, frame + 5, b"\0\0"), scan_end, b"\xff\xdc\0\4" + struct.pack(">H", height)),
        "dnl": insert(plain, scan_end, b"\xff\xdc\0\4" + struct.pack(">H", height)),
        # Scans.
        "first_scan_only": progressive[: refinement[1]] + b"\xff\xd9",
        "three_scans_only": progressive[: refinement[3]] + b"\xff\xd9",
        "last_scan_missing": progressive[: refinement[-1]] + b"\xff\xd9",
        "first_scan_missing": progressive[: refinement[0]] + progressive[refinement[1] :],
        "scan_twice": insert(progressive, refinement[2], progressive[refinement[1] : refinement[2]]),
        "empty_scans": progressive[:-2] + b"".join(segment(0xDA, b"\1\1\0\1\x3f\0") for _ in range(40)) + b"\xff\xd9",
        "component_without_scan": without(base["base_three_scans"], 0xDA, keep=2),
        # Kinds.
        "twelve_bits": put(plain, frame + 4, b"\x0c"),
        "lossless": put(plain, frame + 1, b"\xc3"),
        "two_components": put(plain, frame + 9, b"\2"),
        "two_frames": insert(plain, frame_end, plain[frame:frame_end]),
        "tables_first": without(plain, 0xC0, 0xDA, 0xE0) + plain[:2] + plain[frame:frame_end] + plain[scan:],
        "table_with_large_steps": put(plain, first(plain, 0xDB)[0] + 5, b"\xff" * 64),
        "sampling_3": put(plain, frame + 11, b"\x31"),
        "sampling_0": put(plain, frame + 11, b"\x01"),
        "jfif_cut": plain[:2] + segment(0xE0, b"JFIF") + plain[2:],
        "adobe_cut": plain[:2] + segment(0xEE, b"Adobe") + plain[2:],
        "photoshop_cut": plain[:2] + segment(0xED, b"Photoshop 3.0\0" + b"8BIM\3\xed") + plain[2:],
        "profile_cut": plain[:2] + segment(0xE2, b"ICC_PROFILE\0") + plain[2:],
    }
    for name in ("422", "420_progressive", "gray", "cmyk", "cmyk_progressive", "restart", "arithmetic",
                 "arithmetic_progressive", "mixed_sampling"):
        data = base["base_" + name]
        out["ends_early_" + name] = data[: len(data) * 2 // 3] + b"\xff\xd9"
    orientations = {
        "byte": (1, 1, b"\6"), "short": (3, 1, b"\6"), "long": (4, 1, b"\6"), "sbyte": (6, 1, b"\6"),
        "undefined": (7, 1, b"\6"), "sshort": (8, 1, b"\6"), "slong": (9, 1, b"\6"), "float": (11, 1, struct.pack("<f", 6)),
        "ifd": (13, 1, b"\6"), "text": (2, 2, b"6"), "two": (3, 2, b"\6\0\1\0"), "none": (3, 0, b"\6"),
        "slong_negative": (9, 1, struct.pack("<i", -6)), "nine": (3, 1, b"\x09"), "unknown_type": (99, 1, b"\6"),
    }
    for name, entry in orientations.items():
        out["exif_" + name] = with_exif(plain, tiff([(0x112, *entry)]))
    outside = {"rational": (5, struct.pack("<II", 12, 2)), "srational": (10, struct.pack("<ii", -6, -1)),
               "double": (12, struct.pack("<d", 6)), "long8": (16, struct.pack("<Q", 6)),
               "fraction": (5, struct.pack("<II", 13, 2)), "by_zero": (5, struct.pack("<II", 6, 0))}
    for name, (kind, value) in outside.items():
        out["exif_" + name] = with_exif(plain, tiff([(0x112, kind, 1, struct.pack("<I", 26))], value))
    turn = (0x112, 3, 1, b"\6")
    out["exif_five_shorts"] = with_exif(plain, tiff([(0x112, 3, 5, struct.pack("<I", 26))], struct.pack("<5H", 6, 1, 1, 1, 1)))
    out["exif_twice_in_directory"] = with_exif(plain, tiff([turn, (0x112, 3, 1, b"\3")]))
    out["exif_after_cut_tag"] = with_exif(plain, tiff([(0x10F, 2, 99, struct.pack("<I", 999)), turn]))
    out["exif_before_cut_tag"] = with_exif(plain, tiff([turn, (0x10F, 2, 99, struct.pack("<I", 999))]))
    out["exif_behind_junk"] = insert(plain, first(plain, 0xDB)[0], b"junk\xff\0\xff\xff" + segment(0xE1, b"Exif\0\0" + tiff([turn])))
    out["junk_behind_start"] = insert(plain, 2, b"junk")  # PIL does not know it as a JPEG
    out["exif_two_segments"] = with_exif(with_exif(plain, tiff([(0x112, 3, 1, b"\3")])), tiff([turn]))
    out["exif_42_in_wrong_order"] = with_exif(plain, b"II\0*" + tiff([turn])[4:])
    out["exif_behind_frame"] = insert(plain, frame_end, segment(0xE1, b"Exif\0\0" + tiff([turn])))
    return out


def judge(data):
    """Size and SHA-256 of PIL's pixels, or None."""
    try:
        image = Image.open(io.BytesIO(data))
        image = ImageOps.exif_transpose(image).convert("RGB")
    except Exception:  # whatever it says
        return None
    return [image.width, image.height, hashlib.sha256(image.tobytes()).hexdigest()]


def mutate(data):
    """One to two kinds of random damage; gives the damaged file and the edits."""
    edits = []

    def edit(at, removed, inserted):
        nonlocal data
        data = data[:at] + inserted + data[at + removed :]
        edits.append([at, removed, inserted.hex()])

    for _ in range(chance.choice((1, 1, 1, 2))):
        try:
            pieces = list(segments(data))
        except (IndexError, struct.error):
            pieces = []
        kind = chance.randrange(9) if pieces else 0
        if kind < 3:
            for _ in range(1 << chance.randrange(5)):
                at = chance.randrange(2, len(data) if chance.random() < 0.7 else min(len(data), 700))
                edit(at, 1, bytes([data[at] ^ 1 << chance.randrange(8)]))
        elif kind == 3:
            at = chance.randrange(3, len(data))
            edit(at, len(data) - at, b"\xff\xd9" if chance.random() < 0.8 else b"")
        elif kind == 4:
            _, start, end = chance.choice(pieces)
            edit(start, end - start, b"")
        elif kind == 5:
            _, start, end = chance.choice(pieces)
            edit(chance.choice(pieces)[1], 0, data[start : min(end, start + 300)])
        elif kind == 6:
            edit(chance.randrange(3, len(data)), chance.randrange(3), chance.randbytes(chance.randrange(1, 8)))
        elif kind == 7:
            edit(chance.choice(pieces)[1], 0, bytes(chance.choice((0, 0xFF, 1, 0xD0, 0xD3, 65)) for _ in range(4)))
        else:
            at = chance.choice(pieces)[1] + 2
            length = struct.unpack(">H", data[at : at + 2])[0]
            edit(at, 2, struct.pack(">H", chance.choice((0, 1, 2, length - 1, length + 1, length + 7, 65535))))
    return data, edits


def main():
    base = bases()
    files = base | cases(base)
    for path in HERE.glob("seen_*.jpg"):
        files[path.stem] = path.read_bytes()
    for name, data in files.items():
        (HERE / f"{name}.jpg").write_bytes(data)
    lines = [f'"{name}.jpg": {json.dumps(judge(data))}' for name, data in sorted(files.items())]
    (HERE / "expected.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    lines = []
    while len(lines) < MUTATIONS:
        name = chance.choice(sorted(base))
        data, edits = mutate(base[name])
        verdict = judge(data)
        lines.append(json.dumps([f"{name}.jpg", edits, verdict and verdict[2]], separators=(",", ":")))
    (HERE / "mutations.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")


main()
