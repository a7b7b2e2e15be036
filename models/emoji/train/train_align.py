"""Stage "align": the bag of subwords against real picture vectors, with the vision tower fixed.

Towers that were trained only against proxies do not meet. Texts are thirty
times cheaper than pictures, so most of the way is gone by the text: a bank of
vectors of all training pictures (plain and augmented) is computed once, and
each few steps one of them stands for each concept, as in a gallery. A second
term keeps the languages together: text against the mean text of each concept,
as it was at the start. Then the proxies become the mean text vectors, for the
vision stage to go on with.
"""
import argparse

import common
import numpy as np
import torch

from common import SEED, work
from encoders import Watch, dims_of, encoder, mean_texts, picture_bank
from model import Text, Vision
from pictures import Pictures
from progress import Clock, load, save, set_rate
from textdata import TextData, flat
from train_text import proxy_loss


def main(seconds=None, steps=None, rate=3e-3, count=1536, every=60, out='text.pt', views=2):
    """text.pt and vision.pt -> text.pt with text that meets the pictures, and new proxies."""
    torch.set_num_threads(1)
    torch.manual_seed(SEED + 50)
    rng = np.random.default_rng(SEED + 50)
    pictures, data = Pictures(), TextData(rng)
    known, seen = load(work('text.pt')), load(work('vision.pt'))
    text, vision = Text(), Vision()
    text.load_state_dict(known['text'])
    vision.load_state_dict(seen['vision'])
    vectors, labels = picture_bank(pictures, vision, rng, views)
    order = np.argsort(labels, kind='stable')
    begin = np.searchsorted(labels[order], np.arange(data.concepts + 1))
    watch = Watch(pictures)
    scale = torch.nn.Parameter(torch.tensor(np.log(16.0), dtype=torch.float32))
    table = [text.word_embeddings.weight, text.token_type_embeddings.weight, *text.emb_ln.parameters()]
    optimiser = torch.optim.AdamW([{'params': table}, {'params': [scale]}], betas=(0.9, 0.98), weight_decay=0.0)
    clock, losses, last = Clock(seconds, steps), [], 0.0
    encode = encoder(text, True)
    means = mean_texts(data, encode, data.concepts, 48)
    print(f'align start | {watch.line(encode, vision)[0]}', flush=True)
    while clock.part() < 1:
        set_rate(optimiser, [rate, 1e-3], clock.rate(30))
        if clock.step % 4 == 0:
            pick = begin[:-1] + (rng.random(data.concepts) * np.diff(begin)).astype(np.int64)
            gallery = vectors[order[np.minimum(pick, len(order) - 1)]]
        sequences, target = data.batch(count)
        vectors_now, temperature, loss = text.bag(*flat(sequences)), scale.exp().clamp(max=40), 0
        for d, weight in dims_of(rng):
            loss = loss + weight * (0.6 * proxy_loss(vectors_now, gallery, target, temperature, [d])
                                    + 0.4 * proxy_loss(vectors_now, means, target, temperature, [d]))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(table, 1.0)
        optimiser.step()
        clock.step += 1
        losses.append(loss.item())
        if clock.elapsed() - last > every:
            last = clock.elapsed()
            print(f'align step {clock.step} {last:.0f} s, loss {np.mean(losses[-100:]):.3f}, scale {scale.exp().item():.1f} '
                  f'| {watch.line(encode, vision)[0]}', flush=True)
    known.update(text=text.state_dict(), proxies=mean_texts(data, encode, data.concepts), scale=scale.data, finished=True,
                 seen=known['seen'] + clock.step * count)
    known.pop('optimiser', None)
    save(work(out), **known)
    print(f'align end, {clock.step * count} texts | {watch.line(encode, vision)[0]}', flush=True)


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seconds', type=float)
    parser.add_argument('--steps', type=int)
    parser.add_argument('--views', type=int, default=2)
    a = parser.parse_args()
    main(a.seconds, a.steps, views=a.views)
