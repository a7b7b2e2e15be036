"""Stage "emoji": the emoji themselves as queries, with everything else fixed.

The tokenizer gets a piece for each of them (characters.py), and only the rows
of these pieces are trained: the text tower that reads them, the rows of the
words and the picture tower stay to the last bit, so that no other text's
vector can change. First comes the vector that each emoji ought to have, found among vectors of
the training pictures alone (wanted). Then the rows learn to make the tower give
it: for the emoji alone most of the time, else beside words, repeated, or next
to another emoji. What is left of a sequence without a piece of its own (a tone,
a tag) learns to say nothing. In the second half every step asks twice, with the
tower as it is and with four-bit weights.

A stage that counts steps: it repeats itself on the same machine.
"""
import argparse
import copy
import json
import os

import common
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from characters import FLAG, MARK, TAGS, extended, words_of
from checkpoint import load_checkpoint, towers_of
from common import DIM, DIMS, SEED, TONES, TRAIN_STYLES, work
from model import unit
from pictures import Pictures, plain
from progress import Clock, load, note, recall, save, set_rate
from textdata import BOS, EOS, TextData, load_captions
from encoders import WORLD_SCALE, Watch, encoder, mean_texts, picture_bank
from train_quantised import BLOCK, rounded

RATE = 1e-2
STEPS = 200
LENGTHS = (DIM, 0.5), (64, 0.3), (32, 0.2)


class Grown(nn.Module):
    """A word table: fixed rows, and behind them the ones that learn."""

    def __init__(self, fixed, rows):
        super().__init__()
        self.fixed, self.rows = fixed, rows

    def forward(self, ids):
        first = len(self.fixed)
        new = F.embedding((ids - first).clamp(min=0), self.rows())
        return torch.where((ids >= first)[..., None], new, F.embedding(ids.clamp(max=first - 1), self.fixed))


def coarse_copy(text):
    """A tower whose matrices are what four bits keep of them."""
    out = copy.deepcopy(text)
    with torch.no_grad():
        for p in out.parameters():
            if p.ndim == 2 and p.shape[0] > 1 and p.shape[1] % BLOCK == 0:
                p.copy_(rounded(p))
    return out


class Drawer:
    """Texts with emoji and the concepts that they ask for. first: the id of row 0; mark: the id of ▁, which begins a word."""

    def __init__(self, characters, data, first, mark, rng):
        self.characters, self.data, self.first, self.mark, self.rng = characters, data, first, mark, rng
        emoji = characters.concepts
        self.concept = np.array([m[0] for m in characters.meaning[:characters.own]])
        self.tone = np.array([ord(emoji[c]) in TONES if len(emoji[c]) == 1 else False for c in self.concept])
        self.turn = []
        parts = characters.parts.items()
        self.spoken = [row for _, row in parts if characters.meaning[row]]
        self.tones = [row for x, row in parts if ord(x) in TONES]
        self.tags = [row for x, row in parts if x in TAGS]
        self.flag = [r for r, c in enumerate(self.concept) if emoji[c] == FLAG]

    def row(self):
        """Every row of a concept once, in an order of chance, then again."""
        if not self.turn:
            self.turn = self.rng.permutation(self.characters.own).tolist()
        return self.turn.pop()

    def alone(self, row):
        return [self.first + row] if self.tone[row] else [self.mark, self.first + row]

    def one(self):
        """(ids, rows of the concepts) of one text."""
        rng, row = self.rng, self.row()
        ids, kind = self.alone(row), rng.random()
        if kind < 0.65 or self.tone[row]:
            return ids, [row]
        if kind < 0.75:  # a name before or behind
            at = self.data.row_of(self.concept[row])
            string = self.data.pick(np.array([at]), np.zeros(1, bool))[0]
            name = self.data.ids[0, string, :self.data.lengths[0, string]].tolist()
            return (ids + name if rng.random() < 0.5 else name + ids[int(rng.random() < 0.3):]), [row]
        if kind < 0.85:
            before, after = self.data.frames[rng.integers(len(self.data.frames))]
            return [*before, *ids, *after], [row]
        if kind < 0.9:
            return ids + ids[1:] * int(rng.integers(1, 4)), [row]
        other = self.row()
        return ids + self.alone(other)[int(rng.random() < 0.5 and not self.tone[other]):], [row, other]

    def rest(self):
        """(ids, concepts) of a text with what has no concept of its own, which is all that learns here."""
        rng, kind = self.rng, self.rng.random()
        if kind < 0.4 and self.spoken:
            row = self.spoken[rng.integers(len(self.spoken))]
            return [self.mark, self.first + row], self.characters.meaning[row]
        row = int(rng.integers(self.characters.own))
        if kind < 0.7 or not self.flag:
            return [*self.alone(row), self.first + int(rng.choice(self.tones))], [self.concept[row]]
        tags = rng.choice(self.tags, rng.integers(1, 7)) + self.first
        return [*self.alone(self.flag[0]), *tags.tolist()], [self.concept[self.flag[0]]]

    def batch(self, count, rest):
        """(id arrays, targets): texts with emoji, or with the rest."""
        sequences, target = [], torch.zeros(count, self.data.concepts)
        for i in range(count):
            ids, found = self.rest() if rest else self.one()
            target[i, found if rest else self.concept[found]] = 1 / len(found)
            sequences.append(np.array([BOS, *ids, EOS]))
        return sequences, target


class Galleries:
    """One picture vector of every concept: half of the time all of one style where it has them, as a page's pictures are."""

    def __init__(self, pictures, vision, rng, views, concepts):
        self.rng, self.concepts = rng, concepts
        self.vectors, labels = picture_bank(pictures, vision, rng, views)
        rows = np.nonzero(~pictures.held & ~pictures.toned)[0]
        styles = np.tile(pictures.styles[rows], views + 1)
        self.all = self.order(np.arange(len(labels)), labels)
        self.of_style = [self.order(np.nonzero(styles == s)[0], labels) for s in range(len(TRAIN_STYLES))]

    def means(self):
        """The mean picture vector of every concept."""
        rows, begin = self.all
        labels = torch.from_numpy(np.repeat(np.arange(self.concepts), np.diff(begin)))
        return unit(torch.zeros(self.concepts, DIM).index_add_(0, labels, self.vectors[rows]))

    def order(self, rows, labels):
        """(rows, begin): the rows by concept, and where each concept's begin."""
        rows = rows[np.argsort(labels[rows], kind='stable')]
        return rows, np.searchsorted(labels[rows], np.arange(self.concepts + 1))

    def __call__(self):
        def pick(rows, begin):
            at = begin[:-1] + (self.rng.random(self.concepts) * np.diff(begin)).astype(np.int64)
            return rows[np.minimum(at, len(rows) - 1)], np.diff(begin) > 0
        chosen, _ = pick(*self.all)
        if self.rng.random() < 0.5:
            other, there = pick(*self.of_style[self.rng.integers(len(self.of_style))])
            chosen = np.where(there, other, chosen)
        return self.vectors[chosen]


def start_of(source):
    """(state, tokenizer.json) of a checkpoint folder, or of the last stage."""
    if source:
        text, vision, scale, meta = load_checkpoint(source)
        known = {'text': text.state_dict(), 'vision': vision.state_dict(), 'scale': scale.float().reshape(()), 'bag': False,
                 'step': int(meta.get('clipglot.step', 0)), 'seen': int(meta.get('clipglot.pictures', 0))}
    else:
        known = load(work('q4.pt'))
    path = os.path.join(source, 'tokenizer.json') if source else work('tokenizer.json')
    with open(path, encoding='utf-8') as f:
        return known, json.load(f)


def first_rows(characters, tokenizer, table, data):
    """Where the rows begin: as they were, where the table has the piece; else as the mean of an English name's pieces."""
    old = {piece: i for i, (piece, _) in enumerate(tokenizer['model']['vocab'])}
    english = data.row_locale == data.locales.tolist().index('en')
    name_of = {c: data.names[at] for c, at, n in zip(data.row_concept[english], data.name_at[english], data.name_count[english]) if n}
    out = table[4:].mean(0).repeat(len(characters.meaning), 1)
    for row, meaning in enumerate(characters.meaning):
        strings = [name_of[c] for c in meaning if c in name_of]
        if strings:
            out[row] = table[np.concatenate([data.ids[0, s, :data.lengths[0, s]] for s in strings]).astype(np.int64)].mean(0)
    for piece, row in reversed(list(zip(characters.pieces, characters.rows))):
        if piece in old:
            out[row] = table[old[piece]]
    return out


class Held:
    """R@1 and R@10 of emoji alone for the held pictures of the training styles."""

    def __init__(self, drawer, pictures, vision):
        watch, row_of = Watch(pictures), {c: r for r, c in enumerate(drawer.concept.tolist())}
        self.answers = [c for c in pictures.labels[watch.rows].tolist() if c in row_of]
        self.texts = [np.array([BOS, *drawer.alone(row_of[c]), EOS]) for c in self.answers]
        with torch.no_grad():
            self.gallery = torch.cat([unit(vision(plain(pictures.images[watch.gallery[i:i + 128]])))
                                      for i in range(0, len(watch.gallery), 128)])

    def of(self, vectors, dims=DIM):
        return recall(unit(vectors, dims) @ unit(self.gallery, dims).t(), torch.tensor(self.answers))

    @torch.no_grad()
    def __call__(self, encode, dims=DIM):
        return self.of(encode(self.texts), dims)


def wanted(galleries, means, rng, steps, rate=0.01, count=512):
    """The vector that each emoji ought to have (concepts x DIM): it finds its own pictures before all others', at every
    length, and stays next to the concept's names. No tower is asked, so this takes seconds."""
    vectors = nn.Parameter(galleries.means())
    optimiser = torch.optim.Adam([vectors], lr=rate)
    for step in range(steps):
        set_rate(optimiser, [rate], 1 - step / steps)
        gallery, loss = galleries(), 0
        asked = torch.from_numpy(rng.permutation(len(vectors))[:count])
        for d, weight in ((DIM, 0.45), (64, 0.4), (int(rng.choice([d for d in DIMS if d not in (DIM, 64)])), 0.15)):
            mine = WORLD_SCALE * unit(vectors[asked], d)
            loss = loss + weight * (0.8 * F.cross_entropy(mine @ unit(gallery, d).t(), asked)
                                    + 0.2 * F.cross_entropy(mine @ unit(means, d).t(), asked))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
    return unit(vectors.detach())


def away(vectors, target):
    """How far texts are from what is wanted of them: 1 - cosine, at some lengths."""
    return sum(weight * (1 - F.cosine_similarity(vectors[:, :d], target[:, :d])).mean() for d, weight in LENGTHS)


def main(steps, rate=RATE, count=256, rest=32, every=50, views=3, source=None, out='emoji.pt'):
    """q4.pt, or a checkpoint folder, into emoji.pt, which has the new tokenizer with it."""
    torch.set_num_threads(1)
    torch.manual_seed(SEED + 500)
    rng = np.random.default_rng(SEED + 500)
    known, tokenizer = start_of(source)
    text, vision = towers_of(known)
    text, vision = text.requires_grad_(False), vision.requires_grad_(False)
    pictures, data = Pictures(), TextData(rng)
    grown, characters = extended(tokenizer, load_captions()['concepts'])
    words = words_of(tokenizer)
    first, mark = len(words) - 1, [piece for piece, _ in words].index(MARK)
    table = text.word_embeddings.weight.data
    mask = table[len(tokenizer['model']['vocab']) - 1]
    rows = nn.Parameter(first_rows(characters, tokenizer, table, data))
    means = mean_texts(data, encoder(text, False), data.concepts, 16)
    target = wanted(Galleries(pictures, vision, rng, views, data.concepts), means, rng, min(steps, 300))
    drawer = Drawer(characters, data, first, mark, rng)
    held = Held(drawer, pictures, vision)

    towers = [text, coarse_copy(text)]
    learning = [rows]  # what the towers read now: see below
    for tower, seen in zip(towers, (lambda: learning[0], lambda: learning[0] + (rounded(learning[0].detach()) - learning[0]).detach())):
        tower.word_embeddings = Grown(tower.word_embeddings.weight.data[:first], seen)
    encoders = [encoder(tower, False) for tower in towers]
    optimiser = torch.optim.AdamW([rows], lr=rate, betas=(0.9, 0.98), weight_decay=0.0)
    clock, losses = Clock(steps=steps), []
    print(f'emoji start, {len(characters.pieces)} pieces, {len(rows)} rows | held {held(encoders[0])}, '
          f'wanted {held.of(target[held.answers])}', flush=True)
    while clock.part() < 1:
        set_rate(optimiser, [rate], clock.rate(30))
        sequences, asked = drawer.batch(count, False)
        others, meant = drawer.batch(rest, True)
        optimiser.zero_grad(set_to_none=True)
        for encode in encoders[:1 if clock.part() < 0.5 else 2]:
            learning[0] = rows
            loss = away(encode(sequences), unit(asked @ target))
            losses.append(loss.item())
            # what stands beside an emoji and says nothing must not pull at the emoji's own row
            learning[0] = torch.cat((rows[:characters.own].detach(), rows[characters.own:]))
            loss = loss + 0.2 * away(encode(others), unit(meant @ target))
            loss.backward()
        optimiser.step()
        clock.step += 1
        learning[0] = rows
        if clock.step % every == 0 or clock.part() >= 1:
            print(f'emoji step {clock.step} {clock.elapsed():.0f} s, away {np.mean(losses[-20:]):.4f} | held {held(encoders[0])}, '
                  f'at 64 {held(encoders[0], 64)}, four bits {held(encoders[1])}', flush=True)
    state = text.state_dict()
    state = {name: value for name, value in state.items() if not name.startswith('word_embeddings.')}
    state['word_embeddings.weight'] = torch.cat((table[:first], rows.data[characters.rows], mask[None]))
    note(work('curve.jsonl'), stage='emoji', step=known['step'], pictures=known['seen'], seconds=round(clock.elapsed()),
         loss=round(float(np.mean(losses[-20:])), 3), held=dict(emoji=held(encoders[0])))
    save(work(out), text=state, vision=vision.state_dict(), scale=known['scale'], step=known['step'], seen=known['seen'], bag=False,
         finished=True, tokenizer=json.dumps(grown, ensure_ascii=False, separators=(',', ':')))


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--steps', type=int)
    parser.add_argument('--scale', type=float, default=1.0, help=f'without --steps: multiplies {STEPS} steps')
    parser.add_argument('--source', help='checkpoint folder to start from, instead of build/emoji/q4.pt')
    a = parser.parse_args()
    main(a.steps or round(STEPS * a.scale), source=a.source)
