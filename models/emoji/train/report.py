"""The report: what a checkpoint finds, on art that it never saw. Prints tables and writes JSON.

Queries are CLDR names (the first of each concept), galleries are all pictures
of one held-out style, on white, one a concept. Listed languages are those of
the jina-clip-v2 model card with at least 1,000 names, each unweighted. Ties
count for the query (rank = candidates that score higher).
"""
import argparse
import json
import os
import time

import common
import numpy as np
import torch

from common import CHECKPOINT, DIMS, SEED, TEST_STYLES, TRAIN_STYLES, canon, work
from checkpoint import load_checkpoint
from model import unit
from pictures import Pictures, plain
from spm_from_json import convert
from textdata import Tokenizer, load_captions
from torch.nn import functional as F

RANKS = (1, 5, 10)
PAIRS = [('ko', 'en'), ('zh', 'de'), ('hi', 'es'), ('ar', 'fr'), ('th', 'ja'), ('sw', 'en')]
PICTURE_TO_TEXT = 'en de fr es ru ar hi ja ko zh tr sw'.split()
CATS = {'🐈', '🐈\u200d⬛', '🐱', '😸', '😹', '😺', '😻', '😼', '😽', '😾', '😿', '🙀'}
CANARIES = 'cat 고양이 chat قط 猫 кот gato Katze बिल्ली mačka'.split()
LOOK = ['red heart', '한국', 'flag of korea', 'birthday party', 'snow', 'happy', 'sushi', 'car', 'dog running', 'music',
        'pizza and beer', 'winter sport', 'love', '바다', '비행기 여행', 'a photo of a cat', 'fútbol']


def recalls(scores, answers):
    rank = (scores > scores.gather(1, answers[:, None])).sum(1)
    return [round(100 * (rank < k).float().mean().item(), 2) for k in RANKS]


def any_fitting(scores, fits):
    """Hit rate where any candidate of a row's boolean mask counts."""
    best = scores.masked_fill(~fits, -9).max(1).values
    rank = (scores > best[:, None]).sum(1)
    return [round(100 * (rank < k).float().mean().item(), 2) for k in RANKS]


def mean(rows):
    return [round(float(x), 2) for x in np.mean(rows, 0)] if len(rows) else None


def quantised(module, bits, group):
    """A copy of a tower with its matrices rounded: symmetric, a scale a row (group 0) or a group of columns."""
    import copy
    out = copy.deepcopy(module)
    for p in out.parameters():
        if p.ndim < 2 or p.shape[0] == 1:
            continue
        w = p.data.reshape(p.shape[0], -1)
        w = w.view(w.shape[0], -1, group or w.shape[1])
        top = 2 ** (bits - 1) - 1
        scale = w.abs().amax(-1, keepdim=True) / top + 1e-12
        p.data = ((w / scale).round().clamp(-top, top) * scale).view_as(p)
    return out


class Reader:
    """Text vectors of a tower, each distinct string once."""

    def __init__(self, text, tokenizer):
        self.text, self.tokenizer, self.known = text, tokenizer, {}

    @torch.no_grad()
    def __call__(self, texts):
        fresh = sorted({t for t in texts if t not in self.known}, key=lambda t: (len(t), t))
        ids = [self.tokenizer.ids(t) for t in fresh]
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        for at in range(0, len(order), 256):
            rows = order[at:at + 256]
            batch = torch.ones(len(rows), len(ids[rows[-1]]), dtype=torch.long)
            for r, i in enumerate(rows):
                batch[r, :len(ids[i])] = torch.tensor(ids[i])
            for i, vector in zip(rows, self.text(batch)):
                self.known[fresh[i]] = vector
        return torch.stack([self.known[t] for t in texts])


@torch.no_grad()
def look(vision, images):
    return torch.cat([vision(plain(images[i:i + 128])) for i in range(0, len(images), 128)])


def pixels16(images):
    """16 x 16 RGB, unit length: the baseline's vectors."""
    return torch.cat([unit(F.avg_pool2d(plain(images[i:i + 256]), 4).flatten(1)) for i in range(0, len(images), 256)])


def nearest(queries, answers, gallery, labels, concepts):
    """Recall of the nearest training picture's concept."""
    best = torch.full((len(queries), concepts), -9.0)
    best = best.scatter_reduce(1, labels[None].expand(len(queries), -1), queries @ gallery.t(), 'amax')
    return recalls(best, answers)


class Report:
    def __init__(self, folder, every):
        self.captions = load_captions()
        self.data, self.concepts = self.captions['data'], self.captions['concepts']
        self.text, self.vision, _, self.meta = load_checkpoint(folder)
        convert(os.path.join(folder, 'tokenizer.json'), work('report.spm.model'))
        self.tokenizer = Tokenizer(work('report.spm.model'))
        self.read = Reader(self.text, self.tokenizer)
        self.every = every
        full = [l for l, rows in self.data.items() if len(rows) >= 1000 and sum(bool(r[1]) for r in rows) >= 1000]
        base = [l for l in full if '-' not in l or l in ('zh-Hant', 'sr-Latn')]
        self.listed = [l for l in base if l in self.captions['listed']]
        self.top = [l for l in self.listed if l in self.captions['top']]
        self.others = [l for l in base if l not in self.listed and '-' not in l]
        self.styles = {}
        for style in TEST_STYLES:
            p = Pictures((style,), tones=False)
            first = np.unique(p.labels, return_index=True)[1]
            self.styles[style] = (p.images[first], torch.from_numpy(p.labels[first]).long())

    def names(self, locale):
        """(texts, concepts): the first name of each concept."""
        rows = [(names[0], c) for c, names, _, _ in self.data[locale] if names][::self.every]
        return [t for t, _ in rows], torch.tensor([c for _, c in rows])

    def place(self, gallery):
        """concept -> column of a gallery, -1 where it has none."""
        at = torch.full((len(self.concepts),), -1, dtype=torch.long)
        at[gallery] = torch.arange(len(gallery))
        return at

    def text_to_picture(self, read, vectors, gallery, locales, dims):
        at, out = self.place(gallery), {}
        v = unit(vectors, dims).t()
        for locale in locales:
            texts, answers = self.names(locale)
            keep = at[answers] >= 0
            out[locale] = recalls(unit(read(texts)[keep], dims) @ v, at[answers[keep]])
        return out

    def summary(self, table):
        listed = {l: table[l] for l in self.listed}
        worst = min(listed, key=lambda l: listed[l][2])
        pick = {l: table[l] for l in ('en', 'ko', 'zh', 'ja', 'ar', 'fr', 'de', 'es', 'ru', 'hi', 'sw') if l in table}
        return {'listed': mean(list(listed.values())), 'top': mean([table[l] for l in self.top]),
                'others': mean([table[l] for l in self.others if l in table]), 'worst': [worst, *listed[worst]], **pick}

    def keywords(self, vectors, gallery, kind):
        """Hit of any fitting picture, mean over the listed languages (up to 100 pairs each)."""
        rng, at, rows = np.random.default_rng(SEED), self.place(gallery), []
        v = unit(vectors).t()
        for locale in self.listed:
            fits, pairs = {}, []
            for c, names, words, apart in self.data[locale]:
                for x in names + words + apart:
                    fits.setdefault(x, set()).add(c)
                pairs += words if kind == 'trained' else apart
            if kind == 'withheld word' and pairs:
                pairs = [x for x in pairs if x not in self.trained_words()]
            if not pairs:
                continue
            pairs = [pairs[i] for i in rng.permutation(len(pairs))[:100]]
            mask = torch.zeros(len(pairs), len(gallery), dtype=torch.bool)
            for i, x in enumerate(pairs):
                columns = at[list(fits[x])]
                mask[i, columns[columns >= 0]] = True
            ok = mask.any(1)
            if ok.any():
                rows.append(any_fitting((unit(self.read(pairs)) @ v)[ok], mask[ok]))
        return mean(rows)

    def trained_words(self):
        if not hasattr(self, 'words'):
            self.words = {x for rows in self.data.values() for _, names, words, _ in rows for x in names + words}
        return self.words

    def text_to_text(self):
        out = {}
        for a, b in PAIRS:
            sets = []
            for locale in (a, b):
                rows = [(names[0], c) for c, names, _, _ in self.data[locale] if names][::3]
                sets.append((unit(self.read([t for t, _ in rows])), torch.tensor([c for _, c in rows])))
            at = self.place(sets[1][1])
            keep = at[sets[0][1]] >= 0
            out[f'{a}->{b}'] = [*recalls(sets[0][0][keep] @ sets[1][0].t(), at[sets[0][1][keep]]), len(sets[1][1])]
        return out

    def top_of(self, text, vectors, gallery, count=8):
        scores = (unit(self.read([text])) @ unit(vectors).t())[0]
        return [self.concepts[gallery[i]] for i in scores.topk(count).indices]

    def run(self, dtypes):
        train = Pictures(tuple(TRAIN_STYLES), tones=False)
        labels = torch.from_numpy(train.labels).long()
        train_vectors, train_pixels = unit(look(self.vision, train.images)), pixels16(train.images)
        out = {'checkpoint': self.meta, 'concepts': len(self.concepts), 'every': self.every, 'ranks': list(RANKS),
               'listed': self.listed, 'others': self.others, 'text_to_picture': {}, 'languages': {}, 'dims': {},
               'picture_to_text': {}, 'nearest_picture': {}, 'nearest_pixels': {}, 'keywords': {}, 'dtypes': {}}
        for style, (images, gallery) in self.styles.items():
            vectors = look(self.vision, images)
            table = self.text_to_picture(self.read, vectors, gallery, self.listed + self.others, DIMS[-1])
            out['languages'][style] = table
            out['text_to_picture'][style] = self.summary(table)
            out['dims'][style] = {str(d): self.summary(self.text_to_picture(self.read, vectors, gallery, self.listed, d))
                                  for d in DIMS}
            back = {}
            for locale in PICTURE_TO_TEXT:
                texts, answers = self.names(locale)
                at = self.place(answers)
                keep = at[gallery] >= 0
                back[locale] = recalls(unit(vectors[keep]) @ unit(self.read(texts)).t(), at[gallery[keep]])
            out['picture_to_text'][style] = {'mean': mean(list(back.values())), **back}
            out['nearest_picture'][style] = nearest(unit(vectors), gallery, train_vectors, labels, len(self.concepts))
            out['nearest_pixels'][style] = nearest(pixels16(images), gallery, train_pixels, labels, len(self.concepts))
            out['keywords'][style] = {k: self.keywords(vectors, gallery, k) for k in ('trained', 'withheld pair', 'withheld word')}
            print_style(style, out)
        out['text_to_text'] = self.text_to_text()
        images, gallery = self.styles['twemoji']
        vectors = look(self.vision, images)
        for name, bits, group in dtypes:
            read = Reader(quantised(self.text, bits, group), self.tokenizer)
            table = self.text_to_picture(read, look(quantised(self.vision, bits, group), images), gallery, self.listed, DIMS[-1])
            out['dtypes'][name] = self.summary(table)
        out['canaries'] = {}
        for style, (images, gallery) in self.styles.items():
            vectors = look(self.vision, images)
            found = {q: self.top_of(q, vectors, gallery) for q in CANARIES + LOOK}
            out['canaries'][style] = {'cats': {q: any(canon(x) in CATS for x in found[q][:3]) for q in CANARIES}, 'top': found}
        return out


def print_style(style, out):
    print(f'\n{style}: text -> picture, R@1 / R@5 / R@10 (pictures: nearest {out["nearest_picture"][style]}, '
          f'16x16 pixels {out["nearest_pixels"][style]})')
    for name, row in out['text_to_picture'][style].items():
        print(f'  {name:8s} {row}')
    for d in DIMS:
        s = out['dims'][style][str(d)]
        print(f'  {d:4d} dims: listed {s["listed"]}, en {s["en"]}')
    print(f'  picture -> text {out["picture_to_text"][style]["mean"]}, en {out["picture_to_text"][style]["en"]}')
    print(f'  keywords {out["keywords"][style]}', flush=True)


def main(folder=CHECKPOINT, every=1, path=None, dtypes=2):
    """Runs the report of a checkpoint folder; every: use each n-th name only."""
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    begin = time.time()
    out = Report(folder, every).run([('int8', 8, 0), ('int4g32', 4, 32)][:dtypes])
    print('\ntext -> text', json.dumps(out['text_to_text']))
    print('dtypes (Twemoji)', json.dumps({k: {x: v[x] for x in ('listed', 'en')} for k, v in out['dtypes'].items()}))
    for style, found in out['canaries'].items():
        good = sum(found['cats'].values())
        print(f'{style}: cats {good}/{len(CANARIES)}')
        for q, emoji in found['top'].items():
            print(f'  {q}: {" ".join(emoji)}')
    path = path or work('report.json')
    with open(path, 'w', encoding='utf-8') as f:
        json.dump(out, f, ensure_ascii=False, indent=1)
        f.write('\n')
    print(f'{path} ({time.time() - begin:.0f} s)', flush=True)
    return out


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--folder', default=CHECKPOINT)
    parser.add_argument('--every', type=int, default=1)
    parser.add_argument('--out')
    parser.add_argument('--dtypes', type=int, default=2, help='0: none, 1: int8, 2: int8 and int4')
    a = parser.parse_args()
    main(a.folder, a.every, a.out, a.dtypes)
