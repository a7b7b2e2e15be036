#!/usr/bin/env python3
"""Makes the small pictures of this folder and what PIL makes of them.

    /usr/bin/python3 tests/data/images/make.py      (Debian: python3-pil, python3-numpy; made with Pillow 9.4.0)

Writes one file per kind of picture, and expected.safetensors with Pillow's pixels:
    rgb.FILE          Image.open(FILE).convert("RGB"), H x W x 3
    upright.N         turn.png turned as EXIF orientation N asks (ImageOps.exif_transpose), N = 1...8
    turned.FILE       ImageOps.exif_transpose(Image.open(FILE)), for files whose orientation stands in odd places
    refused.FILE      (empty) Pillow does not open the file
    resized.FILE.S    shorter side to S, centre crop, as torchvision's Resize (bicubic) and CenterCrop do
"""
import io
import json
import pathlib
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps

HERE = pathlib.Path(__file__).resolve().parent
rng = np.random.default_rng(20)
files, tensors = {}, {}


def scene(width, height, channels=3):
    """Smooth colours with some noise and an edge."""
    y, x = np.mgrid[0:height, 0:width].astype(float)
    planes = [128 + 100 * np.sin((x * (c + 1) + y * (2 - c)) / 9 + c) for c in range(channels)]
    out = np.stack(planes, -1) + rng.normal(0, 12, (height, width, channels))
    out[height // 3 : height // 2, width // 4 : width // 2] = 255
    return out.clip(0, 255).astype(np.uint8)


def save(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


# --- JPEG ---------------------------------------------------------------------------------------------------------


def segments(data):
    """(marker, start, end) of the segments before the first scan."""
    at = 2
    while data[at + 1] != 0xDA:
        end = at + 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
        yield data[at + 1], at, end
        at = end


def without(data, marker):
    for found, start, end in segments(data):
        if found == marker:
            return data[:start] + data[end:]
    return data


def with_sampling(data, sampling):
    """Gives the first component another sampling; the picture must have as many MCUs either way."""
    out = bytearray(data)
    for marker, start, _ in segments(data):
        if marker in (0xC0, 0xC2):
            out[start + 11] = sampling
    return bytes(out)


def adobe(transform):
    return b"\xff\xee" + struct.pack(">H", 14) + b"Adobe" + struct.pack(">HHHB", 100, 0, 0, transform)


def with_adobe(data, transform):
    return data[:2] + adobe(transform) + data[2:]


def jpegs():
    for name, subsampling in (("444", 0), ("422", 1), ("420", 2)):
        for progressive in (False, True):
            suffix = "_progressive" if progressive else ""
            image = Image.fromarray(scene(45, 37))
            files[f"jpeg_{name}{suffix}.jpg"] = save(
                image, "JPEG", quality=85, subsampling=subsampling, progressive=progressive)
    square = Image.fromarray(scene(32, 32))
    files["jpeg_440.jpg"] = with_sampling(save(square, "JPEG", quality=85, subsampling=1), 0x12)
    files["jpeg_411.jpg"] = with_sampling(save(square, "JPEG", quality=85, subsampling=2), 0x41)
    for width, height in ((1, 1), (2, 3), (3, 2), (5, 1), (17, 16), (4, 33)):
        files[f"jpeg_{width}x{height}.jpg"] = save(
            Image.fromarray(scene(width, height)), "JPEG", quality=90, subsampling=2)
    gray = Image.fromarray(scene(29, 21, 1)[..., 0])
    files["jpeg_gray.jpg"] = save(gray, "JPEG", quality=85)
    files["jpeg_gray_progressive.jpg"] = save(gray, "JPEG", quality=85, progressive=True)
    cmyk = save(Image.fromarray(scene(26, 19, 4), "CMYK"), "JPEG", quality=92)
    files["jpeg_cmyk.jpg"] = cmyk
    plain = without(cmyk, 0xEE)
    files["jpeg_cmyk_no_adobe.jpg"] = plain
    files["jpeg_ycck.jpg"] = with_adobe(plain, 2)
    rgb = without(save(Image.fromarray(scene(23, 18)), "JPEG", quality=92, subsampling=0), 0xE0)
    files["jpeg_rgb_adobe.jpg"] = with_adobe(rgb, 0)
    files["jpeg_no_markers.jpg"] = rgb
    # Coefficients so large that the inverse DCT leaves 0...255 by far.
    noise = Image.fromarray(rng.integers(0, 2, (24, 24, 3), dtype=np.uint8) * 255)
    files["jpeg_extreme.jpg"] = save(noise, "JPEG", quality=30, subsampling=0)


# --- PNG ----------------------------------------------------------------------------------------------------------

ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(tag, body):
    return struct.pack(">I", len(body)) + tag + body + struct.pack(">I", zlib.crc32(tag + body))


def packed_row(samples, depth):
    """One row of samples (flat) as bytes."""
    if depth == 16:
        return samples.astype(">u2").tobytes()
    if depth == 8:
        return samples.astype(np.uint8).tobytes()
    bits = "".join(format(int(v), f"0{depth}b") for v in samples)
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def paeth(a, b, c):
    p = a + b - c
    return min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]


def filtered(rows, step):
    """Every filter in turn."""
    out, above = b"", bytes(len(rows[0]))
    for number, row in enumerate(rows):
        kind = (number + 3) % 5
        left = bytes(step) + row
        corner = bytes(step) + above
        guess = [0] * len(row)
        for i in range(len(row)):
            a, b, c = left[i], above[i], corner[i]
            guess[i] = (0, a, b, (a + b) // 2, paeth(a, b, c))[kind]
        out += bytes([kind]) + bytes((v - g) % 256 for v, g in zip(row, guess))
        above = row
    return out


def png(samples, depth, color, interlaced=False, palette=None, transparency=None, extra=(), idat=1 << 30):
    """samples: H x W x channels."""
    height, width, channels = samples.shape
    raw = b""
    for x0, y0, dx, dy in ADAM7 if interlaced else [(0, 0, 1, 1)]:
        part = samples[y0::dy, x0::dx]
        if part.size:
            raw += filtered([packed_row(row.reshape(-1), depth) for row in part], max(1, channels * depth // 8))
    out = b"\x89PNG\r\n\x1a\n" + chunk(
        b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, int(interlaced)))
    for tag, body in extra:
        out += chunk(tag, body)
    if palette is not None:
        out += chunk(b"PLTE", bytes(palette))
    if transparency is not None:
        out += chunk(b"tRNS", transparency)
    data = zlib.compress(raw, 9)
    for at in range(0, len(data), idat):
        out += chunk(b"IDAT", data[at : at + idat])
    return out + chunk(b"IEND", b"")


def tiff(orientation, big_endian):
    order = ">" if big_endian else "<"
    return (b"MM\0*" if big_endian else b"II*\0") + struct.pack(
        order + "IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def pngs():
    width, height = 19, 13
    kinds = {"gray": (0, 1), "rgb": (2, 3), "palette": (3, 1), "gray_alpha": (4, 2), "rgba": (6, 4)}
    depths = {"gray": (1, 2, 4, 8, 16), "rgb": (8, 16), "palette": (1, 2, 4, 8), "gray_alpha": (8, 16), "rgba": (8, 16)}
    for name, (color, channels) in kinds.items():
        for depth in depths[name]:
            for interlaced in (False, True):
                samples = rng.integers(0, 1 << depth, (height, width, channels))
                if depth == 16 and name == "gray":
                    samples[::2] //= 150  # values around the clip at 255
                palette = rng.integers(0, 256, 3 << depth, dtype=np.uint8) if name == "palette" else None
                files[f"png_{name}{depth}{'_interlaced' if interlaced else ''}.png"] = png(
                    samples, depth, color, interlaced, palette, idat=50)
    small = rng.integers(0, 256, (height, width, 1))
    files["png_palette_short.png"] = png(small, 8, 3, palette=rng.integers(0, 256, 30, dtype=np.uint8))
    files["png_palette_transparent.png"] = png(
        small, 8, 3, palette=rng.integers(0, 256, 768, dtype=np.uint8), transparency=bytes(range(256)))
    files["png_gray_transparent.png"] = png(small, 8, 0, transparency=struct.pack(">H", int(small[0, 0, 0])))
    for size in ((1, 1), (1, 3), (5, 2), (2, 5)):
        pixels = rng.integers(0, 256, (size[1], size[0], 3))
        files[f"png_{size[0]}x{size[1]}_interlaced.png"] = png(pixels, 8, 2, interlaced=True)
    for orientation in (3, 6):
        pixels = rng.integers(0, 256, (height, width, 3))
        files[f"png_exif{orientation}.png"] = png(
            pixels, 8, 2, interlaced=orientation == 6, extra=[(b"eXIf", tiff(orientation, orientation == 6))])


# --- GIF, BMP -----------------------------------------------------------------------------------------------------


def gifs():
    image = Image.fromarray(scene(41, 23)).quantize(32)
    files["gif_palette.gif"] = save(image, "GIF", interlace=0)
    files["gif_interlaced.gif"] = save(image, "GIF", interlace=1)
    files["gif_transparent.gif"] = save(image, "GIF", transparency=5)
    files["gif_gray.gif"] = save(Image.fromarray(scene(17, 9, 1)[..., 0]), "GIF")
    files["gif_bilevel.gif"] = save(Image.fromarray(scene(17, 9, 1)[..., 0]).convert("1"), "GIF")
    frames = [Image.fromarray(scene(15, 11)).quantize(16) for _ in range(2)]
    files["gif_animated.gif"] = save(frames[0], "GIF", save_all=True, append_images=frames[1:])
    noise = Image.fromarray(rng.integers(0, 256, (70, 90), dtype=np.uint8), "P")
    noise.putpalette(rng.integers(0, 256, 768, dtype=np.uint8).tobytes())
    files["gif_full_table.gif"] = save(noise, "GIF")  # more codes than the table holds
    for name, base in (("gif_small_frame.gif", "gif_palette.gif"),
                       ("gif_small_frame_transparent.gif", "gif_transparent.gif")):
        data = bytearray(files[base])
        data[6:10] = struct.pack("<HH", 50, 30)  # a larger canvas, the frame moved on it
        at = data.index(b",\0\0\0\0" + struct.pack("<HH", 41, 23))
        data[at + 1 : at + 5] = struct.pack("<HH", 4, 3)
        files[name] = bytes(data)
    data = bytearray(files["gif_palette.gif"])
    data[6:10] = struct.pack("<HH", 10, 10)  # a canvas smaller than the frame
    files["gif_small_canvas.gif"] = bytes(data)


def bmp(width, height, bits, body, compression=0, masks=b"", palette=b"", header=40, top_down=False):
    if header == 12:
        info = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        info = struct.pack("<IiiHHIIiiII", header, width, -height if top_down else height, 1, bits, compression,
                           len(body), 2835, 2835, len(palette) // 4, 0)
        info += masks
        info += bytes(max(0, header - len(info)))
    offset = 14 + len(info) + len(palette)
    return b"BM" + struct.pack("<IHHI", offset + len(body), 0, 0, offset) + info + palette + body


def bmp_rows(values, bits):
    rows = []
    for row in values:
        data = packed_row(row, bits) if bits <= 8 else row.astype("<u2" if bits == 16 else "<u4").tobytes()
        rows.append(data + bytes(-len(data) % 4))
    return b"".join(rows)


def bmps():
    image = Image.fromarray(scene(21, 14))
    files["bmp_rgb.bmp"] = save(image, "BMP")
    files["bmp_rgba.bmp"] = save(Image.fromarray(scene(21, 14, 4), "RGBA"), "BMP")
    files["bmp_palette.bmp"] = save(image.quantize(200), "BMP")
    files["bmp_gray.bmp"] = save(image.convert("L"), "BMP")
    files["bmp_bilevel.bmp"] = save(image.convert("1"), "BMP")
    width, height = 13, 6
    wide = rng.integers(0, 1 << 16, (height, width))
    files["bmp_16.bmp"] = bmp(width, height, 16, bmp_rows(wide, 16))
    files["bmp_565.bmp"] = bmp(width, height, 16, bmp_rows(wide, 16), 3, struct.pack("<III", 0xF800, 0x7E0, 0x1F))
    files["bmp_32_top_down.bmp"] = bmp(
        width, height, 32, bmp_rows(rng.integers(0, 1 << 32, (height, width)), 32), top_down=True)
    files["bmp_32_fields.bmp"] = bmp(
        width, height, 32, bmp_rows(rng.integers(0, 1 << 32, (height, width)), 32), 3,
        struct.pack("<IIII", 0xFF, 0xFF00, 0xFF0000, 0xFF000000), header=108)
    colors16 = rng.integers(0, 256, 64, dtype=np.uint8).tobytes()
    files["bmp_4.bmp"] = bmp(width, height, 4, bmp_rows(rng.integers(0, 16, (height, width)), 4), palette=colors16)
    colors2 = rng.integers(0, 256, 8, dtype=np.uint8).tobytes()
    files["bmp_1_colour.bmp"] = bmp(width, height, 1, bmp_rows(rng.integers(0, 2, (height, width)), 1), palette=colors2)
    colors256 = rng.integers(0, 256, 1024, dtype=np.uint8).tobytes()
    runs = b""
    for row in range(height):  # runs, then literal pixels, then the end of the row
        literal = rng.integers(0, 256, width - 6, dtype=np.uint8).tobytes()
        runs += bytes([6, row * 7 + 1, 0, width - 6]) + literal + bytes(len(literal) % 2) + b"\0\0"
    files["bmp_rle8.bmp"] = bmp(width, height, 8, runs + b"\0\1", 1, palette=colors256)
    runs = b"".join(bytes([width, 16 * row + 9]) + b"\0\0" for row in range(height))
    files["bmp_rle4.bmp"] = bmp(width, height, 4, runs + b"\0\1", 2, palette=colors16)


# --- Damaged and odd files ----------------------------------------------------------------------------------------


def chunks(data):
    at, out = 8, []
    while at < len(data):
        length = struct.unpack(">I", data[at : at + 4])[0]
        out.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return out


def joined(parts):
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(tag, body) for tag, body in parts)


def damaged():
    odd = np.random.default_rng(21)
    width, height = 19, 13
    samples = odd.integers(0, 256, (height, width, 3))
    whole = chunks(png(samples, 8, 2))
    head, end = whole[0], whole[-1]
    packed = whole[1][1]
    raw = zlib.decompress(packed)
    row = 3 * width + 1

    def pixels(data, *more):
        return joined([head, *more, (b"IDAT", data), end])

    files["odd_row_missing.png"] = pixels(zlib.compress(raw[:-row]))
    files["odd_half_a_row_missing.png"] = pixels(zlib.compress(raw[:-5]))
    files["odd_too_many_rows.png"] = pixels(zlib.compress(raw + raw))
    files["odd_no_adler.png"] = pixels(packed[:-4])
    files["odd_wrong_adler.png"] = pixels(packed[:-1] + bytes([packed[-1] ^ 1]))
    files["odd_adler_apart.png"] = joined([head, (b"IDAT", packed[:-4]), (b"IDAT", b"\0\0\0\0"), end])
    files["odd_no_end.png"] = joined([head, (b"IDAT", packed)])
    files["odd_no_pixels.png"] = joined([head, end])
    files["odd_empty_chunks.png"] = joined([head, (b"IDAT", b""), (b"IDAT", packed[:9]), (b"IDAT", b""), (b"IDAT", packed[9:]), end])
    files["odd_text_between.png"] = joined([head, (b"IDAT", packed[:50]), (b"tEXt", b"a\0b"), (b"IDAT", packed[50:]), end])
    files["odd_filter.png"] = pixels(zlib.compress(bytes([9]) + raw[1:]))
    bad = bytearray(pixels(packed, (b"tEXt", b"a\0b")))
    bad[8 + 25 + 8] ^= 1
    files["odd_text_checksum.png"] = bytes(bad)
    files["odd_text_cut_behind.png"] = joined([head, (b"IDAT", packed)]) + struct.pack(">I", 99) + b"tEXtab"
    files["odd_transparency_short.png"] = pixels(packed, (b"tRNS", b"\0\1"))
    files["odd_small_frame.png"] = joined([
        (b"IHDR", struct.pack(">II", width + 4, height + 3) + head[1][8:]), (b"acTL", struct.pack(">II", 1, 0)),
        (b"fcTL", struct.pack(">IIIIIHHBB", 0, width, height, 3, 2, 1, 1, 0, 0)), (b"IDAT", packed), end])
    files["odd_frame_too_large.png"] = pixels(
        packed, (b"fcTL", struct.pack(">IIIIIHHBB", 0, width + 1, height, 0, 0, 1, 1, 0, 0)))
    lace = chunks(png(samples, 8, 2, interlaced=True))
    files["odd_interlaced_rows_missing.png"] = joined([
        lace[0], (b"IDAT", zlib.compress(zlib.decompress(lace[1][1])[: -4 * row])), end])
    indexed = chunks(png(odd.integers(0, 256, (height, width, 1)), 8, 3, palette=odd.integers(0, 256, 768, dtype=np.uint8)))
    colors = indexed[1][1]
    for name, table in (("no", None), ("empty", b""), ("odd", colors[:-1]), ("257", colors + b"\1\2\3"), ("256_and_a_bit", colors + b"\1")):
        files[f"odd_palette_{name}.png"] = joined(
            [indexed[0]] + ([] if table is None else [(b"PLTE", table)]) + indexed[2:])
    files["odd_palette_behind.png"] = joined([indexed[0], indexed[2], indexed[1], indexed[3]])

    # Orientation in odd places.
    exif = tiff(6, True)
    profile = b"\nexif\n      32\n" + (b"Exif\0\0" + exif).hex().encode() + b"\n"
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="8"/></x:xmpmeta>'
    for name, parts in (
            ("exif_prefix", [(b"eXIf", b"Exif\0\0" + exif)]),
            ("raw_profile", [(b"tEXt", b"Raw profile type exif\0" + profile)]),
            ("raw_profile_packed", [(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(profile))]),
            ("raw_profile_text", [(b"iTXt", b"Raw profile type exif\0\0\0\0\0" + profile)]),
            ("xmp", [(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)]),
            ("xmp_packed", [(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(xmp))]),
            ("exif_and_xmp", [(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp), (b"eXIf", exif)])):
        files[f"odd_{name}.png"] = joined([head, *parts, (b"IDAT", packed), end])
    files["odd_exif_behind.png"] = joined([head, (b"IDAT", packed), (b"eXIf", exif), end])

    def lzw(bits, codes):
        """Codes of one width, cleared before they would grow."""
        value, at, width = 0, 0, bits + 1
        for code in codes:
            value |= code << at
            at += width
        data = value.to_bytes((at + 7) // 8, "little")
        return bytes([bits]) + b"".join(
            bytes([len(data[i : i + 255])]) + data[i : i + 255] for i in range(0, len(data), 255)) + b"\0"

    def gif(width, height, body, table=True, frame=None, extra=b""):
        size = struct.pack("<HHHH", 0, 0, *(frame or (width, height)))
        grays = bytes(odd.integers(0, 256, 768, dtype=np.uint8)) if table else b""
        return b"GIF89a" + struct.pack("<HHBBB", width, height, 0xF7 if table else 0, 0, 0) + grays + extra + b"," + size + b"\0" + body

    for bits in (0, 1, 8, 9, 10, 11, 12, 13):
        clear = 1 << bits
        values = [int(v) for v in odd.integers(0, min(clear, 256), 60)]
        codes = [code for v in values for code in (clear, v)] + [clear + 1]
        files[f"odd_code_size_{bits}.gif"] = gif(10, 6, lzw(bits, codes)) + b";"
    pixels8 = [code for v in odd.integers(0, 256, 60) for code in (256, int(v))]
    files["odd_no_table.gif"] = gif(10, 6, lzw(8, pixels8), table=False) + b";"
    files["odd_no_terminator.gif"] = gif(10, 6, lzw(8, pixels8))[:-1]
    files["odd_pixels_missing.gif"] = gif(10, 6, lzw(8, pixels8[:-4])) + b";"
    files["odd_end_early.gif"] = gif(10, 6, lzw(8, pixels8[:-4] + [257])) + b";"
    files["odd_bad_code.gif"] = gif(10, 6, lzw(8, [256, 300])) + b";"
    files["odd_short_control.gif"] = gif(10, 6, lzw(8, pixels8), extra=b"!\xf9\2\1\0\0") + b";"
    files["odd_empty_comment.gif"] = gif(10, 6, lzw(8, pixels8), extra=b"xyz!\xfe\0") + b";"

    colors = odd.integers(0, 256, 1024, dtype=np.uint8).tobytes()
    runs = b"".join(bytes([13, 7 * row + 1]) + b"\0\0" for row in range(6)) + b"\0\1"
    files["odd_runs.bmp"] = bmp(13, 6, 8, bytes([5, 9, 0, 3, 1, 2, 3, 0, 20, 3]) + runs, 1, palette=colors)
    files["odd_runs_no_end.bmp"] = bmp(13, 6, 8, runs[:-2], 1, palette=colors)
    files["odd_runs_cut.bmp"] = bmp(13, 6, 8, runs[:-10], 1, palette=colors)
    files["odd_runs_end_early.bmp"] = bmp(13, 6, 8, runs[:12] + b"\0\1", 1, palette=colors)
    files["odd_runs_of_one_bit.bmp"] = bmp(13, 6, 1, (bytes([13, 1]) + b"\0\0") * 6, 1, palette=colors[:8])
    files["odd_runs_in_words.bmp"] = bmp(13, 6, 24, runs, 1)
    rows = bmp_rows(odd.integers(0, 256, (6, 13)), 8)
    files["odd_last_padding.bmp"] = bmp(13, 6, 8, rows[:-3], palette=colors)
    files["odd_row_cut.bmp"] = bmp(13, 6, 8, rows[:-4], palette=colors)
    files["odd_300_colours.bmp"] = bmp(13, 6, 8, rows, palette=colors + colors[:176])
    files["odd_fields.bmp"] = bmp(13, 6, 16, bmp_rows(odd.integers(0, 1 << 16, (6, 13)), 16), 3, struct.pack("<III", 0xF00, 0xF0, 0xF))
    files["odd_gray_bits.bmp"] = bmp(13, 6, 8, rows, palette=b"\0\0\0\0\xff\xff\xff\0")
    files["odd_compression.bmp"] = bmp(13, 6, 8, rows, 4, palette=colors)


# --- Expected pixels ----------------------------------------------------------------------------------------------


def resized(image, size):
    short, long = sorted(image.size)
    if short != size:
        long_out = int(size * long / short)
        image = image.resize((size, long_out) if image.width <= image.height else (long_out, size), Image.BICUBIC)
    left, top = round((image.width - size) / 2.0), round((image.height - size) / 2.0)
    return image.crop((left, top, left + size, top + size))


def write_tensors(path):
    header, data = {}, b""
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name])
        header[name] = {"dtype": "U8", "shape": list(array.shape), "data_offsets": [len(data), len(data) + array.nbytes]}
        data += array.tobytes()
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


PLAIN, PREFIXED = chunk(b"eXIf", tiff(6, True)), chunk(b"eXIf", b"Exif\0\0" + tiff(6, True))
PREFIX = (PREFIXED, PLAIN)


def main():
    jpegs()
    pngs()
    gifs()
    bmps()
    damaged()
    turn = scene(7, 5)
    files["turn.png"] = png(turn, 8, 2)
    transposes = [None, None, Image.FLIP_LEFT_RIGHT, Image.ROTATE_180, Image.FLIP_TOP_BOTTOM, Image.TRANSPOSE,
                  Image.ROTATE_270, Image.TRANSVERSE, Image.ROTATE_90]  # as PIL.ImageOps.exif_transpose
    for number in range(1, 9):
        image = Image.fromarray(turn)
        tensors[f"upright.{number}"] = np.array(image if number == 1 else image.transpose(transposes[number]))
    for name, data in files.items():
        (HERE / name).write_bytes(data)
        try:
            # Pillow 9.4 does not know this prefix yet; newer ones drop it.
            image = Image.open(io.BytesIO(data.replace(*PREFIX)))
            tensors["rgb." + name] = np.array(image.convert("RGB"))
            if name.startswith("odd_"):
                tensors["turned." + name] = np.array(ImageOps.exif_transpose(image).convert("RGB"))
        except Exception as error:  # pylint: disable=broad-except; Pillow raises many kinds
            assert name.startswith("odd_"), (name, error)
            print(f"refused: {name}: {error}")
            tensors["refused." + name] = np.zeros(0, np.uint8)
    for name, size in (("jpeg_420.jpg", 16), ("jpeg_420.jpg", 56), ("jpeg_4x33.jpg", 24), ("png_rgb8.png", 13),
                       ("png_rgb8.png", 12), ("gif_full_table.gif", 33), ("jpeg_5x1.jpg", 9)):
        image = Image.fromarray(tensors["rgb." + name])
        tensors[f"resized.{name}.{size}"] = np.array(resized(image, size))
    write_tensors(HERE / "expected.safetensors")


main()
