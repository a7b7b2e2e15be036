"""The emoji themselves as pieces of the tokenizer, so that 🐈 is read as well as "cat".

A tokenizer of words has never seen them: every emoji would be the unknown
piece. Here it gets one piece for each emoji of the concepts and for each
skin-tone variant that CLDR names, whole sequences (families, flags, keycaps)
included. Two things change in the normaliser, which travels as data: the
variation selectors FE0E and FE0F go, so that ❤ and ❤️ are one text, and the
emoji that NFKC would spell out (Ⓜ as m, ㊗ as 祝) stay what they are.

Words keep their ids, <mask> excepted, which stays last: a new piece holds a
character that had none before, so it takes part in no other text's
segmentation, and its score is above the lowest, which the unknown piece hangs
on.

  pieces       ['🐈', ..., '👍🏽', ..., '🇰', ...], in the order of their ids
  rows         the row of new embeddings that each piece has: a skin-tone variant shares its concept's
  meaning      row -> concepts that it stands for, none for what should say nothing; the first `own` rows are one concept each
  parts        character -> row, of those that are left when a sequence has no piece
"""
import base64
import json
import os
import struct
import subprocess

from common import NODE, TONES, canon, has_tone, without_tones, work

SCORE = -13.0  # as rare as a rare word; above the lowest of the words, which is about -15
MARK = '▁'
SELECTORS = '\uFE0E', '\uFE0F'
FLAG = '\U0001F3F4'  # the black flag, which begins the flags of regions
LETTERS = [chr(c) for c in range(0x1F1E6, 0x1F200)]  # regional indicators: two are a flag
TAGS = [chr(c) for c in (*range(0xE0030, 0xE003A), *range(0xE0061, 0xE007B), 0xE007F)]


def english_names():
    """emoji without selectors -> its English name in CLDR, skin-tone variants included."""
    out = {}
    for package, key in (('cldr-annotations-full/annotations', 'annotations'),
                         ('cldr-annotations-derived-full/annotationsDerived', 'annotationsDerived')):
        with open(os.path.join(NODE, package, 'en', 'annotations.json'), encoding='utf-8') as f:
            for emoji, entry in json.load(f)[key]['annotations'].items():
                out.setdefault(canon(emoji), (entry.get('tts') or [''])[0])
    return out


def toned(concepts):
    """skin-tone variant -> its concept.

    Two people with two tones may be a sequence of their own (🫱🏻‍🫲🏿 is a 🤝): then the name tells, "handshake: light skin
    tone, dark skin tone".
    """
    names, known, out = english_names(), set(concepts), {}
    called = {names[c]: c for c in concepts if names.get(c)}
    for emoji, name in names.items():
        if has_tone(emoji):
            concept = without_tones(emoji)
            concept = concept if concept in known else called.get(name.split(':')[0])
            if concept:
                out[emoji] = concept
    return out


class Characters:
    """What the tokenizer gets. words: the pieces that it has; concepts: list of emoji."""

    def __init__(self, concepts, words):
        words = set(words)
        self.concepts = concepts
        number = {emoji: i for i, emoji in enumerate(concepts)}
        # Signs of writing (! ? * ©) are pieces already and mean what they mean in a text.
        own = [c for c in concepts if c not in words]
        self.meaning = [[number[c]] for c in own]
        # A tone alone is a concept; behind an emoji the same character is another piece, which should say nothing.
        self.pieces = [MARK + c if c in map(chr, TONES) else c for c in own]
        self.rows = list(range(len(own)))
        row_of = dict(zip(own, self.rows))
        variants = sorted((e, c) for e, c in toned(concepts).items() if c in row_of)
        self.pieces += [e for e, _ in variants]
        self.rows += [row_of[c] for _, c in variants]
        # What is left when a sequence is none of these: its characters.
        known = set(self.pieces) | words
        singles = {x for e in self.pieces for x in e} | {chr(t) for t in TONES} | set(LETTERS) | set(TAGS)
        self.parts = {}
        for x in sorted(singles - known - {MARK}):
            self.parts[x] = len(self.meaning)
            self.rows.append(len(self.meaning))
            self.pieces.append(x)
            self.meaning.append([] if ord(x) in TONES or x in TAGS else [number[c] for c in concepts if x in c])
        self.own = len(own)


def old_rules(charsmap):
    """key -> replacement of a precompiled map, both bytes: a walk through its double array."""
    size = struct.unpack('<I', charsmap[:4])[0]
    trie = struct.unpack(f'<{size // 4}I', charsmap[4:4 + size])
    texts, out = charsmap[4 + size:], {}

    def offset(unit):
        return (unit >> 10) << ((unit & 0x200) >> 6)

    stack = [(offset(trie[0]), b'')]
    while stack:
        node, key = stack.pop()
        for byte in range(1, 256):
            at = node ^ byte
            if at >= len(trie) or trie[at] & 0x800000FF != byte:
                continue
            unit, longer = trie[at], key + bytes([byte])
            below = at ^ offset(unit)
            if unit >> 8 & 1:
                begin = trie[below] & 0x7FFFFFFF
                out[longer] = texts[begin:texts.index(b'\0', begin)]
            stack.append((below, longer))
    return out


def new_charsmap(charsmap, keep):
    """The map without the characters of `keep`, and without selectors in the text. Compiled by SentencePiece's own trainer."""
    from tokenizer import read_model
    rules = {k.decode(): v.decode() for k, v in old_rules(charsmap).items()}
    changed = {k: v for k, v in rules.items() if k not in keep} | dict.fromkeys(SELECTORS, '')
    if changed == rules:
        return charsmap

    def points(text):
        return ' '.join(f'{ord(c):X}' for c in text)

    with open(work('rules.tsv'), 'w', encoding='ascii') as f:
        f.writelines(f'{points(k)}\t{points(v)}\n' for k, v in sorted(changed.items()))
    with open(work('rules.txt'), 'w', encoding='ascii') as f:
        f.write('any words will do\n' * 100)  # a trainer wants a text; its pieces are of no use
    subprocess.run(['spm_train', f'--input={work("rules.txt")}', f'--model_prefix={work("rules")}', '--vocab_size=20',
                    '--hard_vocab_limit=false', f'--normalization_rule_tsv={work("rules.tsv")}', '--minloglevel=2'], check=True)
    out = read_model(work('rules.model'))[1]
    assert {k.decode(): v.decode() for k, v in old_rules(out).items()} == changed, 'the map was not compiled as written'
    return out


def words_of(tokenizer):
    """The vocabulary without what extended() adds: a run of equal scores before <mask>."""
    vocab = tokenizer['model']['vocab']
    end = len(vocab) - 1
    while vocab[end - 1][1] == SCORE:
        end -= 1
    return vocab[:end] + vocab[-1:]


def extended(tokenizer, concepts):
    """(tokenizer.json with the characters, Characters). Takes one that has them already as well."""
    words = words_of(tokenizer)
    characters = Characters(concepts, [piece.removeprefix(MARK) for piece, _ in words])
    vocab = words[:-1] + [[piece, SCORE] for piece in characters.pieces] + words[-1:]
    normalizer = tokenizer['normalizer']
    charsmap = new_charsmap(base64.b64decode(normalizer['precompiled_charsmap']),
                            {c for c in characters.pieces if len(c) == 1})
    out = dict(tokenizer, normalizer=dict(normalizer, precompiled_charsmap=base64.b64encode(charsmap).decode()),
               model=dict(tokenizer['model'], vocab=vocab))
    out['added_tokens'] = [dict(t, id=len(vocab) - 1) if t['content'] == '<mask>' else t for t in tokenizer['added_tokens']]
    return out, characters
