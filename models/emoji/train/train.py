"""Trains the default model: one command for everything, or one stage.

  /usr/bin/python3 models/emoji/train/train.py                     all stages
  /usr/bin/python3 models/emoji/train/train.py STAGE [STAGE ...]   fetch render captions tokenizer textdata
                                                                   text vision align joint full hard-examples matryoshka q4 emoji export
                                                                   report
  /usr/bin/python3 models/emoji/train/train.py --resume            training goes on from the checkpoint in the repository
  /usr/bin/python3 models/emoji/train/train.py --resume emoji      the emoji themselves alone, on that checkpoint's towers
  /usr/bin/python3 models/emoji/train/train.py --smoke             one minute on 60 animals; fails when recall is near chance

A stage that was interrupted goes on where it was. vision and joint run as two
processes that average their weights, one a core.
"""
import argparse
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
STAGES = 'fetch render captions tokenizer textdata text vision align joint full hard-examples matryoshka q4 emoji export report'.split()
HOURS = {'text': 0.35, 'vision': 1.0, 'align': 0.1, 'joint': 1.0, 'full': 0.7, 'hard-examples': 0.7, 'matryoshka': 0.7, 'q4': 0.07}  # default budget of two free cores


def script(name, *arguments, wait=True):
    """Runs a script of this folder in its own process."""
    command = [sys.executable, os.path.join(HERE, name + '.py'), *map(str, arguments)]
    process = subprocess.Popen(command)
    if not wait:
        return process
    if process.wait() != 0:
        raise SystemExit(f'{name} failed')
    return None


def both(name, *arguments):
    """Rank 1 beside rank 0."""
    helper = script(name, *arguments, '--rank', 1, wait=False)
    try:
        script(name, *arguments, '--rank', 0)
    finally:
        helper.wait()


def stage(name, scale, init):
    seconds = HOURS.get(name, 0) * 3600 * scale
    start = ['--init', init] if init else []
    if name == 'text':
        script('train_text', '--seconds', seconds, *start)
    elif name == 'vision':
        both('train_vision', '--seconds', seconds, *start)
    elif name == 'align':
        script('train_align', '--seconds', seconds)
    elif name == 'joint':
        both('train_joint', '--seconds', seconds)
    elif name == 'full':
        both('train_joint', '--seconds', seconds, '--full')
    elif name == 'hard-examples':
        both('train_hard_examples', '--seconds', seconds)
    elif name == 'matryoshka':
        both('train_matryoshka', '--seconds', seconds)
    elif name == 'q4':
        script('train_quantised', '--seconds', seconds)
    elif name == 'emoji':
        script('train_emoji', '--scale', scale)
    else:
        script(name)


def resume(scale, steps=None, emoji=False):
    """Prepares the data, takes tokenizer and towers from the checkpoint, and runs the last five stages on them.

    steps: so many in one process, instead of a time. emoji: only the last of these, which leaves the towers as they are.
    """
    import common
    from spm_from_json import convert
    os.makedirs(common.WORK, exist_ok=True)
    for name in ('fetch', 'render', 'captions'):
        script(name)
    shutil.copyfile(os.path.join(common.CHECKPOINT, 'tokenizer.json'), common.work('tokenizer.json'))
    convert(common.work('tokenizer.json'), common.work('spm.model'))
    script('textdata')
    if emoji:
        script('train_emoji', '--source', common.CHECKPOINT, *(['--steps', steps] if steps else ['--scale', scale]))
    elif steps:
        script('train_joint', '--steps', steps, '--source', common.CHECKPOINT)
        script('train_hard_examples', '--steps', steps)
        script('train_matryoshka', '--steps', steps)
        script('train_quantised', '--steps', steps)
        script('train_emoji', '--steps', steps)
    else:
        both('train_joint', '--seconds', HOURS['full'] * 3600 * scale, '--source', common.CHECKPOINT)
        for name in ('hard-examples', 'matryoshka', 'q4', 'emoji'):
            stage(name, scale, None)


def smoke():
    """Every stage from nothing, a minute of a core; ends with smoke_check.py on the exported checkpoint."""
    os.environ['CLIPGLOT_EMOJI_SMOKE'] = '1'
    import common
    shutil.rmtree(common.WORK, ignore_errors=True)
    os.makedirs(common.WORK)
    for name in ('fetch', 'render', 'captions', 'tokenizer', 'textdata'):
        script(name)
    script('train_text', '--steps', 120)
    script('train_vision', '--steps', 260)
    script('train_align', '--steps', 60)
    script('train_joint', '--steps', 60)
    script('train_joint', '--steps', 20, '--full')
    script('train_hard_examples', '--steps', 20)
    script('train_matryoshka', '--steps', 10)
    script('train_quantised', '--steps', 5)
    script('train_emoji', '--steps', 60)
    script('export', '--folder', common.work('checkpoint'))
    script('smoke_check')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('stages', nargs='*', metavar='STAGE')
    parser.add_argument('--scale', type=float, default=1.0, help='multiplies the time of every stage')
    parser.add_argument('--init', help='checkpoint folder to start the vision tower from')
    parser.add_argument('--resume', action='store_true')
    parser.add_argument('--steps', type=int, help='with --resume: so many steps in one process, instead of a time')
    parser.add_argument('--smoke', action='store_true')
    a = parser.parse_args()
    unknown = [s for s in a.stages if s not in STAGES]
    if unknown:
        parser.error(f'no stage {unknown[0]}; there are {" ".join(STAGES)}')
    sys.path.insert(0, HERE)
    if a.smoke:
        smoke()
    elif a.resume:
        if a.stages not in ([], ['emoji']):
            parser.error('--resume runs all of its stages, or emoji alone')
        resume(a.scale, a.steps, bool(a.stages))
    else:
        for name in a.stages or STAGES:
            stage(name, a.scale, a.init)


if __name__ == '__main__':
    main()
