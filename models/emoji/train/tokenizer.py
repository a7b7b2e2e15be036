"""Trains the SentencePiece vocabulary and writes tokenizer.json in XLM-R's older shape.

The normaliser (NFKC and case folding) travels as a precompiled charsmap, so
the small model ignores case without any code of its own.
"""
import base64
import json
import pickle
import random
import struct
import subprocess

from common import PIECES, SEED, SMOKE, work


def corpus(path):
    """Every training string of every locale, repeated by the locale's weight."""
    with open(work('captions.pkl'), 'rb') as f:
        captions = pickle.load(f)
    rng = random.Random(SEED)
    with open(path, 'w', encoding='utf-8') as f:
        for locale, rows in captions['data'].items():
            share = max(captions['weight'][locale] * 0.5, 0.5)
            for _, names, keywords, _ in rows:
                for text in names + keywords:
                    times = int(share) + (rng.random() < share % 1)
                    f.write((text + '\n') * times)


def train():
    """build/emoji/spm.model."""
    corpus(work('corpus.txt'))
    subprocess.run(['spm_train', f'--input={work("corpus.txt")}', f'--model_prefix={work("spm")}',
                    f'--vocab_size={PIECES}', '--model_type=unigram', f'--character_coverage={0.98 if SMOKE else 0.9998}',
                    f'--hard_vocab_limit={"false" if SMOKE else "true"}',
                    '--normalization_rule_name=nmt_nfkc_cf', '--unk_id=0', '--bos_id=1', '--eos_id=2', '--pad_id=-1',
                    '--max_sentencepiece_length=16', '--input_sentence_size=700000',
                    '--shuffle_input_sentence=true', '--num_threads=2', '--minloglevel=1'], check=True)


def fields(data):
    """(field number, value) of one protobuf message; only the wire types that SentencePiece uses."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        key = varint()
        kind = key & 7
        if kind == 0:
            yield key >> 3, varint()
        elif kind == 2:
            size = varint()
            yield key >> 3, data[at:at + size]
            at += size
        elif kind == 5:
            yield key >> 3, struct.unpack('<f', data[at:at + 4])[0]
            at += 4
        else:
            yield key >> 3, data[at:at + 8]
            at += 8


def read_model(path):
    """(list of (piece, score), charsmap bytes) of a SentencePiece model file."""
    with open(path, 'rb') as f:
        data = f.read()
    pieces, charsmap = [], b''
    for number, value in fields(data):
        if number == 1:
            piece = dict(fields(value))
            pieces.append((piece[1].decode(), round(float(piece.get(2, 0.0)), 4)))
        elif number == 3:
            charsmap = dict(fields(value)).get(2, b'')
    return pieces, charsmap


def tokenizer_json(model_path):
    """The tokenizer.json of a SentencePiece model: piece k >= 3 has id k + 1, <mask> comes last."""
    pieces, charsmap = read_model(model_path)
    vocab = [['<s>', 0.0], ['<pad>', 0.0], ['</s>', 0.0], ['<unk>', 0.0]]
    vocab += [[piece, score] for piece, score in pieces[3:]] + [['<mask>', 0.0]]

    def special(number, content):
        return {'id': number, 'content': content, 'single_word': False, 'lstrip': content == '<mask>',
                'rstrip': False, 'normalized': False, 'special': True}

    def token(name, kind=0):
        return {'SpecialToken': {'id': name, 'type_id': kind}}

    metaspace = {'type': 'Metaspace', 'replacement': '▁', 'add_prefix_space': True}
    return {
        'version': '1.0', 'truncation': None, 'padding': None,
        'added_tokens': [special(0, '<s>'), special(1, '<pad>'), special(2, '</s>'), special(3, '<unk>'),
                         special(len(vocab) - 1, '<mask>')],
        'normalizer': {'type': 'Precompiled', 'precompiled_charsmap': base64.b64encode(charsmap).decode()},
        'pre_tokenizer': {'type': 'Sequence', 'pretokenizers': [{'type': 'WhitespaceSplit'}, metaspace]},
        'post_processor': {
            'type': 'TemplateProcessing',
            'single': [token('<s>'), {'Sequence': {'id': 'A', 'type_id': 0}}, token('</s>')],
            'pair': [token('<s>'), {'Sequence': {'id': 'A', 'type_id': 0}}, token('</s>'), token('</s>'),
                     {'Sequence': {'id': 'B', 'type_id': 0}}, token('</s>')],
            'special_tokens': {'<s>': {'id': '<s>', 'ids': [0], 'tokens': ['<s>']},
                               '</s>': {'id': '</s>', 'ids': [2], 'tokens': ['</s>']}},
        },
        'decoder': metaspace,
        'model': {'type': 'Unigram', 'unk_id': 3, 'vocab': vocab},
    }


def write_json(model_path, path):
    with open(path, 'w', encoding='utf-8') as f:
        json.dump(tokenizer_json(model_path), f, ensure_ascii=False, separators=(',', ':'))


if __name__ == '__main__':
    train()
    write_json(work('spm.model'), work('tokenizer.json'))
