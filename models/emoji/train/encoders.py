"""Raw vectors of texts and pictures as the training stages need them, and the watch on held pictures."""
import common  # noqa: F401  (before torch: chooses the BLAS kernels)
import numpy as np
import torch

from common import DIM, DIMS, FAST_BF16, SMOKE, SMOKE_LOCALES
from model import unit
from pictures import augment, plain
from progress import recall
from textdata import Tokenizer, flat, load_captions, padded

WORLD_SCALE = 20.0  # scale of the scores where all concepts are candidates
WATCH = SMOKE_LOCALES if SMOKE else ['en', 'ko', 'ar', 'fr', 'sw']


def encoder(text, bag, buckets=8):
    """list of id arrays -> raw vectors. Full tower: texts of like length together, as padding costs as much as words."""
    if bag:
        return lambda ids: text.bag(*flat(ids))

    def encode(ids):
        order = np.argsort([len(i) for i in ids], kind='stable')
        parts = [part for part in np.array_split(order, buckets) if len(part)]
        with torch.autocast('cpu', torch.bfloat16, enabled=FAST_BF16):
            vectors = torch.cat([text(padded([ids[i] for i in part])) for part in parts]).float()
        return vectors[torch.from_numpy(np.argsort(np.concatenate(parts)))]
    return encode


def looker(vision):
    """pixels -> raw vectors, in bfloat16 where that is faster."""
    def look(pixels):
        with torch.autocast('cpu', torch.bfloat16, enabled=FAST_BF16):
            return vision(pixels).float()
    return look


def dims_of(rng):
    """(dimensions, weight) of one step: full size, 64 (what people cut to first), and one of the others."""
    return (DIM, 0.5), (64, 0.3), (int(rng.choice([d for d in DIMS if d not in (DIM, 64)])), 0.2)


@torch.no_grad()
def picture_bank(pictures, vision, rng, views=2):
    """(vectors, labels) of all training pictures: once plain, `views` times augmented."""
    rows = np.nonzero(~pictures.held & ~pictures.toned)[0]
    vectors = []
    for view in range(views + 1):
        for i in range(0, len(rows), 128):
            part = rows[i:i + 128]
            x = augment(pictures, part, 0.8, rng) if view else plain(pictures.images[part])
            vectors.append(unit(vision(x)))
    return torch.cat(vectors), np.tile(pictures.labels[rows], views + 1)


@torch.no_grad()
def mean_texts(data, encode, concepts, each=24):
    """The mean text vector of every concept over `each` names drawn by language weight; encode: see encoder()."""
    out = []
    for c in range(concepts):
        rows = np.array([data.row_of(c) for _ in range(each)])
        ids = data.sequences([[s] for s in data.pick(rows, np.zeros(each, bool))], data.row_locale[rows], 0.0)
        out.append(unit(encode(ids)).mean(0))
    return unit(torch.stack(out))


class Watch:
    """Names of a few languages against the held pictures of the training styles, and against one known style."""

    def __init__(self, pictures):
        captions, tokenizer = load_captions(), Tokenizer()
        self.pictures = pictures
        rows = np.nonzero(pictures.held)[0]
        self.rows = rows
        self.sets = []
        for locale in WATCH:
            name = {c: names[0] for c, names, _, _ in captions['data'][locale] if names}
            keep = [c for c in pictures.labels[rows] if c in name]
            self.sets.append((locale, [np.array(tokenizer.ids(name[c])) for c in keep], torch.tensor(keep)))
        # the gallery: the held picture where there is one, else another picture of the concept
        self.gallery = np.array([r[0] if len(r) else -1 for r in pictures.by_concept])
        self.gallery[pictures.labels[rows]] = rows

    @torch.no_grad()
    def line(self, encode, vision):
        vectors = torch.cat([unit(vision(plain(self.pictures.images[self.gallery[i:i + 128]])))
                             for i in range(0, len(self.gallery), 128)])
        found = {locale: recall(unit(encode(ids)) @ vectors.t(), answers) for locale, ids, answers in self.sets}
        return ' '.join(f'{locale} {r[0]:.0f}/{r[1]:.0f}' for locale, r in found.items()), found
