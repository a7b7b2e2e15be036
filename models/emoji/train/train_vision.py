"""Stage "vision": the vision tower against the frozen concept proxies of the stage "text".

Loss: cross-entropy over all proxies at full size (0.7) and one smaller size
(0.3), plus an auxiliary task that fades out: a linear layer from the CLS output
to small *visual* proxies (PCA of each concept's mean 16 x 16 picture).

Two processes may train together (--rank 0 and --rank 1): see async_averaging.py.
"""
import argparse
import math
import os
import time

import common
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from common import DIM, DIMS, SEED, work
from async_averaging import AsyncAverage
from model import Vision, unit
from pictures import Pictures, augment, plain
from progress import Clock, load, recall, save, set_rate


def visual_proxies(pictures, size=64):
    """concepts x size, unit rows: what each concept looks like on average."""
    means = []
    for rows in pictures.by_concept:
        small = F.avg_pool2d(plain(pictures.images[rows[:6]]), 4).flatten(1)
        means.append(small.mean(0))
    x = torch.stack(means)
    u, s, _ = torch.linalg.svd(x - x.mean(0), full_matrices=False)
    return unit(u[:, :size] * s[:size] ** 0.5)


def groups(vision, extra=()):
    """AdamW groups: weight decay on matrices only."""
    matrices, rest = [], list(extra)
    for name, p in vision.named_parameters():
        (matrices if p.ndim > 1 and name not in ('pos_embed', 'cls_token') else rest).append(p)
    return [{'params': matrices, 'weight_decay': 0.03}, {'params': rest, 'weight_decay': 0.0}]


@torch.no_grad()
def held_recall(vision, pictures, proxies):
    """R@1 and R@10 of the held pictures of the training styles against the proxies."""
    rows = np.nonzero(pictures.held)[0]
    vectors = torch.cat([unit(vision(plain(pictures.images[rows[i:i + 128]]))) for i in range(0, len(rows), 128)])
    return recall(vectors @ unit(proxies).t(), torch.from_numpy(pictures.labels[rows]).long())


def main(seconds=None, steps=None, rate=1.2e-3, count=32, init=None, rank=0, out='vision.pt', text='text.pt', every=60,
         begin=0.0):
    """Runs the stage; resumes from build/emoji/OUT. begin: seconds of the schedule that are already over (rank 1)."""
    torch.set_num_threads(1)
    torch.manual_seed(SEED + rank)
    state = load(work(out))
    rng = np.random.default_rng(SEED + 7 * rank + (state['step'] if state else 0))
    torch.manual_seed(SEED + rank + (state['step'] if state else 0))
    pictures = Pictures()
    looks = visual_proxies(pictures)
    vision, scale, aux = Vision(), nn.Parameter(torch.tensor(math.log(12.0))), nn.Linear(DIM, looks.shape[1])
    if state:
        vision.load_state_dict(state['vision'])
        scale.data = state['scale']
        aux.load_state_dict(state['aux'])
    elif init:
        from checkpoint import load_checkpoint
        vision.load_state_dict(load_checkpoint(init)[1].state_dict())
    else:
        vision.cold_start()
    proxies_file = work(text)
    seen_at = os.path.getmtime(proxies_file)
    known = load(proxies_file)
    proxies, frozen = known['proxies'], known['finished']
    optimiser = torch.optim.AdamW(groups(vision, [scale, *aux.parameters()]), lr=rate, betas=(0.9, 0.98))
    if state and 'optimiser' in state:
        optimiser.load_state_dict(state['optimiser'])
    clock = Clock(seconds, steps, max(begin, state['seconds'] if state else 0.0), state['step'] if state else 0)
    average = AsyncAverage('/dev/shm/clipglot_emoji_vision', rank, [*vision.parameters(), scale, *aux.parameters()]) if seconds else None
    losses, hits, seen, last, first = [], [], state['seen'] if state else 0, clock.elapsed(), time.time()
    here = 0

    def keep(finished):
        if rank == 0:
            save(work(out), vision=vision.state_dict(), scale=scale.data, aux=aux.state_dict(), step=clock.step, seen=seen,
                 seconds=clock.elapsed(), optimiser=optimiser.state_dict(), finished=finished)

    while clock.part() < 1:
        part = clock.part()
        set_rate(optimiser, [rate] * 2, clock.rate(20 if state else 150, 0.1))
        turn = (clock.step - clock.fresh) % 8
        if turn == 0:  # augmenting many pictures at once is cheaper
            labels = rng.choice(pictures.present, count * 8)
            with torch.no_grad():
                views = augment(pictures, pictures.draw(labels, rng), min(1.0, 0.2 + 1.4 * part), rng)
            labels = torch.from_numpy(labels)
        at = slice(turn * count, (turn + 1) * count)
        vectors, answer = vision(views[at]), labels[at]
        loss = 0
        for d, weight in ((DIM, 0.7), (DIMS[rng.integers(3)], 0.3)):
            logits = scale.exp().clamp(max=40) * unit(vectors, d) @ unit(proxies, d).t()
            loss = loss + weight * F.cross_entropy(logits, answer, label_smoothing=0.02)
            if d == DIM:
                hits.append((logits.argmax(-1) == answer).float().mean().item())
        losses.append(loss.item())
        look = 10 * unit(aux(vectors)) @ looks.t()
        optimiser.zero_grad(set_to_none=True)
        (loss + 0.5 * (1 - part) * F.cross_entropy(look, answer)).backward()
        torch.nn.utils.clip_grad_norm_(vision.parameters(), 1.0)
        optimiser.step()
        clock.step += 1
        seen += count
        here += count
        if average and clock.step % 8 == 0:
            average.exchange()
        if clock.elapsed() - last > every:
            last = clock.elapsed()
            if not frozen and os.path.getmtime(proxies_file) != seen_at:
                seen_at = os.path.getmtime(proxies_file)
                known = load(proxies_file)
                proxies, frozen = known['proxies'], known['finished']
            r = held_recall(vision, pictures, proxies)
            print(f'vision {rank} step {clock.step} {last:.0f} s, {seen / 1e3:.0f} k pictures, {here / (time.time() - first):.0f}/s, '
                  f'loss {np.mean(losses[-300:]):.3f}, acc {np.mean(hits[-300:]):.3f}, scale {scale.exp().item():.1f} '
                  f'| held R@1/R@10 {r[0]:.1f}/{r[1]:.1f}', flush=True)
            keep(False)
    keep(True)


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seconds', type=float)
    parser.add_argument('--steps', type=int)
    parser.add_argument('--init', help='checkpoint folder to start the tower from')
    parser.add_argument('--rank', type=int, default=0)
    parser.add_argument('--begin', type=float, default=0.0)
    a = parser.parse_args()
    main(a.seconds, a.steps, init=a.init, rank=a.rank, begin=a.begin)
