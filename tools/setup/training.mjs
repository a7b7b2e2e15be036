// What training the emoji model needs beyond a build: Debian's Python packages (models/emoji/train/README.md says why
// these), and the npm packages of its data. Nothing of the product needs them, so only the commands that train or
// report ask for these steps.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { log } from "./log.mjs";
import { root } from "./paths.mjs";
import { capture, run } from "./run.mjs";

/** Debian's Python, which sees Debian's packages. */
export const python = "/usr/bin/python3";

const modules = {
  torch: "python3-torch",
  numpy: "python3-numpy",
  PIL: "python3-pil",
  sentencepiece: "python3-sentencepiece",
  gi: "python3-gi",
  "gi._gi_cairo": "python3-gi-cairo",
};

let found;
// Looks for all modules in one call, and does not load them: that takes seconds.
const look = (names) => `
from importlib.util import find_spec
for name in ${JSON.stringify(names)}:
    try:
        if find_spec(name): print(name)
    except ImportError:
        pass
`;
function hasModule(name) {
  found ??= capture(python, ["-c", look(Object.keys(modules))]).stdout.split("\n");
  return found.includes(name);
}

// Is there a file below one of the folders that Debian has for each processor (/usr/lib/<triplet>)?
const hasLibraryFile = (path) =>
  existsSync("/usr/lib") &&
  readdirSync("/usr/lib").some((triplet) => existsSync(join("/usr/lib", triplet, path)));

/** [is it there?, package]: the shape of host-packages.mjs. */
export const trainingPackages = [
  ...Object.entries(modules).map(([module, name]) => [() => hasModule(module), name]),
  [() => hasLibraryFile("openblas-pthread/libblas.so.3"), "libopenblas0-pthread"],
  [() => hasLibraryFile("girepository-1.0/Rsvg-2.0.typelib"), "gir1.2-rsvg-2.0"],
  [() => existsSync("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"), "fonts-noto-color-emoji"],
  ["spm_train", "sentencepiece"],
];

/** The captions and pictures of the smoke run, so that the run itself needs no network. */
export async function setUpTrainingData() {
  log("fetching the data of the smoke training, where it is missing");
  await run(python, [join(root, "models/emoji/train/fetch.py")], {
    env: { ...process.env, CLIPGLOT_EMOJI_SMOKE: "1" },
  });
}
