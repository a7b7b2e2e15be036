"""Stages "joint" and "full": both towers, text against picture.

Towers that were trained only against proxies do not meet. Each step draws
concepts (half of them as groups of look-alikes), one picture and several texts
each, and adds two kinds of loss:

  in the batch     text against picture, both ways, with soft positives: a
                   keyword that also fits another picture of the batch is no
                   negative
  over the world   every picture against the mean text of all concepts, every
                   text against one picture of all concepts and (so that
                   languages stay together) against their mean texts

The tables are recomputed as a whole every few minutes. (A bank that
takes over single fresh vectors fails here: live columns are then told apart
from stale ones, and the towers drift instead of learning.)

Two processes may train together (--rank 0 and --rank 1): see async_averaging.py.
"""
import argparse
import math
import time

import common
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from common import DIM, SEED, work
from async_averaging import AsyncAverage
from checkpoint import load_checkpoint
from encoders import WORLD_SCALE, Watch, dims_of, encoder, looker, mean_texts
from model import Text, Vision, unit
from pictures import Pictures, augment, plain
from progress import Clock, load, note, save, set_rate
from scenes import Scenes, scene_accuracy, scene_loss
from textdata import TextData


def groups_of(vision, text, scale, rate, text_rate):
    table = [text.word_embeddings.weight, text.token_type_embeddings.weight]
    return [{'params': list(vision.parameters()), 'lr': rate, 'weight_decay': 0.01},
            {'params': table + list(text.emb_ln.parameters()), 'lr': text_rate, 'weight_decay': 0.0},
            {'params': list(text.layers.parameters()), 'lr': text_rate * 0.4, 'weight_decay': 0.01},
            {'params': [scale], 'lr': 1e-3, 'weight_decay': 0.0}]


class World:
    """The pictures and the mean text of every concept, and who looks alike; all of the same age."""

    def __init__(self, data, pictures):
        self.data, self.pictures = data, pictures

    @torch.no_grad()
    def refresh(self, vision, encode, each=16):
        rows = np.nonzero(~self.pictures.held & ~self.pictures.toned)[0]
        vectors = torch.cat([unit(vision(plain(self.pictures.images[rows[i:i + 128]]))) for i in range(0, len(rows), 128)])
        labels = torch.from_numpy(self.pictures.labels[rows]).long()
        means = unit(torch.zeros(self.data.concepts, DIM).index_add_(0, labels, vectors))
        order = labels.argsort()
        self.vectors = vectors[order]
        self.begin = np.searchsorted(labels[order].numpy(), np.arange(self.data.concepts + 1))
        self.text = mean_texts(self.data, encode, self.data.concepts, each)
        both = unit(means + self.text)
        self.near = (both @ both.t()).topk(17).indices[:, 1:].numpy()

    def gallery(self, draw):
        """One picture vector of every concept, as in a gallery (concepts x dim); draw: a number in [0, 1) of each concept."""
        pick = self.begin[:-1] + (draw * np.diff(self.begin)).astype(np.int64)
        return self.vectors[np.minimum(pick, len(self.vectors) - 1)]

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


def draw_texts(data, concepts, texts, rng, hardness=None):
    """(rows, strings) of so many texts of each concept: names 60 %, keywords 40 %.

    hardness: what each string lost last time (inf: never drawn). Of two candidates the harder one is taken, because
    most of a million strings are drawn a few times only.
    """
    words = rng.random(len(concepts) * texts) >= 0.6

    def candidates():
        rows = np.array([data.row_of(c) for c in concepts for _ in range(texts)])
        return rows, data.pick(rows, words)
    rows, strings = candidates()
    if hardness is not None:
        other_rows, other = candidates()
        harder = hardness[other] > hardness[strings]
        rows, strings = np.where(harder, other_rows, rows), np.where(harder, other, strings)
    return rows, strings


def main(seconds=None, steps=None, rate=1e-3, text_rate=2e-3, count=128, texts=6, rank=0, out='joint.pt', every=60,
         begin=0.0, bag=True, source=None, start=None, scenes=0):
    """Runs the stage; resumes from build/emoji/OUT, else starts from text.pt and vision.pt (or source: a checkpoint folder).

    start: a file of this stage below build/emoji to start from; a bag becomes the full tower. scenes: so many a step.
    """
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
    elif start:
        known = load(work(start))
        text.load_state_dict(known['text'])
        vision.load_state_dict(known['vision'])
        scale.data, done = known['scale'], known['seen']
        if known['bag']:
            text.bag_to_full()
        bag = False
    else:
        text.load_state_dict(load(work('text.pt'))['text'])
        vision.load_state_dict(load(work('vision.pt'))['vision'])
    encode, look = encoder(text, bag), looker(vision)
    optimiser = torch.optim.AdamW(groups_of(vision, text, scale, rate, text_rate), betas=(0.9, 0.98))
    base = [g['lr'] for g in optimiser.param_groups]
    trained = [p for p in [*vision.parameters(), *text.parameters(), scale]
               if not bag or all(p is not q for q in text.layers.parameters())]
    clock = Clock(seconds, steps, max(begin, state['seconds'] if state else 0.0), step0)
    average = AsyncAverage('/dev/shm/clipglot_emoji_joint', rank, trained) if seconds else None
    watch, world = Watch(pictures), World(data, pictures)
    stage = Scenes(data, pictures, rng) if scenes else None
    hardness = None if bag else np.full(len(data.start) - 1, np.inf, np.float32)
    world.refresh(vision, encode, 16 if bag else 6)
    losses, seen, last, first, here = [], state['seen'] if state else done, clock.elapsed(), time.time(), 0
    print(f'joint {rank} start {watch.line(encode, vision)[0]}', flush=True)

    def keep(finished, found):
        if rank == 0:
            note(work('curve.jsonl'), stage='joint' if bag else 'full', step=clock.step, pictures=seen,
                 seconds=round(clock.elapsed()), loss=round(float(np.mean(losses[-80:] or [0])), 3), held=found)
            save(work(out), text=text.state_dict(), vision=vision.state_dict(), scale=scale.data, step=clock.step, seen=seen,
                 seconds=clock.elapsed(), finished=finished, found=found, bag=bag)

    while clock.part() < 1:
        set_rate(optimiser, base, clock.rate(15))
        turn = (clock.step - clock.fresh) % 2
        if turn == 0:
            drawn = [world.draw(count, rng, data.concepts) for _ in range(2)]
            with torch.no_grad():
                views = augment(pictures, pictures.draw(np.concatenate(drawn), rng), 1.0, rng)
        concepts = drawn[turn]
        x = views[turn * count:(turn + 1) * count]
        rows, strings = draw_texts(data, concepts, texts, rng, hardness)
        target = torch.from_numpy(data.dense(strings))
        ids = data.sequences([[s] for s in strings], data.row_locale[rows], 0.1)
        extra = stage.draw(scenes) if scenes else None
        f, e = look(torch.cat((x, extra[0])) if scenes else x), encode(ids + extra[1] if scenes else ids)
        if scenes:
            f, f_scene, e, e_scene = f[:count], f[count:], e[:len(ids)], e[len(ids):]
        answer = torch.from_numpy(concepts)
        batch = target[:, answer] + 1e-6 * F.one_hot(torch.arange(count).repeat_interleave(texts), count)
        forth_target = batch / batch.sum(1, keepdim=True)
        back_target = (batch / batch.sum(0, keepdim=True)).t()
        gallery = world.gallery(rng.random(data.concepts))
        loss = 0
        for d, weight in dims_of(rng):
            s = scale.exp().clamp(max=40)
            fd, ed = unit(f, d), unit(e, d)
            means = unit(world.text, d).t()
            scores = s * ed @ fd.t()
            forth = -(forth_target * scores.log_softmax(1)).sum(1).mean()
            back = -(back_target * scores.t().log_softmax(1)).sum(1).mean()
            over_texts = F.cross_entropy(WORLD_SCALE * fd @ means, answer, label_smoothing=0.02)
            lost = -(target * (WORLD_SCALE * ed @ unit(gallery, d).t()).log_softmax(1)).sum(1)
            over_pictures = lost.mean()
            if hardness is not None and d == DIM:  # above what is left when the target itself is met
                hardness[strings] = (lost.detach() + torch.xlogy(target, target).sum(1)).numpy()
            together = -(target * (WORLD_SCALE * ed @ means).log_softmax(1)).sum(1).mean()
            loss = loss + weight * (0.5 * (forth + back) + 0.35 * over_texts + 0.35 * over_pictures + 0.25 * together)
        if scenes:
            loss = loss + 0.3 * scene_loss(f_scene, e_scene, scale.exp().clamp(max=40), dims_of(rng))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_([*vision.parameters(), text.word_embeddings.weight], 1.0)
        optimiser.step()
        clock.step += 1
        seen += count
        here += count
        losses.append(loss.item())
        if average and clock.step % 4 == 0:
            average.exchange()
        if (clock.step - clock.fresh) % 300 == 0:
            world.refresh(vision, encode, 16 if bag else 6)
        if clock.elapsed() - last > every:
            last = clock.elapsed()
            line, found = watch.line(encode, vision)
            line += f' scenes {scene_accuracy(vision, encode, stage):.0f}' if scenes else ''
            print(f'joint {rank} step {clock.step} {last:.0f} s, {seen / 1e3:.0f} k pictures, {here / (time.time() - first):.0f}/s, '
                  f'loss {np.mean(losses[-80:]):.3f}, scale {scale.exp().item():.1f} | {line}', flush=True)
            keep(False, found)
    line, found = watch.line(encode, vision)
    keep(True, found)
    print(f'joint {rank} end, {seen / 1e3:.0f} k pictures | {line}', flush=True)


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seconds', type=float)
    parser.add_argument('--steps', type=int)
    parser.add_argument('--rank', type=int, default=0)
    parser.add_argument('--begin', type=float, default=0.0)
    parser.add_argument('--source', help='checkpoint folder to start both towers from')
    parser.add_argument('--full', action='store_true', help='the full text tower, from joint.pt into full.pt, with scenes')
    a = parser.parse_args()
    if a.full or a.source:
        main(a.seconds, a.steps, rate=5e-4, text_rate=1.5e-3, count=96, texts=4, rank=a.rank, out='full.pt', begin=a.begin,
             source=a.source, start=None if a.source else 'joint.pt', scenes=24)
    else:
        main(a.seconds, a.steps, rank=a.rank, begin=a.begin)
