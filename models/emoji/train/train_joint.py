"""Stage C: both towers, text against picture, with the whole gallery as negatives.

Towers that were trained only against proxies do not meet. Each step draws
concepts (half of them as groups of look-alikes), one picture and several texts
each. A bank keeps the last picture vector and the last mean text vector of
every concept; the columns of the drawn concepts are replaced by the live
vectors, so every text is classified over all pictures and every picture over
all texts, not just over those of its batch:

  text -> picture   cross-entropy with the text's target distribution over concepts
  picture -> text   cross-entropy with the picture's concept

Two processes may train together (--rank 0 and --rank 1): see gossip.py.
"""
import argparse
import math
import time

import common
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from common import DIM, DIMS, SEED, SMOKE, SMOKE_LOCALES, work
from checkpoint import load_checkpoint
from gossip import Gossip
from model import Text, Vision, unit
from pictures import Pictures, augment, plain
from progress import Clock, load, recall, save, set_rate
from textdata import TextData, Tokenizer, flat, load_captions, padded

WATCH = SMOKE_LOCALES if SMOKE else ['en', 'ko', 'ar', 'fr', 'sw']


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
        out, score = [], []
        for locale, ids, answers in self.sets:
            r = recall(unit(encode(ids)) @ vectors.t(), answers)
            score.append(r[0] + r[1])
            out.append(f'{locale} {r[0]:.0f}/{r[1]:.0f}')
        return ' '.join(out), float(np.mean(score))


def encoder(text, bag):
    """list of id arrays -> raw vectors."""
    return (lambda ids: text.bag(*flat(ids))) if bag else (lambda ids: text(padded(ids)))


def groups_of(vision, text, scale, rate, text_rate):
    table = [text.word_embeddings.weight, text.token_type_embeddings.weight]
    return [{'params': list(vision.parameters()), 'lr': rate, 'weight_decay': 0.01},
            {'params': table + list(text.emb_ln.parameters()), 'lr': text_rate, 'weight_decay': 0.0},
            {'params': list(text.layers.parameters()), 'lr': text_rate * 0.4, 'weight_decay': 0.01},
            {'params': [scale], 'lr': 1e-3, 'weight_decay': 0.0}]


class Bank:
    """The last picture vector and text vector of every concept, and who looks alike."""

    def __init__(self, data, pictures, vision, encode):
        with torch.no_grad():
            rows = np.array([r[0] for r in pictures.by_concept])
            self.picture = torch.cat([unit(vision(plain(pictures.images[rows[i:i + 128]]))) for i in range(0, len(rows), 128)])
            names = [data.sequences([[data.pick(np.array([r]), np.array([False]))[0]] for r in
                                     [data.row_of(c) for _ in range(3)]], [0] * 3, 0.0) for c in range(data.concepts)]
            self.text = unit(unit(encode([s for n in names for s in n])).view(data.concepts, 3, -1).mean(1))
        self.refresh()

    def refresh(self):
        both = self.picture + self.text
        self.near = (unit(both) @ unit(both).t()).topk(17).indices[:, 1:].numpy()

    def draw(self, count, rng, concepts):
        """count distinct concepts; half of them as groups of four that are near each other."""
        chosen = {}
        while len(chosen) < count // 2:
            c = int(rng.integers(concepts))
            for other in [c, *rng.permutation(self.near[c])[:3]]:
                chosen[int(other)] = True
        while len(chosen) < count:
            chosen[int(rng.integers(concepts))] = True
        return np.array(list(chosen)[:count])


def main(seconds=None, steps=None, rate=4e-4, text_rate=1e-3, count=64, texts=4, rank=0, out='joint.pt', every=60,
         begin=0.0, bag=True, source=None):
    """Runs stage C; resumes from build/emoji/OUT, else starts from text.pt and vision.pt (or source: a checkpoint folder)."""
    torch.set_num_threads(1)
    state = load(work(out))
    step0 = state['step'] if state else 0
    torch.manual_seed(SEED + 100 + rank + step0)
    rng = np.random.default_rng(SEED + 100 + 7 * rank + step0)
    pictures, data = Pictures(), TextData(rng)
    count = min(count, data.concepts // 2)
    text, vision = Text(), Vision()
    scale = nn.Parameter(torch.tensor(math.log(20.0)))
    done = 0
    if state:
        bag = state['bag']
        text.load_state_dict(state['text'])
        vision.load_state_dict(state['vision'])
        scale.data = state['scale']
    elif source:
        # an exported text tower carries its scale and shift in the last norm: only the full tower fits
        text, vision, log_scale, meta = load_checkpoint(source)
        scale.data = log_scale.float().reshape(())
        bag, done = False, int(meta.get('clipglot.pictures', 0))
    else:
        text.load_state_dict(load(work('text.pt'))['text'])
        vision.load_state_dict(load(work('vision.pt'))['vision'])
    encode = encoder(text, bag)
    optimiser = torch.optim.AdamW(groups_of(vision, text, scale, rate, text_rate), betas=(0.9, 0.98))
    base = [g['lr'] for g in optimiser.param_groups]
    trained = [p for p in [*vision.parameters(), *text.parameters(), scale]
               if not bag or all(p is not q for q in text.layers.parameters())]
    clock = Clock(seconds, steps, max(begin, state['seconds'] if state else 0.0), step0)
    gossip = Gossip('/dev/shm/clipglot_emoji_joint', rank, trained) if seconds else None
    watch, bank = Watch(pictures), Bank(data, pictures, vision, encode)
    losses, seen, last, first, here = [], state['seen'] if state else done, clock.elapsed(), time.time(), 0
    print(f'joint {rank} start {watch.line(encode, vision)[0]}', flush=True)

    def keep(finished, score):
        if rank == 0:
            save(work(out), text=text.state_dict(), vision=vision.state_dict(), scale=scale.data, step=clock.step, seen=seen,
                 seconds=clock.elapsed(), finished=finished, score=score, bag=bag)

    while clock.part() < 1:
        set_rate(optimiser, base, clock.rate(40))
        turn = (clock.step - clock.fresh) % 4
        if turn == 0:
            drawn = [bank.draw(count, rng, data.concepts) for _ in range(4)]
            with torch.no_grad():
                views = augment(pictures, pictures.draw(np.concatenate(drawn), rng), 1.0, rng)
        concepts = drawn[turn]
        x = views[turn * count:(turn + 1) * count]
        rows = np.array([data.row_of(c) for c in concepts for _ in range(texts)])
        strings = data.pick(rows, rng.random(len(rows)) >= 0.6)
        target = torch.from_numpy(data.dense(strings))
        ids = data.sequences([[s] for s in strings], data.row_locale[rows], 0.1)
        f, e = vision(x), encode(ids)
        live = torch.from_numpy(concepts)
        answer = live.repeat_interleave(texts)
        loss = 0
        for d, weight in ((DIM, 0.6), (DIMS[rng.integers(3)], 0.4)):
            s = scale.exp().clamp(max=50)
            fd, ed = unit(f, d), unit(e, d)
            mean = unit(ed.view(count, texts, d).mean(1))
            gallery = unit(bank.picture, d).index_copy(0, live, fd)
            captions = unit(bank.text, d).index_copy(0, live, mean)
            forth = -(target * (s * ed @ gallery.t()).log_softmax(1)).sum(1).mean()
            back = F.cross_entropy(s * fd @ captions.t(), live, label_smoothing=0.02)
            each = F.cross_entropy(s * ed @ fd.t(), torch.arange(count).repeat_interleave(texts))
            loss = loss + weight * (0.5 * forth + 0.35 * back + 0.15 * each)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_([*vision.parameters(), text.word_embeddings.weight], 1.0)
        optimiser.step()
        with torch.no_grad():
            bank.picture[live] = unit(f.detach())
            bank.text[live] = unit(0.5 * bank.text[live] + 0.5 * unit(unit(e.detach()).view(count, texts, -1).mean(1)))
        clock.step += 1
        seen += count
        here += count
        losses.append(loss.item())
        if gossip and clock.step % 8 == 0:
            gossip.exchange()
        if clock.step % 120 == 0:
            bank.refresh()
        if clock.elapsed() - last > every:
            last = clock.elapsed()
            line, score = watch.line(encode, vision)
            print(f'joint {rank} step {clock.step} {last:.0f} s, {seen / 1e3:.0f} k pictures, {here / (time.time() - first):.0f}/s, '
                  f'loss {np.mean(losses[-200:]):.3f}, scale {scale.exp().item():.1f} | {line}', flush=True)
            keep(False, score)
    line, score = watch.line(encode, vision)
    keep(True, score)
    print(f'joint {rank} end, {seen / 1e3:.0f} k pictures | {line}', flush=True)


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seconds', type=float)
    parser.add_argument('--steps', type=int)
    parser.add_argument('--rank', type=int, default=0)
    parser.add_argument('--begin', type=float, default=0.0)
    parser.add_argument('--source', help='checkpoint folder to start both towers from')
    a = parser.parse_args()
    main(a.seconds, a.steps, rank=a.rank, begin=a.begin, source=a.source)
