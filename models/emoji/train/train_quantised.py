"""Stage "q4": both towers learn to bear four-bit weights.

A pack may keep its matrices in blocks of 32 columns with 4 bits each
(docs/FORMAT.md). Here each tower is its own teacher: with rounded weights (the
gradient passes the rounding as if it were not there) and with unrounded ones it
is asked for the vectors that it gave before, so that both kinds of pack stay as
good as they were. A few minutes, on training pictures and training texts.
"""
import argparse
import contextlib
import copy

import common
import numpy as np
import torch
from torch.nn import functional as F

from checkpoint import towers_of
from common import SEED, work
from encoders import Watch, encoder
from pictures import Pictures, augment
from progress import Clock, load, note, save, set_rate
from textdata import TextData

BLOCK = 32
# The steps that the largest magnitude may take (src/weights/quantize_q4.cc): -8 exists, +8 does not.
STEPS = (-8.0, -7.5, -8.4, -8.8, -9.4, 7.0, 6.6, 7.4, 7.8)


@torch.no_grad()
def rounded(weight):
    """A matrix as four bits keep it: the scale with the smallest squared error of each block, as bfloat16."""
    w = weight.reshape(-1, BLOCK)
    peak = w.gather(1, w.abs().max(1, keepdim=True).indices)
    peak = torch.where(peak == 0, torch.ones_like(peak), peak)
    best, scale = torch.full_like(peak, -1), torch.ones_like(peak)
    for steps in STEPS:
        q = (w * (steps / peak)).round().clamp(-8, 7)
        with_w, of = (w * q).sum(1, keepdim=True), (q * q).sum(1, keepdim=True).clamp(min=1)
        gain = with_w * with_w / of
        scale = torch.where(gain > best, with_w / of, scale)
        best = torch.maximum(best, gain)
    scale = torch.where(scale == 0, torch.ones_like(scale), scale).bfloat16().float()
    return ((w / scale).round().clamp(-8, 7) * scale).view_as(weight)


class Rounding:
    """The matrices of a tower, which it can swap for rounded ones. What rounding changes is renewed every few steps."""

    def __init__(self, tower, renew=4):
        self.matrices = [p for p in tower.parameters() if p.ndim == 2 and p.shape[0] > 1 and p.shape[1] % BLOCK == 0]
        self.renew, self.calls, self.change = renew, 0, []

    @contextlib.contextmanager
    def __call__(self):
        if self.calls % self.renew == 0:
            self.change = [rounded(p) - p.detach() for p in self.matrices]
        self.calls += 1
        with torch.no_grad():
            for p, change in zip(self.matrices, self.change):
                p += change
        yield
        with torch.no_grad():
            for p, change in zip(self.matrices, self.change):
                p -= change


def teach(tower, ask, batches, clock, rate, every, name):
    """ask(tower, batch) -> vectors. Gives the mean cosine with rounded weights, at the start and at the end."""
    teacher, rounding = copy.deepcopy(tower).requires_grad_(False), Rounding(tower)
    optimiser = torch.optim.AdamW(tower.parameters(), lr=rate, betas=(0.9, 0.98), weight_decay=0.0)
    seen, last = [], clock.elapsed()
    while clock.part() < 1:
        set_rate(optimiser, [rate], clock.rate(30))
        batch = next(batches)
        with torch.no_grad():
            wanted = ask(teacher, batch)
        optimiser.zero_grad(set_to_none=True)
        # the gradient is taken at the rounded weights: it must be finished before they are swapped back
        with rounding():
            coarse = F.cosine_similarity(ask(tower, batch), wanted).mean()
            (1 - coarse).backward()
        fine = F.cosine_similarity(ask(tower, batch), wanted).mean()
        (1 - fine).backward()
        optimiser.step()
        clock.step += 1
        seen.append((coarse.item(), fine.item()))
        if clock.elapsed() - last > every:
            last = clock.elapsed()
            print(f'q4 {name} step {clock.step} {last:.0f} s, cosine rounded {np.mean([s[0] for s in seen[-20:]]):.5f}, '
                  f'unrounded {np.mean([s[1] for s in seen[-20:]]):.5f}', flush=True)
    return np.mean([s[0] for s in seen[:10]]), np.mean([s[0] for s in seen[-10:]])


def main(seconds=None, steps=None, out='q4.pt', every=20, count=96, texts=384):
    """matryoshka.pt into q4.pt. seconds, steps: of each tower."""
    torch.set_num_threads(1)
    torch.manual_seed(SEED + 400)
    rng = np.random.default_rng(SEED + 400)
    known, pictures, data = load(work('matryoshka.pt')), Pictures(), TextData(rng)
    text, vision = towers_of(known)
    rows = np.nonzero(~pictures.held)[0]
    watch = Watch(pictures)
    print(f'q4 start | {watch.line(encoder(text, False), vision)[0]}', flush=True)

    def images():
        while True:
            yield augment(pictures, rng.choice(rows, count), float(rng.random()), rng)

    def strings():
        while True:
            drawn = data.rows(texts)
            picked = data.pick(drawn, rng.random(texts) < 0.5)
            yield data.sequences([[s] for s in picked], data.row_locale[drawn], 0.1)

    for name, tower, ask, batches, rate in (('vision', vision, lambda t, pixels: t(pixels), images(), 2e-4),
                                            ('text', text, lambda t, ids: encoder(t, False)(ids), strings(), 3e-4)):
        begin, end = teach(tower, ask, batches, Clock(seconds, steps), rate, every, name)
        print(f'q4 {name}: mean cosine of rounded weights to the tower as it was {begin:.5f} -> {end:.5f}', flush=True)
    line, found = watch.line(encoder(text, False), vision)
    note(work('curve.jsonl'), stage='q4', step=known['step'], pictures=known['seen'], seconds=0, loss=0, held=found)
    known.update(text=text.state_dict(), vision=vision.state_dict(), finished=True, found=found)
    save(work(out), **known)
    print(f'q4 end | {line}', flush=True)


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seconds', type=float)
    parser.add_argument('--steps', type=int)
    a = parser.parse_args()
    main(a.seconds, a.steps)
