"""Two training processes that average their weights through a shared file.

Each process trains on its own; every few steps it publishes its weights and
moves half-way to the other's. Nobody waits: a process that is stopped or gone
is left out until it publishes again.
"""
import os
import time

import common  # noqa: F401
import numpy as np
import torch

SLOTS = 2
STALE = 20.0  # seconds after which the other's weights are too old to use


class AsyncAverage:
    """path: the shared file (best below /dev/shm); rank: 0 or 1; parameters: tensors to average."""

    def __init__(self, path, rank, parameters):
        self.rank = rank
        self.parameters = list(parameters)
        size = sum(p.numel() for p in self.parameters)
        want = SLOTS * (size * 4 + 8)
        if not os.path.exists(path) or os.path.getsize(path) != want:
            with open(path, 'wb') as f:
                f.truncate(want)
        self.times = np.memmap(path, np.float64, 'r+', 0, (SLOTS,))
        self.slots = np.memmap(path, np.float32, 'r+', SLOTS * 8, (SLOTS, size))
        self.times[rank] = 0

    def exchange(self):
        """Publishes and averages; True when there was a fresh partner."""
        with torch.no_grad():
            mine = torch.cat([p.reshape(-1) for p in self.parameters]).numpy()
            other = 1 - self.rank
            fresh = time.time() - self.times[other] < STALE
            if fresh:
                mine = (mine + self.slots[other]) * 0.5
                flat, at = torch.from_numpy(mine), 0
                for p in self.parameters:
                    p.copy_(flat[at:at + p.numel()].view_as(p))
                    at += p.numel()
            self.slots[self.rank] = mine
            self.times[self.rank] = time.time()
        return fresh
