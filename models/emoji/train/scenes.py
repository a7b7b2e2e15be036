"""Procedural scenes: pictures of one to four emoji and the sentence that tells them apart.

Single names need no word order; scenes do. Each step makes small groups whose
members differ in one thing only: who is on the left, who is above, how many,
or the colour behind. A bag of words cannot tell "a cat left of a dog" from "a
dog left of a cat", so this is what the text tower's layers are for.
"""
import common
import numpy as np
import torch
from torch.nn import functional as F

from common import IMAGE, work
from pictures import normalise
from textdata import Tokenizer

COLOURS = {'red': (0.9, 0.15, 0.15), 'green': (0.2, 0.7, 0.3), 'blue': (0.2, 0.4, 0.95), 'yellow': (0.98, 0.85, 0.2),
           'black': (0.05, 0.05, 0.05)}
# language: and, left, above, [two, three, four], on a COLOUR background, the colours in the order of COLOURS
WORDS = {
    'en': ('{0} and {1}', '{0} left of {1}', '{0} above {1}', ['two {0}', 'three {0}', 'four {0}'], '{0} on {1}',
           'red green blue yellow black'),
    'de': ('{0} und {1}', '{0} links von {1}', '{0} über {1}', ['zwei {0}', 'drei {0}', 'vier {0}'], '{0} auf {1}',
           'rot grün blau gelb schwarz'),
    'fr': ('{0} et {1}', '{0} à gauche de {1}', '{0} au-dessus de {1}', ['deux {0}', 'trois {0}', 'quatre {0}'],
           '{0} sur fond {1}', 'rouge vert bleu jaune noir'),
    'es': ('{0} y {1}', '{0} a la izquierda de {1}', '{0} encima de {1}', ['dos {0}', 'tres {0}', 'cuatro {0}'],
           '{0} sobre fondo {1}', 'rojo verde azul amarillo negro'),
    'it': ('{0} e {1}', '{0} a sinistra di {1}', '{0} sopra {1}', ['due {0}', 'tre {0}', 'quattro {0}'],
           '{0} su sfondo {1}', 'rosso verde blu giallo nero'),
    'pt': ('{0} e {1}', '{0} à esquerda de {1}', '{0} acima de {1}', ['dois {0}', 'três {0}', 'quatro {0}'],
           '{0} em fundo {1}', 'vermelho verde azul amarelo preto'),
    'nl': ('{0} en {1}', '{0} links van {1}', '{0} boven {1}', ['twee {0}', 'drie {0}', 'vier {0}'], '{0} op {1}',
           'rood groen blauw geel zwart'),
    'ru': ('{0} и {1}', '{0} слева от {1}', '{0} над {1}', ['два {0}', 'три {0}', 'четыре {0}'], '{0} на фоне: {1}',
           'красный зелёный синий жёлтый чёрный'),
    'ko': ('{0}, {1}', '{1} 왼쪽의 {0}', '{1} 위의 {0}', ['{0} 두 개', '{0} 세 개', '{0} 네 개'], '{1} 배경의 {0}',
           '빨간 초록 파란 노란 검은'),
    'ja': ('{0}と{1}', '{1}の左の{0}', '{1}の上の{0}', ['二つの{0}', '三つの{0}', '四つの{0}'], '{1}い背景の{0}', '赤 緑 青 黄色 黒'),
    'zh': ('{0}和{1}', '{1}左边的{0}', '{1}上面的{0}', ['两个{0}', '三个{0}', '四个{0}'], '{1}色背景的{0}', '红 绿 蓝 黄 黑'),
    'ar': ('{0} و{1}', '{0} على يسار {1}', '{0} فوق {1}', ['اثنان {0}', 'ثلاثة {0}', 'أربعة {0}'], '{0} على خلفية {1}',
           'حمراء خضراء زرقاء صفراء سوداء'),
    'hi': ('{0} और {1}', '{1} के बाईं ओर {0}', '{1} के ऊपर {0}', ['दो {0}', 'तीन {0}', 'चार {0}'], '{1} पृष्ठभूमि पर {0}',
           'लाल हरी नीली पीली काली'),
    'tr': ('{0} ve {1}', '{1} solunda {0}', '{1} üstünde {0}', ['iki {0}', 'üç {0}', 'dört {0}'], '{1} zeminde {0}',
           'kırmızı yeşil mavi sarı siyah'),
    'id': ('{0} dan {1}', '{0} di kiri {1}', '{0} di atas {1}', ['dua {0}', 'tiga {0}', 'empat {0}'], '{0} di latar {1}',
           'merah hijau biru kuning hitam'),
    'pl': ('{0} i {1}', '{0} na lewo od {1}', '{0} nad {1}', ['dwa {0}', 'trzy {0}', 'cztery {0}'], '{0} na tle: {1}',
           'czerwony zielony niebieski żółty czarny'),
    'sv': ('{0} och {1}', '{0} till vänster om {1}', '{0} ovanför {1}', ['två {0}', 'tre {0}', 'fyra {0}'], '{0} på {1}',
           'rött grönt blått gult svart'),
}
SPOTS = {1: [(0, 0, 60)], 2: [(16, 1, 31), (16, 32, 31)], 3: [(0, 17, 31), (32, 1, 31), (32, 32, 31)],
         4: [(1, 1, 31), (1, 32, 31), (32, 1, 31), (32, 32, 31)]}  # (top, left, side) for so many of the same
BESIDE, BELOW = SPOTS[2], [(1, 16, 31), (32, 16, 31)]


class Scenes:
    """Draws groups of scenes: pixels (count x 3 x IMAGE x IMAGE, normalised), token ids, and who means the same."""

    def __init__(self, data, pictures, rng):
        assert IMAGE == 64
        self.pictures, self.rng, self.tokenizer = pictures, rng, Tokenizer()
        with open(work('strings.txt'), encoding='utf-8') as f:
            strings = f.read().split('\n')
        names = {}
        for row in range(len(data.row_concept)):
            locale = str(data.locales[data.row_locale[row]])
            if locale in WORDS and data.name_count[row]:
                names.setdefault(locale, {})[int(data.row_concept[row])] = strings[data.names[data.name_at[row]]]
        self.names, self.locales = names, sorted(names)

    def _draw(self, concept):
        return int(self.pictures.draw(np.array([concept]), self.rng)[0])

    def _group(self):
        """A list of (sentence, [(picture, spot)], colour): scenes that differ in one thing."""
        rng = self.rng
        locale = self.locales[rng.integers(len(self.locales))]
        words, names = WORDS[locale], self.names[locale]
        both, left, above, numbers, on, colours = words
        a, b = (int(x) for x in rng.choice(list(names), 2, replace=False))
        x, y = self._draw(a), self._draw(b)
        white = (1.0, 1.0, 1.0)
        kind = rng.integers(5)
        if kind == 0:
            c = int(rng.choice(list(names)))
            z = self._draw(c)
            return [(both.format(names[a], names[b]), list(zip((x, y), BESIDE)), white),
                    (both.format(names[c], names[a]), list(zip((x, z), BESIDE)), white)]
        if kind in (1, 2):
            form, spots = (left, BESIDE) if kind == 1 else (above, BELOW)
            return [(form.format(names[a], names[b]), list(zip((x, y), spots)), white),
                    (form.format(names[b], names[a]), list(zip((y, x), spots)), white)]
        if kind == 3:
            many = rng.permutation([2, 3, 4])[:2]
            return [(numbers[n - 2].format(names[a]), [(x, s) for s in SPOTS[n]], white) for n in many]
        pick = rng.permutation(len(COLOURS))[:2]
        shades, named = list(COLOURS.values()), colours.split()
        return [(on.format(names[a], named[i]), [(x, SPOTS[1][0])], shades[i]) for i in pick]

    def draw(self, count):
        """(pixels, list of id arrays); scene i belongs to text i."""
        scenes = []
        while len(scenes) < count:
            scenes += self._group()
        scenes = scenes[:count]
        canvas = torch.ones(count, 3, IMAGE, IMAGE)
        for i, (_, parts, colour) in enumerate(scenes):
            canvas[i] = torch.tensor(colour)[:, None, None]
            for picture, (top, left, side) in parts:
                x = self.pictures.images[picture][None].float() / 255
                x = F.interpolate(x, size=(side, side), mode='bilinear', align_corners=False, antialias=True)[0]
                top, left = (int(np.clip(v + self.rng.integers(-1, 2), 0, IMAGE - side)) for v in (top, left))
                at = canvas[i, :, top:top + side, left:left + side]
                canvas[i, :, top:top + side, left:left + side] = at * (1 - x[3:]) + x[:3]
        return normalise(canvas.clamp(0, 1)), [np.array(self.tokenizer.ids(text)) for text, _, _ in scenes]


def scene_loss(pictures, texts, scale, dims):
    """InfoNCE both ways between count pictures and their count sentences; dims: list of (size, weight)."""
    from model import unit
    answer = torch.arange(len(pictures))
    loss = 0
    for d, weight in dims:
        scores = scale * unit(texts, d) @ unit(pictures, d).t()
        loss = loss + weight * 0.5 * (F.cross_entropy(scores, answer) + F.cross_entropy(scores.t(), answer))
    return loss


@torch.no_grad()
def scene_accuracy(vision, encode, scenes, count=120):
    """Share of scenes whose sentence is nearer to them than to the other scene of their group, in percent."""
    from model import unit
    x, ids = scenes.draw(count)
    scores = unit(encode(ids)) @ unit(vision(x)).t()
    own, other = scores.diagonal(), scores[torch.arange(count), torch.arange(count) ^ 1]
    return 100 * (own > other).float().mean().item()
