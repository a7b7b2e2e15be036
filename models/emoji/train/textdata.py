"""Text batches: sampled strings, their subword ids and their soft targets over all concepts.

Everything is prepared once (captions.pkl -> textdata.npz), so that a batch is
only array work: a string has four segmentations (plain, accents stripped, two
sampled ones), and its target is a sparse row over the concepts.
"""
import os
import pickle
import unicodedata

import common
import numpy as np
import sentencepiece
import torch

from common import SEED, work

MAX_PIECES = 22  # without <s> and </s>
BOS, PAD, EOS, UNK = 0, 1, 2, 3

TEMPLATES = {
    'en': ['a photo of a {}', 'a picture of {}', '{} emoji', 'an image of the {}', 'photo of {}', 'i want to see a {}',
           'show me {}', '{} icon', 'a drawing of a {}'],
    'de': ['ein foto von {}', 'ein bild von {}', '{} bild', 'zeige mir {}'],
    'fr': ['une photo de {}', 'une image de {}', 'dessin de {}', 'montre-moi {}'],
    'es': ['una foto de {}', 'una imagen de {}', 'dibujo de {}'], 'it': ['una foto di {}', "un'immagine di {}"],
    'pt': ['uma foto de {}', 'uma imagem de {}'], 'nl': ['een foto van {}', 'afbeelding van {}'],
    'ru': ['фото {}', 'картинка {}', 'изображение {}'], 'uk': ['фото {}'], 'pl': ['zdjęcie {}', 'obrazek {}'],
    'tr': ['{} fotoğrafı', '{} resmi'], 'ar': ['صورة {}'], 'fa': ['عکس {}', 'تصویر {}'], 'he': ['תמונה של {}'],
    'hi': ['{} की तस्वीर', '{} का चित्र'], 'ja': ['{}の写真', '{}の絵', '{}の画像'],
    'ko': ['{} 사진', '{} 그림', '{} 이미지'], 'zh': ['{}的照片', '{}的图片', '一张{}的照片'],
    'id': ['foto {}', 'gambar {}'], 'vi': ['ảnh {}', 'hình {}'], 'th': ['รูป {}', 'ภาพ {}'],
    'sv': ['en bild på {}'], 'cs': ['fotka {}', 'obrázek {}'], 'el': ['φωτογραφία {}'],
}


def strip_accents(text):
    plain = ''.join(c for c in unicodedata.normalize('NFD', text) if not unicodedata.combining(c))
    return unicodedata.normalize('NFC', plain) or text


def load_captions():
    with open(work('captions.pkl'), 'rb') as f:
        return pickle.load(f)


class Tokenizer:
    """SentencePiece with XLM-R's ids: piece k >= 3 is id k + 1."""

    def __init__(self, path=None):
        self.model = sentencepiece.SentencePieceProcessor(model_file=path or work('spm.model'))

    @staticmethod
    def shift(pieces):
        return [p + 1 if p > 0 else UNK for p in pieces]

    def ids(self, text, limit=510):
        """<s> pieces </s> of one text."""
        return [BOS] + self.shift(self.model.encode(text))[:limit] + [EOS]

    def batch(self, texts):
        """Padded ids (len(texts) x longest, int64)."""
        rows = [self.ids(t) for t in texts]
        out = np.full((len(rows), max(map(len, rows))), PAD, np.int64)
        for i, row in enumerate(rows):
            out[i, :len(row)] = row
        return torch.from_numpy(out)


def pack(rows):
    """list of id lists -> (N x MAX_PIECES uint16, lengths uint8)."""
    out = np.zeros((len(rows), MAX_PIECES), np.uint16)
    lengths = np.zeros(len(rows), np.uint8)
    for i, row in enumerate(rows):
        row = row[:MAX_PIECES]
        out[i, :len(row)] = row
        lengths[i] = len(row)
    return out, lengths


def prepare():
    """Writes textdata.npz from captions.pkl and the tokenizer."""
    sentencepiece.set_random_generator_seed(SEED)  # for the sampled segmentations
    captions = load_captions()
    tokenizer = Tokenizer()
    index, strings = {}, []

    def number(text):
        if text not in index:
            index[text] = len(strings)
            strings.append(text)
        return index[text]

    row_concept, row_weight, row_locale = [], [], []
    name_at, name_count, word_at, word_count = [], [], [], []
    names_flat, words_flat, target = [], [], {}
    locales = list(captions['data'])
    for l, locale in enumerate(locales):
        rows, weight = captions['data'][locale], captions['weight'][locale]
        local = {}
        for concept, names, keywords, _ in rows:
            if not names and not keywords:
                continue
            row_concept.append(concept)
            row_weight.append(weight / len(rows))
            row_locale.append(l)
            name_at.append(len(names_flat))
            name_count.append(len(names))
            word_at.append(len(words_flat))
            word_count.append(len(keywords))
            names_flat += [number(x) for x in names]
            words_flat += [number(x) for x in keywords]
            for x in names:
                local.setdefault(x, {})[concept] = 4.0
            for x in keywords:
                entry = local.setdefault(x, {})
                entry[concept] = max(entry.get(concept, 0.0), 1.0)
        for text, shares in local.items():
            total = sum(shares.values())
            entry = target.setdefault(index[text], {})
            for concept, share in shares.items():
                entry[concept] = entry.get(concept, 0.0) + weight * share / total
    start, columns, values = np.zeros(len(strings) + 1, np.int64), [], []
    for s in range(len(strings)):
        entry = target[s]
        total = sum(entry.values())
        columns += entry.keys()
        values += [v / total for v in entry.values()]
        start[s + 1] = len(columns)
    variants = [tokenizer.model.encode(strings), tokenizer.model.encode([strip_accents(s) for s in strings])]
    for _ in range(2):
        variants.append([tokenizer.model.encode(s, enable_sampling=True, alpha=0.3, nbest_size=-1) for s in strings])
    packed = [pack([tokenizer.shift(row) for row in rows]) for rows in variants]
    np.savez(work('textdata.npz'), row_concept=np.array(row_concept, np.int32), row_weight=np.array(row_weight),
             row_locale=np.array(row_locale, np.int32), name_at=np.array(name_at), name_count=np.array(name_count),
             word_at=np.array(word_at), word_count=np.array(word_count), names=np.array(names_flat, np.int32),
             words=np.array(words_flat, np.int32), start=start, columns=np.array(columns, np.int32),
             values=np.array(values, np.float32), ids=np.stack([p[0] for p in packed]),
             lengths=np.stack([p[1] for p in packed]), locales=np.array(locales))
    with open(work('strings.txt'), 'w', encoding='utf-8') as f:
        f.write('\n'.join(strings))
    print(f'{len(strings)} strings, {len(row_concept)} rows, mean length {packed[0][1].mean():.2f}', flush=True)


class TextData:
    """Sampler of training texts.

    rng: numpy Generator. A row (concept, locale) is drawn by language weight,
    then a name (40 %), one keyword (40 %) or 2-3 joined strings (20 %).
    """

    def __init__(self, rng):
        self.rng = rng
        with np.load(work('textdata.npz')) as f:
            self.__dict__.update({k: f[k] for k in f.files})
        self.concepts = len(np.unique(self.row_concept))
        self.cumulative = np.cumsum(self.row_weight) / np.sum(self.row_weight)
        tokenizer = Tokenizer()
        self.comma = tokenizer.ids('a,')[-2]
        self.frames = []  # (prefix ids, suffix ids)
        self.frames_of = np.zeros((len(self.locales), 2), np.int64)
        for l, locale in enumerate(self.locales.tolist()):
            begin = len(self.frames)
            for form in TEMPLATES.get(locale.split('-')[0], []):
                before, after = form.split('{}')
                tail = tokenizer.ids(after)[1:-1]
                if after and not after.startswith(' ') and tail and tokenizer.model.id_to_piece(tail[0] - 1) == '▁':
                    tail = tail[1:]
                self.frames.append((tokenizer.ids(before)[1:-1], tail))
            self.frames_of[l] = begin, len(self.frames)
        # rows of each concept, for the stage "joint"
        order = np.argsort(self.row_concept, kind='stable')
        self.by_concept = np.split(order, np.cumsum(np.bincount(self.row_concept, minlength=self.concepts))[:-1])
        self.by_weight = [np.cumsum(self.row_weight[r]) / self.row_weight[r].sum() for r in self.by_concept]

    def rows(self, count):
        return np.minimum(np.searchsorted(self.cumulative, self.rng.random(count)), len(self.row_concept) - 1)

    def row_of(self, concept):
        """A row of one concept, by language weight."""
        rows = self.by_concept[concept]
        return rows[min(np.searchsorted(self.by_weight[concept], self.rng.random()), len(rows) - 1)]

    def pick(self, rows, words):
        """A string number of each row: a keyword where words is true (and there is one), else a name."""
        words = (words & (self.word_count[rows] > 0)) | (self.name_count[rows] == 0)
        draw = self.rng.random(len(rows))
        name = self.name_at[rows] + (draw * self.name_count[rows]).astype(np.int64)
        word = self.word_at[rows] + (draw * self.word_count[rows]).astype(np.int64)
        return np.where(words, self.words[np.minimum(word, len(self.words) - 1)],
                        self.names[np.minimum(name, len(self.names) - 1)])

    def dense(self, strings):
        """Target rows (len(strings) x concepts, float32)."""
        out = np.zeros((len(strings), self.concepts), np.float32)
        counts = self.start[strings + 1] - self.start[strings]
        line = np.repeat(np.arange(len(strings)), counts)
        at = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(self.start[strings], counts)
        out[line, self.columns[at]] = self.values[at]
        return out

    def variant(self, count):
        """Which segmentation: 10 % without accents, 25 % sampled, else plain."""
        draw = self.rng.random(count)
        return np.where(draw < 0.10, 1, np.where(draw < 0.225, 2, np.where(draw < 0.35, 3, 0)))

    def sequences(self, parts, locales, frame_share=0.12):
        """list of string-number lists -> list of id arrays with <s> and </s>."""
        out = []
        variants = self.variant(sum(len(p) for p in parts))
        framed = self.rng.random(len(parts)) < frame_share
        commas = self.rng.random(len(parts)) < 0.3
        at = 0
        for i, part in enumerate(parts):
            pieces = []
            for j, string in enumerate(part):
                v = variants[at]
                at += 1
                if j and commas[i]:
                    pieces.append(np.array([self.comma], np.uint16))
                pieces.append(self.ids[v, string, :self.lengths[v, string]])
            if framed[i]:
                begin, end = self.frames_of[locales[i]]
                if end > begin:
                    before, after = self.frames[begin + self.rng.integers(end - begin)]
                    pieces = [np.array(before, np.uint16), *pieces, np.array(after, np.uint16)]
            out.append(np.concatenate([[BOS], *pieces, [EOS]]))
        return out

    def batch(self, count):
        """(list of id arrays, targets count x concepts)."""
        rows = self.rows(count)
        draw = self.rng.random(count)
        first = self.pick(rows, draw >= 0.4)
        target = self.dense(first)
        parts = [[s] for s in first]
        for i in np.nonzero((draw >= 0.8) & (self.word_count[rows] + self.name_count[rows] >= 2))[0]:
            r = rows[i]
            pool = np.concatenate((self.words[self.word_at[r]:self.word_at[r] + self.word_count[r]],
                                   self.names[self.name_at[r]:self.name_at[r] + self.name_count[r]]))
            part = self.rng.permutation(pool)[:2 + (self.rng.random() < 0.4)]
            # an emoji that carries all of the words: the product of their targets
            product = np.prod(self.dense(part) + 1e-4, axis=0)
            product[product < product.max() * 0.02] = 0
            target[i] = product / product.sum()
            parts[i] = list(part)
        return self.sequences(parts, self.row_locale[rows]), torch.from_numpy(target)


def padded(sequences, limit=32):
    """Id arrays -> batch x longest, int64."""
    out = np.full((len(sequences), min(limit, max(map(len, sequences)))), PAD, np.int64)
    for i, row in enumerate(sequences):
        row = row[:out.shape[1]]
        out[i, :len(row)] = row
    return torch.from_numpy(out)


def flat(sequences):
    """Id arrays -> (all ids, the sequence each belongs to, lengths)."""
    lengths = np.array([len(s) for s in sequences])
    ids = torch.from_numpy(np.concatenate(sequences).astype(np.int64))
    owner = torch.from_numpy(np.repeat(np.arange(len(sequences)), lengths))
    return ids, owner, torch.from_numpy(lengths).float()


if __name__ == '__main__':
    np.random.seed(SEED)
    prepare()
    assert os.path.exists(work('textdata.npz'))
