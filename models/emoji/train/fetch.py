"""Fetches the captions and pictures (npm packages) into build/emoji/node_modules."""
import json
import os
import subprocess

from common import NODE, NPM, REPO


def present(package, version):
    try:
        with open(os.path.join(NODE, package, 'package.json'), encoding='utf-8') as f:
            return json.load(f)['version'] == version
    except OSError:
        return False


def main():
    """Installs every package of common.NPM that is not there yet, without running its scripts."""
    missing = [f'{p}@{v}' for p, v in NPM.items() if not present(p, v)]
    if not missing:
        return
    folder = os.path.dirname(NODE)
    os.makedirs(folder, exist_ok=True)
    manifest = os.path.join(folder, 'package.json')
    if not os.path.exists(manifest):
        with open(manifest, 'w', encoding='utf-8') as f:
            f.write('{"private":true}\n')
    subprocess.run(['npm', 'install', '--no-audit', '--no-fund', '--ignore-scripts', *missing],
                   cwd=folder, check=True)


if __name__ == '__main__':
    main()
