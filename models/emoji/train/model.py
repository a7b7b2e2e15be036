"""Both towers of jina-clip-v2, at any size, in PyTorch.

Text: XLM-R with rotary positions (half-split pairs, base 20000), post-norm
blocks, exact GELU, mean pooling over all unmasked tokens. Vision: EVA-02 with
a 2-D rotary (interleaved pairs, base 10000, rows then columns), sub-LN
attention, SwiGLU with an inner norm, pre-norm blocks, the CLS row as output.
Neither has a projection. Attribute names follow upstream's tensor names where
that is possible; checkpoint.py maps the rest.
"""
import common  # noqa: F401  (must come before torch)
import math

import torch
from torch import nn
from torch.nn import functional as F


class TextBlock(nn.Module):
    """One post-norm block. out_proj and fc2 start at zero: a fresh block is only two norms."""

    def __init__(self, dim, heads, hidden):
        super().__init__()
        self.heads = heads
        self.Wqkv = nn.Linear(dim, 3 * dim)
        self.out_proj = nn.Linear(dim, dim)
        self.norm1 = nn.LayerNorm(dim, 1e-5)
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)
        self.norm2 = nn.LayerNorm(dim, 1e-5)
        for layer in (self.Wqkv, self.fc1):
            nn.init.normal_(layer.weight, std=0.04)
            nn.init.zeros_(layer.bias)
        for layer in (self.out_proj, self.fc2):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x, bias, cos, sin):
        batch, length, dim = x.shape
        qkv = self.Wqkv(x).view(batch, length, 3, self.heads, dim // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)

        def rotate(t):
            a, b = t.chunk(2, -1)
            return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)

        scores = rotate(q) @ rotate(k).transpose(-1, -2) * (q.shape[-1] ** -0.5) + bias
        out = (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, length, dim)
        x = self.norm1(x + self.out_proj(out))
        return self.norm2(x + self.fc2(F.gelu(self.fc1(x))))


class Text(nn.Module):
    """ids (batch x length, int64; 1 is padding) -> batch x dim, not normalised."""

    def __init__(self, vocab=common.VOCAB, dim=common.DIM, layers=common.TEXT_LAYERS, heads=common.HEADS,
                 hidden=common.TEXT_FFN, base=20000.0):
        super().__init__()
        self.dim, self.heads, self.base = dim, heads, base
        self.word_embeddings = nn.Embedding(vocab, dim)
        self.token_type_embeddings = nn.Embedding(1, dim)
        self.emb_ln = nn.LayerNorm(dim, 1e-5)
        self.layers = nn.ModuleList(TextBlock(dim, heads, hidden) for _ in range(layers))
        nn.init.normal_(self.word_embeddings.weight, std=0.05)
        nn.init.zeros_(self.token_type_embeddings.weight)

    def embed(self, ids):
        return self.emb_ln(self.word_embeddings(ids) + self.token_type_embeddings.weight[0])

    def forward(self, ids, bag=False):
        """bag: skip the layers (stage "text": a bag of subwords)."""
        mask = (ids != 1).float()
        x = self.embed(ids)
        if not bag:
            head = self.dim // self.heads
            freq = self.base ** (-torch.arange(0, head, 2).float() / head)
            angle = torch.outer(torch.arange(ids.shape[1]).float(), freq)
            bias = ((1 - mask) * -10000.0)[:, None, None, :]
            for layer in self.layers:
                x = layer(x, bias, angle.cos(), angle.sin())
        return (x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)

    def bag(self, ids, owner, lengths):
        """Stage "text" without padding: ids of all texts in a row, the text each belongs to, and the lengths."""
        total = torch.zeros(len(lengths), self.dim).index_add_(0, owner, self.embed(ids))
        return total / lengths[:, None]

    def bag_to_full(self):
        """Makes the full tower give what the bag gave: emb_ln's scale and shift move to the last norm2.

        LayerNorm of an already normalised vector is the identity (up to eps), so
        only the last norm may carry the scale and shift that the stage "text" has learned.
        """
        last = self.layers[-1].norm2
        with torch.no_grad():
            last.weight.copy_(self.emb_ln.weight)
            last.bias.copy_(self.emb_ln.bias)
            self.emb_ln.weight.fill_(1)
            self.emb_ln.bias.zero_()


class VisionBlock(nn.Module):
    def __init__(self, dim, heads, hidden):
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(dim, 1e-6)
        self.q_proj = nn.Linear(dim, dim, bias=False)
        self.k_proj = nn.Linear(dim, dim, bias=False)
        self.v_proj = nn.Linear(dim, dim, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(dim))
        self.v_bias = nn.Parameter(torch.zeros(dim))
        self.inner_attn_ln = nn.LayerNorm(dim, 1e-6)
        self.proj = nn.Linear(dim, dim)
        self.norm2 = nn.LayerNorm(dim, 1e-6)
        self.w1 = nn.Linear(dim, hidden)
        self.w2 = nn.Linear(dim, hidden)
        self.ffn_ln = nn.LayerNorm(hidden, 1e-6)
        self.w3 = nn.Linear(hidden, dim)
        for layer in (self.q_proj, self.k_proj, self.v_proj, self.proj, self.w1, self.w2, self.w3):
            nn.init.trunc_normal_(layer.weight, std=0.03)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)

    def forward(self, x, cos, sin, rows=None):
        """rows: give only the first rows of the result (the last block needs no more than CLS)."""
        batch, length, dim = x.shape
        rows = rows or length
        y = self.norm1(x)

        def heads(t):
            return t.view(batch, -1, self.heads, dim // self.heads).transpose(1, 2)

        def rotate(t):  # interleaved pairs; the tables leave CLS alone
            turned = torch.stack((-t[..., 1::2], t[..., ::2]), -1).flatten(-2)
            return t * cos[:t.shape[2]] + turned * sin[:t.shape[2]]

        q = heads(F.linear(y[:, :rows], self.q_proj.weight, self.q_bias))
        k, v = heads(self.k_proj(y)), heads(F.linear(y, self.v_proj.weight, self.v_bias))
        scores = rotate(q) @ rotate(k).transpose(-1, -2) * (q.shape[-1] ** -0.5)
        out = (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, rows, dim)
        x = x[:, :rows] + self.proj(self.inner_attn_ln(out.to(x.dtype)))
        y = self.norm2(x)
        return x + self.w3(self.ffn_ln((F.silu(self.w1(y)) * self.w2(y)).to(x.dtype)))


class Vision(nn.Module):
    """pixels (batch x 3 x side x side, normalised) -> batch x dim, not normalised."""

    def __init__(self, image=common.IMAGE, patch=common.PATCH, dim=common.DIM, layers=common.VISION_LAYERS,
                 heads=common.HEADS, hidden=common.VISION_HIDDEN, pt_seq_len=16):
        super().__init__()
        self.image, self.patch, self.dim, self.heads, self.pt_seq_len = image, patch, dim, heads, pt_seq_len
        self.grid = image // patch
        self.patch_embed = nn.Conv2d(3, dim, patch, patch)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + self.grid ** 2, dim))
        nn.init.trunc_normal_(self.cls_token, std=0.02)
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        self.blocks = nn.ModuleList(VisionBlock(dim, heads, hidden) for _ in range(layers))
        self.norm = nn.LayerNorm(dim, 1e-6)
        cos, sin = self.rotary()
        self.register_buffer('cos', cos, persistent=False)
        self.register_buffer('sin', sin, persistent=False)

    def rotary(self):
        """cos and sin, (1 + patches) x head: row angles, then column angles; row 0 (CLS) is the identity."""
        head = self.dim // self.heads
        half = head // 2
        freq = 10000.0 ** (-torch.arange(0, half, 2).float() / half)
        place = torch.arange(self.grid).float() / self.grid * self.pt_seq_len
        angle = torch.outer(place, freq).repeat_interleave(2, -1)
        rows = angle[:, None].expand(self.grid, self.grid, half)
        columns = angle[None].expand(self.grid, self.grid, half)
        angle = torch.cat((rows, columns), -1).reshape(self.grid ** 2, head)
        angle = torch.cat((torch.zeros(1, head), angle))
        return angle.cos(), angle.sin()

    def forward(self, pixels):
        batch, g, p = pixels.shape[0], self.grid, self.patch
        pixels = pixels[:, :, :g * p, :g * p]
        x = pixels.reshape(batch, 3, g, p, g, p).permute(0, 2, 4, 1, 3, 5).reshape(batch, g * g, -1)
        x = F.linear(x, self.patch_embed.weight.view(self.dim, -1), self.patch_embed.bias)
        x = torch.cat((self.cls_token.expand(batch, -1, -1), x), 1) + self.pos_embed
        for i, block in enumerate(self.blocks):
            x = block(x, self.cos, self.sin, 1 if i == len(self.blocks) - 1 else None)
        return self.norm(x[:, 0])

    def cold_start(self):
        """Start values that save the first epochs.

        The patch embedding is a rotated low-frequency colour DCT basis, the
        positions are 2-D waves as large as the content, and k = 0.7 q makes the
        rotary attention local.
        """
        p, g, d = self.patch, self.grid, self.dim
        n = torch.arange(p).float()
        waves = torch.stack([torch.cos(math.pi * (n + 0.5) * k / p) * math.sqrt((2 if k else 1) / p) for k in range(p)])
        colours = torch.tensor([[0.577, 0.577, 0.577], [0.707, 0, -0.707], [0.408, -0.816, 0.408]])
        order = sorted((math.hypot(i, j) * cost + (cost - 1), c, i, j)
                       for c, cost in ((0, 1.0), (1, 1.8), (2, 1.8)) for i in range(p) for j in range(p))
        basis = torch.stack([colours[c][:, None, None] * torch.outer(waves[i], waves[j]) * 0.25 * (1 + math.hypot(i, j)) ** 0.7
                             for _, c, i, j in order[:d]])
        with torch.no_grad():
            turn = torch.linalg.qr(torch.randn(d, d))[0]
            self.patch_embed.weight.copy_((turn @ basis.view(d, -1)).view_as(self.patch_embed.weight) * 0.7)
            self.patch_embed.bias.zero_()
            quarter = d // 4
            freq = math.pi * torch.linspace(0.5, 3.5, quarter) * (torch.rand(quarter) * 0.5 + 0.75)
            phase = torch.outer((torch.arange(g).float() + 0.5) / g, freq)
            wave = torch.cat((phase.sin(), phase.cos()), 1)
            both = torch.cat((wave[:, None].expand(g, g, -1), wave[None].expand(g, g, -1)), -1).reshape(g * g, -1)
            self.pos_embed[:, 1:] = both @ torch.linalg.qr(torch.randn(d, d))[0] * 0.7
            for block in self.blocks:
                block.k_proj.weight.copy_(block.q_proj.weight * 0.7 + torch.randn_like(block.q_proj.weight) * 0.02)


def unit(x, dims=None):
    """The first dims numbers of each row, then L2-normalised."""
    return F.normalize(x if dims is None else x[..., :dims], dim=-1)
