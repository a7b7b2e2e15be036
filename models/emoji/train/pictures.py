"""Pictures in memory, their augmentation, and the plain view that is evaluated."""
import hashlib
import re

import common
import numpy as np
import torch
from torch.nn import functional as F

from common import IMAGE, MEAN, STD, TRAIN_STYLES, work
from textdata import load_captions

MEAN_T = torch.tensor(MEAN).view(1, 3, 1, 1)
STD_T = torch.tensor(STD).view(1, 3, 1, 1)
# Mirroring changes what these show.
ONE_SIDED = re.compile(r'left|right|arrow|flag|button|clock|letter|symbol|number|sign|index|hand|keycap|mark|o’clock|thirty')


class Pictures:
    """Pictures of some styles: images (N x 4 x 96 x 96 uint8, premultiplied) and labels (concept numbers).

    tones: keep skin-tone variants, as further pictures of their concept.
    held: about 3 % of the toneless pictures, of concepts with two others at least; draw() never gives
    them, so that progress and the choice of a checkpoint can look at unseen pictures of known styles.
    """

    def __init__(self, styles=tuple(TRAIN_STYLES), tones=True):
        captions = load_captions()
        number = {emoji: i for i, emoji in enumerate(captions['concepts'])}
        images, labels, style_of, toned = [], [], [], []
        for s, style in enumerate(styles):
            with np.load(work(f'art_{style}.npz')) as f:
                keys, full, pixels = f['keys'].tolist(), f['full'].tolist(), f['img']
            keep = [i for i, k in enumerate(keys) if k in number and (tones or full[i] == k)]
            images.append(pixels[keep])
            labels += [number[keys[i]] for i in keep]
            style_of += [s] * len(keep)
            toned += [full[i] != keys[i] for i in keep]
        self.images = torch.from_numpy(np.concatenate(images)).permute(0, 3, 1, 2).contiguous()
        self.labels, self.styles, self.toned = np.array(labels), np.array(style_of), np.array(toned)
        self.concepts = len(number)
        english = {c: (names[0] if names else '') for c, names, _, _ in captions['data']['en']}
        self.one_sided = torch.tensor([bool(ONE_SIDED.search(english.get(c, ''))) for c in range(self.concepts)])
        emoji = captions['concepts']
        many = np.bincount(self.labels[~self.toned], minlength=self.concepts)
        lot = np.array([int(hashlib.md5(f'{styles[s]}|{emoji[c]}'.encode()).hexdigest()[:8], 16) % 1000 < 35
                        for s, c in zip(self.styles, self.labels)])
        self.held = lot & ~self.toned & (many[self.labels] >= 3)
        order = np.argsort(self.labels, kind='stable')
        rows = np.split(order, np.cumsum(np.bincount(self.labels, minlength=self.concepts))[:-1])
        self.by_concept = [r[~self.held[r]] for r in rows]
        self.present = np.array([c for c in range(self.concepts) if len(self.by_concept[c])])
        # (plain pictures, toned ones) of each concept: a style's five tones should not outweigh the other styles
        self.split = [(rows[~self.toned[rows]], rows[self.toned[rows]]) for rows in self.by_concept]

    def draw(self, concepts, rng):
        """A picture number of each concept; one in four is a skin-tone variant where there are any."""
        out = np.empty(len(concepts), np.int64)
        for i, c in enumerate(concepts):
            base, toned = self.split[c]
            pool = toned if len(toned) and (not len(base) or rng.random() < 0.25) else base
            out[i] = pool[rng.integers(len(pool))]
        return out


def normalise(x):
    return (x - MEAN_T) / STD_T


def plain(images, side=IMAGE, margin=0.9):
    """The clean view on white: N x 4 x S x S uint8 premultiplied -> N x 3 x side x side, normalised."""
    inner = round(side * margin)
    x = F.interpolate(images.float() / 255, size=(inner, inner), mode='bilinear', align_corners=False, antialias=True)
    out = torch.ones(len(x), 3, side, side)
    at = (side - inner) // 2
    out[:, :, at:at + inner, at:at + inner] = (x[:, :3] + 1 - x[:, 3:]).clamp(0, 1)
    return normalise(out)


def backgrounds(count, side, images, rng):
    """count x 3 x side x side: one colour, a gradient, low-frequency noise or another emoji at half strength."""
    def colour():
        return torch.rand(count, 3, 1, 1)
    b = colour().expand(count, 3, side, side).clone()
    kind = torch.rand(count)
    ramp = torch.linspace(0, 1, side)
    across = torch.rand(count) < 0.5
    ramp = torch.where(across[:, None, None], ramp[None, None, :].expand(count, side, side),
                       ramp[None, :, None].expand(count, side, side))[:, None]
    pick = (kind < 0.4)[:, None, None, None]
    b = torch.where(pick, b * (1 - ramp) + colour() * ramp, b)
    rows = torch.nonzero((kind >= 0.4) & (kind < 0.55))[:, 0]
    if len(rows):
        b[rows] = F.interpolate(torch.rand(len(rows), 3, 5, 5), size=(side, side), mode='bilinear', align_corners=False)
    rows = torch.nonzero(kind > 0.9)[:, 0]
    if len(rows):
        other = images[rng.integers(0, len(images), len(rows))].float() / 255
        other = F.interpolate(other, size=(side, side), mode='bilinear', align_corners=False) * 0.5
        b[rows] = b[rows] * (1 - other[:, 3:]) + other[:, :3]
    return b


def augment(pictures, index, strength, rng, side=IMAGE):
    """Random views of the pictures at index (array): len x 3 x side x side, normalised.

    strength 0..1 scales geometry, backgrounds and the rarer effects.
    """
    n = len(index)
    raw = pictures.images[index].float() / 255
    # 96 -> 64 with scale below 1 undersamples; a light blur on half of the pictures stands for other resamplers
    one_sided = pictures.one_sided[pictures.labels[index]]
    zoom = torch.empty(n).uniform_(0.9 - 0.3 * strength, 1.0 + 0.15 * strength)
    angle = torch.randn(n) * 0.16 * strength * (torch.rand(n) < 0.7)
    flip = torch.where((torch.rand(n) < 0.3) & ~one_sided, -1.0, 1.0)
    aspect = torch.exp(torch.randn(n) * 0.07)
    shear = torch.randn(n) * 0.05 * strength
    cos, sin = angle.cos(), angle.sin()
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0] = cos / zoom * aspect * flip
    theta[:, 0, 1] = (sin + shear) / zoom
    theta[:, 1, 0] = -sin / zoom
    theta[:, 1, 1] = cos / zoom / aspect
    room = (1 - zoom).abs() * 0.8 + 0.06
    theta[:, :, 2] = (torch.rand(n, 2) * 2 - 1) * (room / zoom)[:, None]
    grid = F.affine_grid(theta, (n, 4, side, side), align_corners=False)
    view = F.grid_sample(raw, grid, mode='bilinear', padding_mode='zeros', align_corners=False)
    colour, alpha = view[:, :3], view[:, 3:]
    gray = colour.mean(1, keepdim=True)
    saturation = torch.empty(n, 1, 1, 1).uniform_(0.35, 1.5)
    saturation[torch.rand(n) < 0.06] = 0
    gain = torch.exp(torch.randn(n, 3, 1, 1) * 0.12 + torch.randn(n, 1, 1, 1) * 0.12)
    colour = ((gray + (colour - gray) * saturation) * gain).clamp(0, 1)
    back = torch.ones(n, 3, side, side)
    rows = torch.nonzero(torch.rand(n) > 1 - 0.6 * strength)[:, 0]
    if len(rows):
        back[rows] = backgrounds(len(rows), side, pictures.images, rng)
    x = colour + back * (1 - alpha)
    x = (x - 0.5) * torch.exp(torch.randn(n, 1, 1, 1) * 0.12) + 0.5 + torch.randn(n, 1, 1, 1) * 0.04
    draw = torch.rand(n) / max(strength, 0.3)

    def between(low, high):
        return torch.nonzero((draw >= low) & (draw < high))[:, 0]

    def soften(z, reach):
        return F.avg_pool2d(F.pad(z, (reach,) * 4, mode='replicate'), 2 * reach + 1, 1)

    rows = between(0, 0.10)
    if len(rows):
        x[rows] = soften(x[rows], 1)
    rows = between(0.10, 0.22)
    if len(rows):
        x[rows] += torch.randn(len(rows), 3, side, side) * torch.rand(len(rows), 1, 1, 1) * 0.10
    rows = between(0.22, 0.28)
    if len(rows):
        x[rows] = x[rows].mean(1, keepdim=True).expand(-1, 3, -1, -1)
    rows = between(0.28, 0.46)  # line art: dark edges, and a flat or fading fill between them
    if len(rows):
        z = x[rows]
        edge = ((z - soften(z, 2)).abs().mean(1, keepdim=True) * torch.empty(len(rows), 1, 1, 1).uniform_(3, 9)).clamp(0, 1)
        fade = torch.rand(len(rows), 1, 1, 1) * (torch.rand(len(rows), 1, 1, 1) < 0.5)
        x[rows] = (z * (1 - fade) + fade) * (1 - edge)
    rows = between(0.46, 0.53)  # black outline around the shape
    if len(rows):
        a = alpha[rows]
        ring = (F.max_pool2d(a, 3, 1, 1) + F.max_pool2d(-a, 3, 1, 1)).clamp(0, 1)
        x[rows] = x[rows] * (1 - ring)
    rows = between(0.53, 0.60)  # cut-out
    for r in rows.tolist():
        w = int(side * rng.uniform(0.1, 0.35))
        top, left = rng.integers(0, side - w, 2)
        x[r, :, top:top + w, left:left + w] = torch.rand(3, 1, 1)
    return normalise(x.clamp(0, 1))
