"""Ends the smoke run: names, and the emoji themselves, against pictures of a style that was not trained must beat chance clearly.

Looks at the exported checkpoint, so that nothing but it is needed.

Chance: 10 of the gallery's pictures are in the first ten, so R@10 = 1000 / gallery percent.
"""
import os

import common
import numpy as np
import torch

from common import SMOKE_LOCALES, work
from checkpoint import load_checkpoint
from model import unit
from pictures import Pictures, plain
from progress import recall
from spm_from_json import convert
from textdata import UNK, Tokenizer, load_captions

MARGIN = 2.5  # times chance


def main():
    folder, captions = work('checkpoint'), load_captions()
    text, vision, _, _ = load_checkpoint(folder)
    convert(os.path.join(folder, 'tokenizer.json'), work('check.spm.model'))
    tokenizer = Tokenizer(work('check.spm.model'))
    gallery = Pictures(('twemoji',), tones=False)
    first = np.unique(gallery.labels, return_index=True)[1]
    at = {c: i for i, c in enumerate(gallery.labels[first].tolist())}
    with torch.no_grad():
        pictures = unit(vision(plain(gallery.images[first])))
        found = []
        for locale in SMOKE_LOCALES:
            rows = [(names[0], at[c]) for c, names, _, _ in captions['data'][locale] if names and c in at]
            vectors = unit(text(tokenizer.batch([t for t, _ in rows])))
            found.append(recall(vectors @ pictures.t(), torch.tensor([i for _, i in rows]), (10,))[0])
        ids = tokenizer.batch([captions['concepts'][c] for c in at])  # the emoji themselves
        emoji = recall(unit(text(ids)) @ pictures.t(), torch.tensor(list(at.values())), (10,))[0]
    chance, mean = 1000 / len(first), float(np.mean(found))
    print(f'smoke: R@10 {mean:.1f} % over {len(SMOKE_LOCALES)} languages and {len(first)} pictures; chance {chance:.1f} %, '
          f'wanted {MARGIN * chance:.1f} %')
    print(f'smoke: emoji themselves R@10 {emoji:.1f} %, {int((ids == UNK).sum())} unknown pieces')
    if min(mean, emoji) < MARGIN * chance or (ids == UNK).any():
        raise SystemExit('smoke: recall is too near chance')


if __name__ == '__main__':
    main()
