// The training code is alive: its towers are the engine's, a tiny run from nothing learns, and training goes on from the
// checkpoint in the repository.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { build, root } from "../../tools/setup/paths.mjs";
import { python } from "../../tools/setup/training.mjs";

const folder = join(root, "models/emoji/train");

function runPython(script, args = [], env = {}) {
  const done = spawnSync(python, [join(folder, `${script}.py`), ...args], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 16 << 20,
    env: { ...process.env, ...env },
  });
  const output = `${done.stdout}${done.stderr}`;
  assert.equal(done.status, 0, `${script}.py ${args.join(" ")}\n${done.error ?? ""}${output}`);
  return output;
}

test("PyTorch's towers give the golden vectors", () => {
  assert.match(runPython("test_model"), /^OK$/m);
});

test("a tiny run beats chance by the margin that smoke_check.py states", () => {
  const output = runPython("train", ["--smoke"]);
  const [, recall, chance, wanted] =
    /smoke: R@10 ([\d.]+) %.*; chance ([\d.]+) %, wanted ([\d.]+) %/.exec(output) ??
    assert.fail(output);
  assert.ok(Number(wanted) > 2 * Number(chance));
  assert.ok(Number(recall) >= Number(wanted));
});

test("training goes on from the checkpoint in the repository alone", () => {
  const work = join(build, "emoji/resume-test");
  rmSync(work, { recursive: true, force: true });
  const output = runPython("train", ["--resume", "--steps", "2"], {
    CLIPGLOT_EMOJI_SMOKE: "1",
    CLIPGLOT_EMOJI_WORK: work,
  });
  const { metadata } = readHeader(join(root, "models/emoji/checkpoint/model.safetensors"));
  const [, seen] = /joint 0 end, (\d+) k pictures/.exec(output) ?? assert.fail(output);
  assert.ok(
    Number(seen) >= Math.floor(Number(metadata["clipglot.pictures"]) / 1000),
    `${seen} k pictures, ${metadata["clipglot.pictures"]} in the checkpoint`,
  );
  assert.ok(existsSync(join(work, "full.pt")), "nothing was saved");
});

function readHeader(file) {
  const bytes = readFileSync(file);
  return {
    metadata: JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE(0))).toString())
      .__metadata__,
  };
}
