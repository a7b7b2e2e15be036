"""Stage "hard-examples": the full text tower against real picture vectors, with the vision tower fixed.

A million strings are drawn a few times only while pictures are trained, because
a picture costs as much as many texts. Here texts are all there is: a bank of
vectors of all training pictures (plain and augmented) stands for the vision
tower, and of three candidates the string that lost most when it was last drawn
is taken (one never drawn before all). Short words gain most: their single piece is shared with
longer words that mean something else, and only the layers can tell them apart.
Scenes go on, so that word order is not forgotten.
"""
import argparse
import copy

import common
import numpy as np
import torch
from torch import nn

from checkpoint import load_checkpoint, towers_of
from common import DIM, DIMS, SEED, work
from async_averaging import AsyncAverage
from encoders import WORLD_SCALE, Watch, encoder, mean_texts, picture_bank
from model import unit
from pictures import Pictures
from progress import Clock, load, note, save, set_rate
from scenes import Scenes, scene_accuracy, scene_loss
from textdata import TextData

CANDIDATES = 2
KEEP = 0.3  # share of the weights at the beginning in the result
SINGLE = 0.3  # share of a batch: strings of one piece, all alike
SCENES = 16


class Drawer:
    """(rows, strings) of a batch: names 45 %, keywords 55 %, of a few candidates the hardest; and single pieces."""

    def __init__(self, data, rng):
        self.data, self.rng = data, rng
        self.hardness = np.full(len(data.start) - 1, np.inf, np.float32)  # what a string lost when it was last drawn
        self.row_of = np.zeros(len(self.hardness), np.int64)  # a row that has the string
        for strings, count in ((data.names, data.name_count), (data.words, data.word_count)):
            self.row_of[strings] = np.repeat(np.arange(len(count)), count)
        self.single = np.nonzero(data.lengths[0] == 1)[0]

    def __call__(self, count):
        singles = round(count * SINGLE)
        pairs = count - singles
        rows = self.data.rows(pairs * CANDIDATES)
        strings = self.data.pick(rows, np.repeat(self.rng.random(pairs) < 0.55, CANDIDATES))
        best = self.hardness[strings].reshape(pairs, CANDIDATES).argmax(1) + np.arange(pairs) * CANDIDATES
        alone = self.rng.choice(self.single, singles)
        return np.concatenate((rows[best], self.row_of[alone])), np.concatenate((strings[best], alone))


def start_of(source):
    """(text, vision, scale, pictures seen) of a checkpoint folder, or of full.pt."""
    if source:
        text, vision, log_scale, meta = load_checkpoint(source)
        return text, vision, log_scale.float().reshape(()), int(meta.get('clipglot.pictures', 0))
    known = load(work('full.pt'))
    text, vision = towers_of(known)
    return text, vision, known['scale'], known['seen']


@torch.no_grad()
def blend(text, begun):
    for name, p in text.state_dict().items():
        p.lerp_(begun[name], KEEP)


def main(seconds=None, steps=None, rate=1.2e-3, count=448, every=60, rank=0, views=2, source=None, out='hard_examples.pt'):
    """full.pt, or a checkpoint folder, into hard_examples.pt; resumes from the latter."""
    torch.set_num_threads(1)
    state = load(work(out))
    step0 = state['step'] if state else 0
    torch.manual_seed(SEED + 300 + rank + step0)
    rng = np.random.default_rng(SEED + 300 + 7 * rank + step0)
    pictures, data = Pictures(), TextData(rng)
    if state:
        (text, vision), seen = towers_of(state), state['seen']
        scale = nn.Parameter(state['scale'])
    else:
        text, vision, known, seen = start_of(source)
        scale = nn.Parameter(known)
    begun = state['begun'] if state else copy.deepcopy(text.state_dict())
    count = min(count, data.concepts * 4)
    vectors, labels = picture_bank(pictures, vision, rng, views)
    order = np.argsort(labels, kind='stable')
    begin = np.searchsorted(labels[order], np.arange(data.concepts + 1))
    table = [text.word_embeddings.weight, text.token_type_embeddings.weight, *text.emb_ln.parameters()]
    optimiser = torch.optim.AdamW([{'params': table, 'lr': rate, 'weight_decay': 0.0},
                                   {'params': list(text.layers.parameters()), 'lr': rate * 0.4, 'weight_decay': 0.01},
                                   {'params': [scale], 'lr': 1e-3, 'weight_decay': 0.0}], betas=(0.9, 0.98))
    base = [g['lr'] for g in optimiser.param_groups]
    encode, watch, stage = encoder(text, False), Watch(pictures), Scenes(data, pictures, rng)
    clock = Clock(seconds, steps, state['seconds'] if state else 0.0, step0)
    average = AsyncAverage('/dev/shm/clipglot_emoji_hard_examples', rank, [*text.parameters(), scale]) if seconds else None
    draw = Drawer(data, rng)
    losses, last, texts = [], clock.elapsed(), 0
    means = mean_texts(data, encode, data.concepts, 16)

    def keep(finished, found):
        if rank == 0:
            note(work('curve.jsonl'), stage='hard-examples', step=clock.step, pictures=seen, seconds=round(clock.elapsed()),
                 loss=round(float(np.mean(losses[-80:] or [0])), 3), held=found)
            save(work(out), text=text.state_dict(), vision=vision.state_dict(), scale=scale.data, step=clock.step, seen=seen,
                 seconds=clock.elapsed(), finished=finished, found=found, bag=False, begun=begun)

    print(f'hard-examples {rank} start | {watch.line(encode, vision)[0]}', flush=True)
    while clock.part() < 1:
        set_rate(optimiser, base, clock.rate(30))
        pick = begin[:-1] + (rng.random(data.concepts) * np.diff(begin)).astype(np.int64)
        gallery = vectors[order[np.minimum(pick, len(order) - 1)]]
        rows, strings = draw(count)
        target = torch.from_numpy(data.dense(strings))
        images, sentences = stage.draw(SCENES)
        e = encode(data.sequences([[s] for s in strings], data.row_locale[rows], 0.1) + sentences)
        with torch.no_grad():
            f_scene = vision(images)
        e, e_scene = e[:count], e[count:]
        dims = (DIM, 0.45), (64, 0.4), (int(rng.choice([d for d in DIMS if d not in (DIM, 64)])), 0.15)
        s, loss = scale.exp().clamp(max=40), 0
        for d, weight in dims:
            lost = -(target * (s * unit(e, d) @ unit(gallery, d).t()).log_softmax(1)).sum(1)
            together = -(target * (WORLD_SCALE * unit(e, d) @ unit(means, d).t()).log_softmax(1)).sum(1).mean()
            if d == DIM:  # above what is left when the target itself is met
                draw.hardness[strings] = (lost.detach() + torch.xlogy(target, target).sum(1)).numpy()
            loss = loss + weight * (0.7 * lost.mean() + 0.3 * together)
        loss = loss + 0.2 * scene_loss(f_scene, e_scene, s, dims)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(table, 1.0)
        optimiser.step()
        clock.step += 1
        texts += count
        losses.append(loss.item())
        if average and clock.step % 4 == 0:
            average.exchange()
        if (clock.step - clock.fresh) % 1200 == 0:
            means = mean_texts(data, encode, data.concepts, 16)
        if clock.elapsed() - last > every:
            last = clock.elapsed()
            line, found = watch.line(encode, vision)
            print(f'hard-examples {rank} step {clock.step} {last:.0f} s, {texts / 1e3:.0f} k texts, loss {np.mean(losses[-80:]):.3f}, '
                  f'scale {scale.exp().item():.1f} | {line} scenes {scene_accuracy(vision, encode, stage):.0f}', flush=True)
            keep(False, found)
    blend(text, begun)
    line, found = watch.line(encode, vision)
    keep(True, found)
    print(f'hard-examples {rank} end, {texts / 1e3:.0f} k texts | {line}', flush=True)


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seconds', type=float)
    parser.add_argument('--steps', type=int)
    parser.add_argument('--rank', type=int, default=0)
    parser.add_argument('--source', help='checkpoint folder to start from, instead of build/emoji/full.pt')
    a = parser.parse_args()
    main(a.seconds, a.steps, rank=a.rank, source=a.source)
