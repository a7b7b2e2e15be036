"""PyTorch's towers against the golden vectors: the trained architecture is the engine's.

Run: /usr/bin/python3 models/emoji/train/test_model.py
"""
import json
import os
import unittest

import common
import torch

from common import REPO
from checkpoint import load_checkpoint, read_safetensors
from model import Text, unit

GOLDEN = os.path.join(REPO, 'tests', 'data', 'golden-a')
# float32 against float64 on normalised vectors: see the golden set's README.
TOLERANCE = 1e-5


class Golden(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.text, cls.vision, _, _ = load_checkpoint(GOLDEN)
        cls.expected, _ = read_safetensors(os.path.join(GOLDEN, 'expected.safetensors'))
        with open(os.path.join(GOLDEN, 'expected.json'), encoding='utf-8') as f:
            cls.listing = json.load(f)

    def test_text(self):
        with torch.no_grad():
            rows = [self.text(torch.tensor([t['ids']])) for t in self.listing['texts']]
        worst = (unit(torch.cat(rows)) - self.expected['text.document.normalized']).abs().max().item()
        self.assertLess(worst, TOLERANCE)

    def test_padding_changes_nothing(self):
        short, long = sorted((t['ids'] for t in self.listing['texts'] if 2 < len(t['ids']) < 60), key=len)[::8][:2]
        batch = torch.ones(2, max(len(short), len(long)) + 3, dtype=torch.long)
        batch[0, :len(short)] = torch.tensor(short)
        batch[1, :len(long)] = torch.tensor(long)
        with torch.no_grad():
            both = self.text(batch)
            alone = torch.cat([self.text(torch.tensor([short])), self.text(torch.tensor([long]))])
        self.assertLess((both - alone).abs().max().item(), TOLERANCE)

    def test_pictures(self):
        with torch.no_grad():
            rows = [self.vision(self.expected['image.pixels.' + i['file']][None]) for i in self.listing['images']]
        worst = (unit(torch.cat(rows)) - self.expected['image.normalized']).abs().max().item()
        self.assertLess(worst, TOLERANCE)

    def test_truncation(self):
        for dims in (32, 16, 8):
            found = unit(self.expected['image.raw'], dims)
            self.assertLess((found - self.expected[f'image.normalized_{dims}']).abs().max().item(), TOLERANCE)


class Stages(unittest.TestCase):
    def test_bag_becomes_the_full_tower(self):
        torch.manual_seed(1)
        text = Text(vocab=500, dim=64, layers=3, heads=2, hidden=128)
        text.emb_ln.weight.data.uniform_(0.5, 1.5)
        text.emb_ln.bias.data.normal_()
        ids = torch.randint(4, 500, (16, 9))
        ids[:, 7:] = 1
        with torch.no_grad():
            bag = text(ids, bag=True)
            flat = text.bag(ids[:, :7].reshape(-1), torch.arange(16).repeat_interleave(7), torch.full((16,), 7.0))
            text.bag_to_full()
            full = text(ids)
        self.assertLess((bag - flat).abs().max().item(), 1e-5)
        # LayerNorm of a normalised vector is the identity up to eps / variance: small, not zero.
        self.assertLess((unit(bag) - unit(full)).abs().max().item(), 2e-3)


if __name__ == '__main__':
    unittest.main()
