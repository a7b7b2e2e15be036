"""Stage "matryoshka": the first numbers of a vector learn to order things as all of them do.

People cut vectors to 64 numbers first, and what a cut costs is how far its order
of results is from the full vector's. So both towers, as they were, are the
teacher: their scores with all numbers (texts against the pictures of a batch,
texts against one picture and against the mean text of every concept, pictures
against the mean text of every concept) are what the cut scores are asked for,
and the uncut ones as well, so that the full vector stays as good as it was. A
share of each target is the truth. Words of one piece, which few batches bring,
are drawn besides, or the layers would forget them. Every size has a temperature
of its own: short vectors are noisier.
(The loss is that of "relational" distillation, here from a size to a smaller
one of the same vector; Matryoshka Representation Learning, arXiv:2205.13147,
asks every size for the truth alone.)
"""
import argparse
import copy

import common
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from checkpoint import load_checkpoint, towers_of
from common import DIM, DIMS, SEED, work
from async_averaging import AsyncAverage
from encoders import WORLD_SCALE, Watch, encoder, looker
from model import unit
from pictures import Pictures, augment
from progress import Clock, load, note, recall, save, set_rate
from scenes import Scenes, scene_accuracy
from textdata import TextData
from train_hard_examples import Drawer
from train_joint import World, draw_texts, groups_of

TRUTH = 0.3  # share of the truth in a target; the rest is the teacher's
WEIGHTS = {64: 0.5, DIM: 0.3}  # the remaining 0.2 goes to one of the other sizes


def blended(scores, truth):
    """What the teacher's scores say, mixed with the truth: rows that sum to 1."""
    return (1 - TRUTH) * scores.softmax(1) + TRUTH * truth


def distance(scores, target):
    return -(target * scores.log_softmax(1)).sum(1).mean()


@torch.no_grad()
def kept(watch, encode, vision, dims=64):
    """Recall@10 on the held pictures with so many numbers, of what it is with all; a mean over the watched languages."""
    from pictures import plain
    pixels = watch.pictures.images[watch.gallery]
    raw = torch.cat([vision(plain(pixels[i:i + 128])) for i in range(0, len(pixels), 128)])
    found = {DIM: 0.0, dims: 0.0}
    for _, ids, answers in watch.sets:
        vectors = encode(ids)
        for d in found:
            found[d] += recall(unit(vectors, d) @ unit(raw, d).t(), answers)[1]
    return found[dims] / found[DIM]


def main(seconds=None, steps=None, rate=4e-4, text_rate=1e-3, count=128, texts=3, singles=128, every=60, rank=0, source=None,
         start=None, out='matryoshka.pt'):
    """hard_examples.pt, or a checkpoint folder (source), into matryoshka.pt; resumes from the latter, with the same teacher.

    start: a stage file below build/emoji whose towers are taught, instead of the teacher's own.
    """
    torch.set_num_threads(1)
    state = load(work(out))
    step0 = state['step'] if state else 0
    torch.manual_seed(SEED + 500 + rank + step0)
    rng = np.random.default_rng(SEED + 500 + 7 * rank + step0)
    pictures, data = Pictures(), TextData(rng)
    count = min(count, data.concepts // 2)
    if source:
        *taught, scale, meta = load_checkpoint(source)
        scale, seen = scale.float().reshape(()), int(meta.get('clipglot.pictures', 0))
    else:
        known = load(work('hard_examples.pt'))
        taught, scale, seen = towers_of(known), known['scale'], known['seen']
    begin = state or (load(work(start)) if start else None)
    teacher_text, teacher_vision = (tower.eval().requires_grad_(False) for tower in taught)
    text, vision = towers_of(begin) if begin else (copy.deepcopy(tower).requires_grad_(True) for tower in taught)
    temperature = scale.exp().clamp(max=40)
    scales = nn.ParameterDict({str(d): nn.Parameter(scale.clone()) for d in DIMS if d != DIM})
    if begin:
        scales.load_state_dict(begin['scales'])
        seen = begin['seen']
    encode, look = encoder(text, False), looker(vision)
    teacher_encode, teacher_look = encoder(teacher_text, False), looker(teacher_vision)
    groups = groups_of(vision, text, nn.Parameter(torch.zeros(())), rate, text_rate)
    groups[-1]['params'] = list(scales.parameters())
    optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.98))
    base = [g['lr'] for g in optimiser.param_groups]
    clock = Clock(seconds, steps, state['seconds'] if state else 0.0, step0)
    trained = [*vision.parameters(), *text.parameters(), *scales.parameters()]
    average = AsyncAverage('/dev/shm/clipglot_emoji_matryoshka', rank, trained) if seconds else None
    drawer = Drawer(data, rng)
    watch, stage = Watch(pictures), Scenes(data, pictures, rng)
    world, teacher_world = World(data, pictures), World(data, pictures)
    world.refresh(vision, encode, 6)
    teacher_world.refresh(teacher_vision, teacher_encode, 16)
    hardness = np.full(len(data.start) - 1, np.inf, np.float32)
    losses, last, here = [], clock.elapsed(), 0

    def keep(finished, found):
        if rank == 0:
            note(work('curve.jsonl'), stage='matryoshka', step=clock.step, pictures=seen, seconds=round(clock.elapsed()),
                 loss=round(float(np.mean(losses[-80:] or [0])), 3), held=found)
            save(work(out), text=text.state_dict(), vision=vision.state_dict(), scale=scale, scales=scales.state_dict(),
                 step=clock.step, seen=seen, seconds=clock.elapsed(), finished=finished, found=found, bag=False)

    def line():
        held, found = watch.line(encode, vision)
        return f'{held} kept at 64 {100 * kept(watch, encode, vision):.1f} %', found

    print(f'matryoshka {rank} start | {line()[0]}', flush=True)
    while clock.part() < 1:
        set_rate(optimiser, base, clock.rate(30))
        concepts = world.draw(count, rng, data.concepts)
        with torch.no_grad():
            views = augment(pictures, pictures.draw(concepts, rng), float(rng.uniform(0.5, 1)), rng)
        rows, strings = draw_texts(data, concepts, texts, rng, hardness)
        alone = rng.choice(drawer.single, singles)
        rows, strings = np.concatenate((rows, drawer.row_of[alone])), np.concatenate((strings, alone))
        truth = torch.from_numpy(data.dense(strings))
        images, sentences = stage.draw(16)
        ids = data.sequences([[s] for s in strings], data.row_locale[rows], 0.1)
        batch, asked = torch.cat((views, images)), ids + sentences
        with torch.no_grad():
            taught_f, taught_e = unit(teacher_look(batch)), unit(teacher_encode(asked))
        f, e = look(batch), encode(asked)
        answer = torch.from_numpy(concepts)
        pairs = count * texts  # the first texts belong to the pictures of the batch
        own = truth[:pairs, answer] + 1e-6 * F.one_hot(torch.arange(count).repeat_interleave(texts), count)
        pick = rng.random(data.concepts)
        gallery, means = teacher_world.gallery(pick), teacher_world.text
        scores = temperature * taught_e[:pairs] @ taught_f[:count].t()
        forth = blended(scores, own / own.sum(1, keepdim=True))
        back = blended(scores.t(), (own / own.sum(0, keepdim=True)).t())
        over_pictures = blended(temperature * taught_e[:len(ids)] @ gallery.t(), truth)
        together = blended(WORLD_SCALE * taught_e[:len(ids)] @ means.t(), truth)
        over_texts = blended(temperature * taught_f[:count] @ means.t(), F.one_hot(answer, data.concepts).float())
        scenes = blended(temperature * taught_e[len(ids):] @ taught_f[count:].t(), torch.eye(len(images)))
        gallery, means = world.gallery(pick), world.text
        other = int(rng.choice([d for d in DIMS if d not in WEIGHTS]))
        loss = 0
        for d, weight in [*WEIGHTS.items(), (other, 1 - sum(WEIGHTS.values()))]:
            s = temperature if d == DIM else scales[str(d)].exp().clamp(max=60)
            fd, ed, md = unit(f, d), s * unit(e, d), unit(means, d)
            scores = ed[:pairs] @ fd[:count].t()
            lost = -(over_pictures * (ed[:len(ids)] @ unit(gallery, d).t()).log_softmax(1)).sum(1)
            if d == 64:  # above what is left when the target itself is met
                hardness[strings] = (lost.detach() + torch.xlogy(over_pictures, over_pictures).sum(1)).numpy()
            loss = loss + weight * (0.5 * distance(scores, forth) + 0.5 * distance(scores.t(), back) + 0.7 * lost.mean()
                                    + 0.5 * distance(s * fd[:count] @ md.t(), over_texts)
                                    + 0.4 * distance(WORLD_SCALE * unit(e[:len(ids)], d) @ md.t(), together)
                                    + 0.2 * distance(ed[len(ids):] @ fd[count:].t(), scenes))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_([*vision.parameters(), text.word_embeddings.weight], 1.0)
        optimiser.step()
        clock.step += 1
        seen += count
        here += count
        losses.append(loss.item())
        if average and clock.step % 4 == 0:
            average.exchange()
        if (clock.step - clock.fresh) % 200 == 0:
            world.refresh(vision, encode, 6)
        if clock.elapsed() - last > every:
            last = clock.elapsed()
            held, found = line()
            print(f'matryoshka {rank} step {clock.step} {last:.0f} s, {here / 1e3:.0f} k pictures, loss {np.mean(losses[-80:]):.3f}, '
                  f'scale {scales["64"].exp().item():.1f} | {held} scenes {scene_accuracy(vision, encode, stage):.0f}', flush=True)
            keep(False, found)
    held, found = line()
    keep(True, found)
    print(f'matryoshka {rank} end | {held}', flush=True)


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seconds', type=float)
    parser.add_argument('--steps', type=int)
    parser.add_argument('--rank', type=int, default=0)
    parser.add_argument('--source', help='checkpoint folder to start from, instead of build/emoji/hard_examples.pt')
    parser.add_argument('--start', help='stage file below build/emoji to begin from, instead of the teacher itself')
    a = parser.parse_args()
    main(a.seconds, a.steps, rank=a.rank, source=a.source, start=a.start)
