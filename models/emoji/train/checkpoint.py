"""Reads and writes checkpoints in upstream's layout (safetensors, plain names or adapters)."""
import json
import os
import struct

import common
import numpy as np
import torch

from model import Text, Vision

ROBERTA = 'text_model.transformer.roberta.'


def read_safetensors(path):
    """(name -> tensor as float32 or its own integer type, metadata)."""
    with open(path, 'rb') as f:
        data = f.read()
    size = struct.unpack('<Q', data[:8])[0]
    header = json.loads(data[8:8 + size])
    meta = header.pop('__metadata__', {})
    kinds = {'F32': np.float32, 'F16': np.float16, 'BF16': np.uint16, 'I64': np.int64, 'U8': np.uint8, 'I32': np.int32}
    out = {}
    for name, entry in header.items():
        begin, end = entry['data_offsets']
        raw = np.frombuffer(data, kinds[entry['dtype']], offset=8 + size + begin,
                            count=(end - begin) // np.dtype(kinds[entry['dtype']]).itemsize)
        if entry['dtype'] == 'BF16':
            raw = (raw.astype(np.uint32) << 16).view(np.float32)
        elif entry['dtype'] == 'F16':
            raw = raw.astype(np.float32)
        out[name] = torch.from_numpy(raw.reshape(entry['shape']).copy())
    return out, meta


def write_safetensors(path, tensors, metadata, dtype='BF16'):
    """Writes float tensors as BF16 (rounded to nearest even by torch) or F32, names sorted."""
    header, blobs, offset = {'__metadata__': metadata}, [], 0
    for name in sorted(tensors):
        value = tensors[name].detach().contiguous()
        blob = value.bfloat16().view(torch.int16).numpy().tobytes() if dtype == 'BF16' else value.float().numpy().tobytes()
        header[name] = {'dtype': dtype, 'shape': list(value.shape), 'data_offsets': [offset, offset + len(blob)]}
        offset += len(blob)
        blobs.append(blob)
    text = json.dumps(header, separators=(',', ':')).encode()
    text += b' ' * (-len(text) % 8)
    with open(path + '.part', 'wb') as f:
        f.write(struct.pack('<Q', len(text)) + text)
        for blob in blobs:
            f.write(blob)
    os.replace(path + '.part', path)


def text_names(layers):
    """our parameter name -> upstream's."""
    out = {'word_embeddings.weight': ROBERTA + 'embeddings.word_embeddings.weight',
           'token_type_embeddings.weight': ROBERTA + 'embeddings.token_type_embeddings.weight',
           'emb_ln.weight': ROBERTA + 'emb_ln.weight', 'emb_ln.bias': ROBERTA + 'emb_ln.bias'}
    for i in range(layers):
        for ours, theirs in (('Wqkv', 'mixer.Wqkv'), ('out_proj', 'mixer.out_proj'), ('fc1', 'mlp.fc1'),
                             ('fc2', 'mlp.fc2'), ('norm1', 'norm1'), ('norm2', 'norm2')):
            for part in ('weight', 'bias'):
                out[f'layers.{i}.{ours}.{part}'] = f'{ROBERTA}encoder.layers.{i}.{theirs}.{part}'
    return out


def vision_names(layers):
    """our parameter name -> upstream's."""
    v = 'vision_model.'
    out = {'cls_token': v + 'cls_token', 'pos_embed': v + 'pos_embed', 'patch_embed.weight': v + 'patch_embed.proj.weight',
           'patch_embed.bias': v + 'patch_embed.proj.bias', 'norm.weight': v + 'norm.weight', 'norm.bias': v + 'norm.bias'}
    for i in range(layers):
        b, u = f'blocks.{i}.', f'{v}blocks.{i}.'
        for name in ('norm1.weight', 'norm1.bias', 'norm2.weight', 'norm2.bias'):
            out[b + name] = u + name
        for name in ('q_proj.weight', 'k_proj.weight', 'v_proj.weight', 'q_bias', 'v_bias', 'inner_attn_ln.weight',
                     'inner_attn_ln.bias', 'proj.weight', 'proj.bias'):
            out[b + name] = u + 'attn.' + name
        for name in ('w1', 'w2', 'ffn_ln', 'w3'):
            for part in ('weight', 'bias'):
                out[f'{b}{name}.{part}'] = f'{u}mlp.{name}.{part}'
    return out


def folded(tensors):
    """Adds adapters (one, scale alpha / rank = 1) to the weights they belong to and gives plain names."""
    out = {}
    for name, value in tensors.items():
        if name.endswith('.parametrizations.weight.original'):
            stem = name[:-len('.parametrizations.weight.original')]
            a = tensors[stem + '.parametrizations.weight.0.lora_A'][0]
            b = tensors[stem + '.parametrizations.weight.0.lora_B'][0]
            out[stem + '.weight'] = value + (a @ b if 'embeddings' in stem else b @ a)
        elif '.lora_' not in name:
            out[name] = value
    return out


def towers_from(tensors, config):
    """(Text, Vision) of a checkpoint's tensors and its config.json."""
    tensors = folded(tensors)
    t = config['text_config']['hf_model_config_kwargs']
    v = config['vision_config']
    text = Text(t['vocab_size'], t['hidden_size'], t['num_hidden_layers'], t['num_attention_heads'],
                t['intermediate_size'], t.get('rotary_emb_base', 20000.0))
    vision = Vision(v['image_size'], v['patch_size'], v['width'], v['layers'], v['width'] // v['head_width'],
                    int(v['width'] * v['mlp_ratio']), v['pt_hw_seq_len'])
    text.load_state_dict({ours: tensors[theirs] for ours, theirs in text_names(t['num_hidden_layers']).items()})
    vision.load_state_dict({ours: tensors[theirs] for ours, theirs in vision_names(v['layers']).items()})
    return text.eval(), vision.eval()


def load_checkpoint(folder):
    """(Text, Vision, logit scale, metadata) of a folder in upstream's layout."""
    with open(os.path.join(folder, 'config.json'), encoding='utf-8') as f:
        config = json.load(f)
    tensors, meta = read_safetensors(os.path.join(folder, 'model.safetensors'))
    text, vision = towers_from(tensors, config)
    return text, vision, tensors['logit_scale'], meta


def tower_tensors(text, vision, logit_scale):
    """Both towers as upstream's names -> tensors."""
    out = {'logit_scale': torch.as_tensor(float(logit_scale))}
    state = text.state_dict()
    for ours, theirs in text_names(len(text.layers)).items():
        out[theirs] = state[ours]
    state = vision.state_dict()
    for ours, theirs in vision_names(len(vision.blocks)).items():
        out[theirs] = state[ours]
    return out


def towers_of(state):
    """(text, vision) of a stage's saved state. The word table is as long as it was saved, whatever the tokenizer of now."""
    text, vision = Text(vocab=len(state['text']['word_embeddings.weight'])), Vision()
    text.load_state_dict(state['text'])
    vision.load_state_dict(state['vision'])
    return text, vision
