"""Pieces that the three stages share: schedule, optimiser groups, save and resume."""
import json
import math
import os
import time

import common  # noqa: F401
import torch


class Clock:
    """Progress 0..1 of a stage by wall time (budget in seconds) or by steps.

    A stage that is limited by steps repeats exactly with the same seed; one that
    is limited by time uses whatever the machine gives.
    """

    def __init__(self, seconds=None, steps=None, done_seconds=0.0, step=0):
        assert (seconds is None) != (steps is None)
        self.seconds, self.steps, self.step = seconds, steps, step
        self.begin = time.time() - done_seconds
        self.fresh = step

    def elapsed(self):
        return time.time() - self.begin

    def part(self):
        return min(1.0, self.step / self.steps if self.steps else self.elapsed() / self.seconds)

    def rate(self, warmup=100, low=0.02):
        """Warm-up (also after a resume), then a cosine down to low."""
        warm = min(1.0, (self.step - self.fresh + 1) / warmup)
        return warm * (0.5 * (1 + math.cos(math.pi * self.part())) * (1 - low) + low)


def set_rate(optimiser, base, factor):
    for group, rate in zip(optimiser.param_groups, base):
        group['lr'] = rate * factor


def save(path, **content):
    """Writes a torch file in one move, so that readers never see half of it."""
    torch.save(content, path + '.part')
    os.replace(path + '.part', path)


def note(path, **values):
    """Adds a line to the learning curve: one JSON object a line."""
    with open(path, 'a', encoding='utf-8') as f:
        f.write(json.dumps(values, ensure_ascii=False) + '\n')


def load(path):
    return torch.load(path, map_location='cpu') if os.path.exists(path) else None


def recall(scores, answers, at=(1, 10)):
    """Recall in percent at each rank; scores queries x candidates, answers the right candidate of each query."""
    rank = (scores > scores.gather(1, answers[:, None])).sum(1)
    return [round(100 * (rank < k).float().mean().item(), 1) for k in at]
