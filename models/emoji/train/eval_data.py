"""What the report on the shipped pack needs, as plain files that Node reads (build/emoji/eval/).

The definitions are those of report.py: the query is the first CLDR name of a
concept, a gallery holds every picture of one held-out style, on white, one a
concept; listed languages are those of the jina-clip-v2 model card with at
least 1,000 names; keywords are drawn with the same seed.

eval.json
  side               width and height of every picture
  concepts           list of emoji; a concept is its place in this list
  listed, top, others   locales
  names              locale -> {texts, concepts}
  characters         {texts, concepts}: every emoji itself, once
  keywords           kind (trained, withheld pair, withheld word) -> locale -> list of [text, fitting concepts]
  galleries          held-out style -> {file, concepts}; training: the same for the pictures that were trained
  pairs, pictureToText, cats, canaries, look   what report.py asks
*.rgb                pictures one after another, side x side x 3 bytes each
"""
import json
import os

import common
import numpy as np

from common import IMAGE, SEED, TEST_STYLES, TRAIN_STYLES, work
from pictures import MEAN_T, STD_T, Pictures, plain
from report import CANARIES, CATS, LOOK, PAIRS, PICTURE_TO_TEXT
from textdata import load_captions

KINDS = ('trained', 'withheld pair', 'withheld word')
KEYWORDS = 100  # of each kind and language


def bytes_of(images):
    """The clean views (plain) as bytes: N x side x side x 3."""
    parts = []
    for i in range(0, len(images), 256):
        x = plain(images[i:i + 256]) * STD_T + MEAN_T
        parts.append((x * 255).round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy())
    return np.concatenate(parts)


def languages(captions):
    """(listed, top, others): see report.py."""
    data = captions['data']
    full = [l for l, rows in data.items() if len(rows) >= 1000 and sum(bool(r[1]) for r in rows) >= 1000]
    base = [l for l in full if '-' not in l or l in ('zh-Hant', 'sr-Latn')]
    listed = [l for l in base if l in captions['listed']]
    return listed, [l for l in listed if l in captions['top']], [l for l in base if l not in listed and '-' not in l]


def keywords(data, listed, kind):
    """locale -> up to KEYWORDS drawn [text, concepts that carry it in this language]."""
    rng, out = np.random.default_rng(SEED), {}
    known = {x for rows in data.values() for _, names, words, _ in rows for x in names + words}
    for locale in listed:
        fits, pairs = {}, []
        for c, names, words, apart in data[locale]:
            for x in names + words + apart:
                fits.setdefault(x, set()).add(c)
            pairs += words if kind == 'trained' else apart
        if kind == 'withheld word':
            pairs = [x for x in pairs if x not in known]
        if pairs:
            out[locale] = [[pairs[i], sorted(fits[pairs[i]])] for i in rng.permutation(len(pairs))[:KEYWORDS]]
    return out


def write_pictures(folder, name, images, labels):
    file = f'{name}.rgb'
    bytes_of(images).tofile(os.path.join(folder, file))
    return {'file': file, 'concepts': [int(x) for x in labels]}


def main():
    """Writes build/emoji/eval/, eval.json last."""
    folder = work('eval')
    os.makedirs(folder, exist_ok=True)
    captions = load_captions()
    data = captions['data']
    listed, top, others = languages(captions)
    names = {}
    for locale in listed + others:
        rows = [(n[0], c) for c, n, _, _ in data[locale] if n]
        names[locale] = {'texts': [t for t, _ in rows], 'concepts': [c for _, c in rows]}
    galleries = {}
    for style in TEST_STYLES:
        p = Pictures((style,), tones=False)
        first = np.unique(p.labels, return_index=True)[1]
        galleries[style] = write_pictures(folder, style, p.images[first], p.labels[first])
    train = Pictures(tuple(TRAIN_STYLES), tones=False)
    out = {
        'side': IMAGE, 'concepts': captions['concepts'], 'listed': listed, 'top': top, 'others': others, 'names': names,
        'characters': {'texts': captions['concepts'], 'concepts': list(range(len(captions['concepts'])))},
        'keywords': {kind: keywords(data, listed, kind) for kind in KINDS}, 'galleries': galleries,
        'training': write_pictures(folder, 'training', train.images, train.labels), 'pairs': PAIRS,
        'pictureToText': PICTURE_TO_TEXT, 'cats': sorted(CATS), 'canaries': CANARIES, 'look': LOOK,
    }
    path = os.path.join(folder, 'eval.json')
    with open(path + '.part', 'w', encoding='utf-8') as f:
        json.dump(out, f, ensure_ascii=False)
    os.replace(path + '.part', path)
    print(f'{len(names)} languages, {sum(len(x["texts"]) for x in names.values())} names, '
          f'{len(train.labels)} training pictures', flush=True)


if __name__ == '__main__':
    main()
