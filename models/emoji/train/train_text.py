"""Stage "text": the text tower as a bag of subwords, against a table of concept proxies.

The layers of a fresh text tower are only norms (out_proj and fc2 start at
zero), so this stage skips them and trains the embeddings, emb_ln and the
proxies: ten times faster than the full tower.

Loss: cross-entropy between each text's target distribution over all concepts
and softmax(scale * cos(text, proxy)), at full size and at one smaller size.
"""
import argparse
import os

import common
import numpy as np
import torch

from common import DIM, DIMS, SEED, SMOKE, SMOKE_LOCALES, work
from model import Text, unit
from progress import Clock, load, recall, save, set_rate
from textdata import TextData, Tokenizer, flat, load_captions

WATCH = SMOKE_LOCALES if SMOKE else ['en', 'ko', 'ar', 'fr', 'zh', 'sw', 'so', 'ka', 'hi']


def proxy_loss(vectors, proxies, target, scale, dims):
    loss = 0
    for d in dims:
        logits = scale * unit(vectors, d) @ unit(proxies, d).t()
        loss = loss - (target * logits.log_softmax(-1)).sum(-1).mean()
    return loss / len(dims)


class Watch:
    """Recall of names against the proxies, a quarter of the names of a few languages."""

    def __init__(self):
        captions, tokenizer = load_captions(), Tokenizer()
        self.sets = []
        for locale in WATCH:
            rows = [(names[0], c) for c, names, _, _ in captions['data'][locale] if names][::4]
            ids = [np.array(tokenizer.ids(t)) for t, _ in rows]
            self.sets.append((locale, flat(ids), torch.tensor([c for _, c in rows])))

    @torch.no_grad()
    def line(self, text, proxies):
        table = unit(proxies).t()
        out = []
        for locale, ids, answers in self.sets:
            r = recall(unit(text.bag(*ids)) @ table, answers)
            out.append(f'{locale} {r[0]:.0f}/{r[1]:.0f}')
        return ' '.join(out)


def visual_start(concepts, folder):
    """Proxies that begin where an earlier vision tower puts the pictures: concepts x DIM."""
    from checkpoint import load_checkpoint
    from pictures import Pictures, plain
    _, vision, _, _ = load_checkpoint(folder)
    pictures = Pictures(tones=False)
    with torch.no_grad():
        vectors = torch.cat([unit(vision(plain(pictures.images[i:i + 256]))) for i in range(0, len(pictures.labels), 256)])
    total = torch.zeros(concepts, DIM).index_add_(0, torch.from_numpy(pictures.labels).long(), vectors)
    mean = total / torch.from_numpy(np.bincount(pictures.labels, minlength=concepts).clip(1))[:, None]
    return unit(mean - vectors.mean(0)) * 0.5


def main(seconds=None, steps=None, rate=4e-3, count=2048, init=None, out='text.pt', every=60):
    """Runs the stage; resumes from build/emoji/OUT when it is there."""
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    state = load(work(out))
    rng = np.random.default_rng(SEED + (state['step'] if state else 0))
    data = TextData(rng)
    text = Text()
    proxies = torch.nn.Parameter(torch.randn(data.concepts, DIM) * 0.03)
    if init and not state:
        proxies.data += visual_start(data.concepts, init)
        print('proxies start from the pictures', flush=True)
    scale = torch.nn.Parameter(torch.tensor(np.log(12.0), dtype=torch.float32))
    optimiser = torch.optim.AdamW([
        {'params': [text.word_embeddings.weight, text.token_type_embeddings.weight, *text.emb_ln.parameters(), proxies],
         'lr': rate}, {'params': [scale], 'lr': 1e-3}], betas=(0.9, 0.98), weight_decay=0.0)
    done = 0.0
    if state:
        text.load_state_dict(state['text'])
        proxies.data, scale.data = state['proxies'], state['scale']
        done = state['seconds']
        if 'optimiser' in state:
            optimiser.load_state_dict(state['optimiser'])
    base = [rate, 1e-3]
    clock = Clock(seconds, steps, done, state['step'] if state else 0)
    watch = Watch()
    losses, seen, last = [], state['seen'] if state else 0, clock.elapsed()

    def keep(finished):
        save(work(out), text=text.state_dict(), proxies=proxies.data, scale=scale.data, step=clock.step, seen=seen,
             seconds=clock.elapsed(), optimiser=optimiser.state_dict(), finished=finished)

    while clock.part() < 1:
        set_rate(optimiser, base, clock.rate())
        sequences, target = data.batch(count)
        ids, owner, lengths = flat(sequences)
        dims = [DIM, DIMS[rng.integers(3)]]
        loss = proxy_loss(text.bag(ids, owner, lengths), proxies, target, scale.exp().clamp(max=40), dims)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(optimiser.param_groups[0]['params'], 1.0)
        optimiser.step()
        clock.step += 1
        seen += count
        losses.append(loss.item())
        if clock.elapsed() - last > every:
            last = clock.elapsed()
            print(f'text step {clock.step} {last:.0f} s, {seen / 1e6:.2f} M texts, loss {np.mean(losses[-50:]):.3f}, '
                  f'scale {scale.exp().item():.1f} | R@1/R@10 {watch.line(text, proxies)}', flush=True)
            keep(False)
    keep(True)
    print(f'text end: {seen / 1e6:.2f} M texts | {watch.line(text, proxies)}', flush=True)


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seconds', type=float)
    parser.add_argument('--steps', type=int)
    parser.add_argument('--init', help='checkpoint folder whose vision tower places the proxies')
    a = parser.parse_args()
    main(a.seconds, a.steps, init=a.init)
