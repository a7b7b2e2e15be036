"""Vectors of PyTorch's towers for `npm run emoji-check` (build/emoji/check/): the engine's must agree.

Takes the checkpoint (BF16, computed in float32), texts of many languages and
pictures of the report (build/emoji/eval/, see eval_data.py). Writes
  check.json            texts, side of the pictures
  pictures.rgb          the pictures, side x side x 3 bytes each
  vectors.safetensors   text and image, of unit length
"""
import argparse
import json
import os

import common
import numpy as np
import torch

from common import CHECKPOINT, work
from checkpoint import load_checkpoint, write_safetensors
from model import unit
from pictures import normalise
from spm_from_json import convert
from textdata import Tokenizer

TEXTS, PICTURES = 200, 50


def choose_texts(names):
    """Names from all languages in turn; some in capitals, some joined to long texts."""
    locales = sorted(names)
    texts = []
    for i in range(TEXTS):
        own = names[locales[i * 7 % len(locales)]]['texts']
        text = own[i * 37 % len(own)]
        if i % 5 == 1:
            text = text.upper()
        elif i % 10 == 2:
            text = ', '.join(own[(i * 37 + j) % len(own)] for j in range(2 + i // 10))
        texts.append(text)
    return texts


@torch.no_grad()
def main(folder):
    out = work('check')
    os.makedirs(out, exist_ok=True)
    with open(work('eval/eval.json'), encoding='utf-8') as f:
        known = json.load(f)
    text, vision, _, _ = load_checkpoint(folder)
    convert(os.path.join(folder, 'tokenizer.json'), os.path.join(out, 'spm.model'))
    tokenizer = Tokenizer(os.path.join(out, 'spm.model'))
    texts = choose_texts(known['names'])
    read = torch.cat([unit(text(torch.tensor([tokenizer.ids(t)]))) for t in texts])
    side, parts = known['side'], []
    for i, gallery in enumerate(known['galleries'].values()):
        rows = np.fromfile(work('eval/' + gallery['file']), np.uint8).reshape(-1, side, side, 3)
        want = PICTURES // len(known['galleries']) + (i < PICTURES % len(known['galleries']))
        parts.append(rows[np.linspace(0, len(rows) - 1, want).astype(int)])
    pictures = np.concatenate(parts)
    pictures.tofile(os.path.join(out, 'pictures.rgb'))
    pixels = normalise(torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255)
    write_safetensors(os.path.join(out, 'vectors.safetensors'), {'text': read, 'image': unit(vision(pixels))}, {}, 'F32')
    with open(os.path.join(out, 'check.json'), 'w', encoding='utf-8') as f:
        json.dump({'texts': texts, 'side': side}, f, ensure_ascii=False)


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--folder', default=CHECKPOINT)
    main(parser.parse_args().folder)
