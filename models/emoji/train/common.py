"""Paths, constants and process set-up shared by every training script.

Importing this module before torch picks the fast OpenBLAS kernels: Debian's
OpenBLAS does not know some newer Xeons and falls back to SSE3, which is about
twenty times slower.
"""
import os


def _flags():
    try:
        with open('/proc/cpuinfo', encoding='ascii', errors='replace') as f:
            return f.read()
    except OSError:
        return ''


def _choose_blas_kernels():
    flags = _flags()
    if 'avx512vl' in flags:
        os.environ.setdefault('OPENBLAS_CORETYPE', 'SkylakeX')
    elif 'avx2' in flags:
        os.environ.setdefault('OPENBLAS_CORETYPE', 'Haswell')


_choose_blas_kernels()
# Does the processor multiply bfloat16 itself? Then a step of the full text tower takes a third of the time; without, PyTorch's
# bfloat16 is slower than its float32.
FAST_BF16 = 'avx512_bf16' in _flags() or 'amx_bf16' in _flags()
# One thread a process: two threads inside one process are slower than one at
# these matrix sizes; the second core runs a second process.
os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')
os.environ.setdefault('OMP_NUM_THREADS', '1')

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
NODE = os.path.join(REPO, 'build', 'emoji', 'node_modules')
# The smoke run (train.py --smoke): 62 animals, a few languages and styles, its own folder.
SMOKE = os.environ.get('CLIPGLOT_EMOJI_SMOKE') == '1'
SMOKE_LOCALES = ['en', 'de', 'fr', 'es', 'ko', 'ar']
SMOKE_CONCEPTS = {chr(c) for c in range(0x1F400, 0x1F43E)}
WORK = os.environ.get('CLIPGLOT_EMOJI_WORK', os.path.join(REPO, 'build', 'emoji', 'smoke' if SMOKE else ''))
CHECKPOINT = os.path.join(os.path.dirname(HERE), 'checkpoint')

SEED = 20240917
RENDER_SIZE = 96  # pixels, side of a rendered picture
TRAIN_STYLES = ['noto', 'noto-v1', 'fluent-emoji', 'fluent-emoji-flat', 'fxemoji', 'notofont', 'flagicons']
TEST_STYLES = ['twemoji', 'emojione', 'openmoji']
if SMOKE:
    TRAIN_STYLES, TEST_STYLES = ['noto', 'noto-v1', 'fluent-emoji-flat'], ['twemoji']
TONES = {0x1F3FB, 0x1F3FC, 0x1F3FD, 0x1F3FE, 0x1F3FF}

# The model (trained on CPU cores).
DIM = 192
HEADS = 3
TEXT_LAYERS = 4
TEXT_FFN = 768
PIECES = 600 if SMOKE else 16000
VOCAB = PIECES + 2
VISION_LAYERS = 4
VISION_HIDDEN = 512  # int(192 * 2.6667)
IMAGE = 64
PATCH = 16
DIMS = [32, 64, 128, 192]
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)

NPM = {
    'cldr-annotations-full': '48.2.0',
    'cldr-annotations-derived-full': '48.2.0',
    'cldr-localenames-full': '48.2.0',
    '@iconify-json/noto': '1.2.9',
    '@iconify-json/noto-v1': '1.2.5',
    '@iconify-json/fluent-emoji': '1.2.7',
    '@iconify-json/fluent-emoji-flat': '1.2.6',
    '@iconify-json/fxemoji': '1.2.2',
    '@iconify-json/twemoji': '1.2.5',
    '@iconify-json/emojione': '1.2.3',
    '@iconify-json/openmoji': '1.2.29',
    'flag-icons': '7.5.0',
}
if SMOKE:
    NPM = {p: v for p, v in NPM.items() if 'cldr' in p or p.split('/')[-1] in TRAIN_STYLES + TEST_STYLES + ['openmoji']}


def canon(emoji):
    """The key of a concept: the emoji without variation selectors."""
    return emoji.replace('\uFE0F', '')


def has_tone(emoji):
    """True for a skin-tone variant (a tone after the first position)."""
    return any(ord(c) in TONES for c in emoji[1:])


def without_tones(emoji):
    """The concept a skin-tone variant belongs to."""
    return emoji[0] + ''.join(c for c in emoji[1:] if ord(c) not in TONES)


def work(name):
    """A path below the working folder."""
    return os.path.join(WORK, name)
