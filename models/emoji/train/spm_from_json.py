"""A SentencePiece model made from a checkpoint's tokenizer.json, so that the checkpoint folder alone is enough to go on."""
import base64
import json
import struct


def varint(value):
    out = b''
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def bytes_field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def int_field(number, value):
    return varint(number << 3) + varint(value)


def piece(text, score, kind):
    return bytes_field(1, bytes_field(1, text.encode()) + varint(2 << 3 | 5) + struct.pack('<f', score) + int_field(3, kind))


def convert(tokenizer_json, model_path):
    """Writes model_path; kinds: 1 normal, 2 unknown, 3 control."""
    with open(tokenizer_json, encoding='utf-8') as f:
        tokenizer = json.load(f)
    vocab = tokenizer['model']['vocab']
    charsmap = base64.b64decode(tokenizer['normalizer']['precompiled_charsmap'])
    model = piece('<unk>', 0.0, 2) + piece('<s>', 0.0, 3) + piece('</s>', 0.0, 3)
    for text, score in vocab[4:-1]:
        model += piece(text, score, 1)
    trainer = int_field(3, 1) + int_field(4, len(vocab) - 2) + int_field(40, 0) + int_field(41, 1) + int_field(42, 2)
    normaliser = bytes_field(1, b'nmt_nfkc_cf') + bytes_field(2, charsmap) + int_field(3, 1) + int_field(4, 1) + int_field(5, 1)
    with open(model_path, 'wb') as f:
        f.write(model + bytes_field(2, trainer) + bytes_field(3, normaliser))
