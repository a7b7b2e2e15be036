"""Renders every art style to 96 x 96 premultiplied RGBA with librsvg.

Writes one file a style, build/emoji/art_STYLE.npz (compressed):
  keys  the concept of each picture (emoji without FE0F and without skin tones)
  full  the emoji itself, with its skin tone
  img   N x 96 x 96 x 4, uint8, premultiplied
Skin-tone variants are kept for training styles only, as extra pictures.
"""
import glob
import json
import os
import re
import sys
import unicodedata

import numpy as np
import cairo
import gi
gi.require_version('Rsvg', '2.0')
from gi.repository import Rsvg  # noqa: E402

from common import NODE, RENDER_SIZE, SMOKE, SMOKE_CONCEPTS, TEST_STYLES, TRAIN_STYLES, canon, has_tone, without_tones, work  # noqa: E402

ICONS = os.path.join(NODE, '@iconify-json')
NOTO_FONT = '/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf'


def rasterise(svg, size=RENDER_SIZE):
    """One SVG document (str) as size x size x 4 premultiplied RGBA."""
    handle = Rsvg.Handle.new_from_data(svg.encode())
    surface = cairo.ImageSurface(cairo.FORMAT_ARGB32, size, size)
    box = Rsvg.Rectangle()
    box.x = box.y = 0
    box.width = box.height = size
    handle.render_document(cairo.Context(surface), box)
    surface.flush()
    pixels = np.ndarray((size, size, 4), np.uint8, bytes(surface.get_data()))
    return pixels[..., [2, 1, 0, 3]].copy()


def load_set(style):
    with open(os.path.join(ICONS, style, 'icons.json'), encoding='utf-8') as f:
        icons = json.load(f)
    with open(os.path.join(ICONS, style, 'chars.json'), encoding='utf-8') as f:
        chars = json.load(f)
    return icons, chars


def icon_svg(icons, name):
    """The SVG of an icon, through its alias if need be; None if there is none."""
    icon = icons['icons'].get(name)
    if icon is None:
        alias = icons.get('aliases', {}).get(name)
        icon = icons['icons'].get(alias['parent']) if alias else None
    if icon is None:
        return None
    width = icon.get('width', icons.get('width', 16))
    height = icon.get('height', icons.get('height', width))
    box = f'{icon.get("left", 0)} {icon.get("top", 0)} {width} {height}'
    return (f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'width="{width}" height="{height}" viewBox="{box}">{icon["body"]}</svg>')


def from_hex(code):
    return ''.join(chr(int(x, 16)) for x in code.split('-') if x.upper() != 'FE0F')


def slug(name):
    return re.sub('[^a-z0-9]', '', name.lower())


def names_to_emoji():
    """Icon name (letters and digits) -> emoji, for the sets whose chars.json is empty."""
    table = {}
    for style in ('noto', 'twemoji', 'openmoji', 'fluent-emoji-flat'):
        for code, name in load_set(style)[1].items():
            table.setdefault(slug(name), from_hex(code))
    for package, key in (('cldr-annotations-full/annotations', 'annotations'),
                         ('cldr-annotations-derived-full/annotationsDerived', 'annotationsDerived')):
        with open(os.path.join(NODE, package, 'en', 'annotations.json'), encoding='utf-8') as f:
            for emoji, entry in json.load(f)[key]['annotations'].items():
                for text in entry.get('tts', []):
                    table.setdefault(slug(text), canon(emoji))
                    table.setdefault(slug(text.replace(': ', '-for-')), canon(emoji))
    for point in list(range(0x2000, 0x3300)) + list(range(0x1F000, 0x1FB00)):
        name = unicodedata.name(chr(point), '')
        if name:
            table.setdefault(slug(name), chr(point))
    return table


def render_icons(style):
    """emoji -> picture of one iconify set."""
    icons, chars = load_set(style)
    if chars:
        wanted = [(from_hex(code), name) for code, name in sorted(chars.items())]
    else:
        table = names_to_emoji()
        wanted = [(table[slug(name)], name) for name in icons['icons'] if slug(name) in table]
    out = {}
    for emoji, name in wanted:
        if emoji in out or (has_tone(emoji) and style in TEST_STYLES) or (SMOKE and emoji not in SMOKE_CONCEPTS):
            continue
        svg = icon_svg(icons, name)
        if svg is None:
            continue
        try:
            picture = rasterise(svg)
        except gi.repository.GLib.Error:
            continue
        if picture[..., 3].any():
            out[emoji] = picture
    return out


def render_flags():
    """flag-icons, 4 x 3."""
    out = {}
    for path in sorted(glob.glob(os.path.join(NODE, 'flag-icons', 'flags', '4x3', '*.svg'))):
        name = os.path.basename(path)[:-4]
        if len(name) == 2:
            emoji = ''.join(chr(0x1F1E6 + ord(c) - 97) for c in name)
        elif name in ('gb-eng', 'gb-sct', 'gb-wls'):
            emoji = '\U0001F3F4' + ''.join(chr(0xE0000 + ord(c)) for c in name.replace('-', '')) + '\U000E007F'
        else:
            continue
        with open(path, encoding='utf-8') as f:
            out[emoji] = rasterise(f.read())
    return out


def render_font(candidates):
    """Debian's Noto Color Emoji font; sequences that the font lacks are two glyphs wide and dropped."""
    from PIL import Image, ImageDraw, ImageFont
    font = ImageFont.truetype(NOTO_FONT, 109, layout_engine=ImageFont.Layout.RAQM)
    out = {}
    for emoji in sorted(candidates):
        if not 100 <= font.getlength(emoji) <= 140:
            continue
        image = Image.new('RGBA', (300, 140), (0, 0, 0, 0))
        ImageDraw.Draw(image).text((0, 0), emoji, font=font, embedded_color=True)
        box = image.getbbox()
        if not box:
            continue
        image = image.crop((0, box[1], 136, box[3]))
        side = max(image.size)
        square = Image.new('RGBA', (side, side), (0, 0, 0, 0))
        square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
        pixels = np.asarray(square).astype(np.float32)
        pixels[..., :3] *= pixels[..., 3:] / 255
        small = Image.fromarray(pixels.astype(np.uint8)).resize((RENDER_SIZE, RENDER_SIZE), Image.LANCZOS)
        pixels = np.asarray(small)
        if pixels[..., 3].any():
            out[emoji] = pixels
    return out


def save(style, pictures):
    full = sorted(pictures)
    np.savez_compressed(work(f'art_{style}.npz'), full=np.array(full),
                        keys=np.array([without_tones(k) for k in full]),
                        img=np.stack([pictures[k] for k in full]))
    tones = sum(has_tone(k) for k in full)
    print(f'{style}: {len(full) - tones} pictures, {tones} skin-tone variants', flush=True)


def main(styles):
    """Renders the styles that are not on disk yet."""
    # the font comes last: it draws what the other sets name
    for style in styles or sorted(TRAIN_STYLES + TEST_STYLES, key=lambda s: s == 'notofont'):
        if os.path.exists(work(f'art_{style}.npz')):
            continue
        if style == 'flagicons':
            save(style, render_flags())
        elif style == 'notofont':
            known = set()
            for other in ('noto', 'noto-v1', 'twemoji', 'openmoji', 'emojione'):
                if os.path.exists(work(f'art_{other}.npz')):
                    known |= set(np.load(work(f'art_{other}.npz'))['full'].tolist())
            save(style, render_font(known))
        else:
            save(style, render_icons(style))


if __name__ == '__main__':
    main(sys.argv[1:])
