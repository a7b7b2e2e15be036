"""Writes a checkpoint folder in upstream's layout: BF16 weights, configs, tokenizer and the concepts.

The safetensors metadata says how far the training was (stage, step, pictures,
seed), so that the folder alone is enough to go on.
"""
import argparse
import json
import os
import shutil

import common
from common import (CHECKPOINT, DIM, DIMS, HEADS, IMAGE, MEAN, PATCH, SEED, STD, TEXT_FFN, TEXT_LAYERS, VISION_LAYERS, work)
from checkpoint import tower_tensors, towers_of, write_safetensors
from progress import load
from textdata import load_captions


def config(vocab):
    kwargs = {'vocab_size': vocab, 'hidden_size': DIM, 'num_hidden_layers': TEXT_LAYERS, 'num_attention_heads': HEADS,
              'intermediate_size': TEXT_FFN, 'hidden_act': 'gelu', 'layer_norm_eps': 1e-05, 'type_vocab_size': 1,
              'position_embedding_type': 'rotary', 'rotary_emb_base': 20000.0, 'pad_token_id': 1, 'bos_token_id': 0,
              'eos_token_id': 2, 'lora_adaptations': None, 'lora_rank': 4, 'lora_alpha': 4, 'lora_dropout_p': 0.0}
    return {
        'architectures': ['JinaCLIPModel'], 'model_type': 'jina_clip', 'add_projections': False, 'projection_dim': DIM,
        'logit_scale_init_value': 2.6592, 'matryoshka_dimensions': DIMS, 'truncate_dim': None, 'torch_dtype': 'bfloat16',
        'text_config': {'embed_dim': DIM, 'pooler_type': 'mean_pooler', 'proj_type': None, 'proj_bias': False,
                        'default_lora_task': None, 'default_instruction_task': None, 'hf_model_config_kwargs': kwargs},
        'vision_config': {'embed_dim': DIM, 'width': DIM, 'head_width': DIM // HEADS, 'layers': VISION_LAYERS,
                          'image_size': IMAGE, 'patch_size': PATCH, 'mlp_ratio': 2.6667, 'naive_swiglu': True, 'subln': True,
                          'qkv_bias': True, 'rope_embeddings': True, 'intp_freq': True, 'pt_hw_seq_len': 16,
                          'post_norm': False, 'ls_init_value': None, 'patch_dropout': 0.0, 'proj_type': None},
    }


def tokenizer_config(vocab):
    def token(content):
        return {'content': content, 'lstrip': content == '<mask>', 'normalized': False, 'rstrip': False,
                'single_word': False, 'special': True}
    added = {'0': token('<s>'), '1': token('<pad>'), '2': token('</s>'), '3': token('<unk>'), str(vocab - 1): token('<mask>')}
    return {'added_tokens_decoder': added, 'bos_token': '<s>', 'clean_up_tokenization_spaces': True, 'cls_token': '<s>',
            'eos_token': '</s>', 'mask_token': '<mask>', 'model_max_length': 8194, 'pad_token': '<pad>', 'sep_token': '</s>',
            'tokenizer_class': 'XLMRobertaTokenizer', 'unk_token': '<unk>'}


def write_json(folder, name, value):
    with open(os.path.join(folder, name), 'w', encoding='utf-8') as f:
        json.dump(value, f, ensure_ascii=False, indent=1)
        f.write('\n')


def main(source=None, folder=CHECKPOINT):
    """build/emoji/SOURCE -> folder. Tells where the training stood. Default: the last stage that was trained."""
    source = source or next(f for f in ('emoji.pt', 'q4.pt', 'matryoshka.pt', 'hard_examples.pt', 'full.pt', 'joint.pt') if os.path.exists(work(f)))
    state = load(work(source))
    text, vision = towers_of(state)
    vocab = len(text.word_embeddings.weight)
    if state['bag']:
        text.bag_to_full()
    os.makedirs(folder, exist_ok=True)
    meta = {'format': 'pt', 'clipglot.stage': source.removesuffix('.pt'), 'clipglot.step': str(state['step']),
            'clipglot.pictures': str(state['seen']), 'clipglot.seed': str(SEED)}
    write_safetensors(os.path.join(folder, 'model.safetensors'), tower_tensors(text, vision, state['scale']), meta)
    write_json(folder, 'config.json', config(vocab))
    write_json(folder, 'preprocessor_config.json', {
        'image_processor_type': 'JinaCLIPImageProcessor', 'size': IMAGE, 'resize_mode': 'shortest', 'interpolation': 'bicubic',
        'fill_color': 0, 'mean': list(MEAN), 'std': list(STD)})
    write_json(folder, 'tokenizer_config.json', tokenizer_config(vocab))
    if 'tokenizer' in state:  # the stage that gives it the emoji
        with open(os.path.join(folder, 'tokenizer.json'), 'w', encoding='utf-8') as f:
            f.write(state['tokenizer'])
    else:
        shutil.copyfile(work('tokenizer.json'), os.path.join(folder, 'tokenizer.json'))
    with open(os.path.join(folder, 'concepts.json'), 'w', encoding='utf-8') as f:
        json.dump(load_captions()['concepts'], f, ensure_ascii=False)
        f.write('\n')
    size = os.path.getsize(os.path.join(folder, 'model.safetensors'))
    print(f'{folder}: step {state["step"]}, {state["seen"]} pictures, {size / 1e6:.1f} MB', flush=True)


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--source', help='file below build/emoji')
    parser.add_argument('--folder', default=CHECKPOINT)
    a = parser.parse_args()
    main(a.source, a.folder)
