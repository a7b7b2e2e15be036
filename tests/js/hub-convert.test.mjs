// clipglot convert hf:OWNER/NAME: the same pack as from a folder, from the hub or from what Hugging Face's own tools keep.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { convertModel } from "../../dist/js/convert/convert.js";
import { defaultHubCache, findInHubCache } from "../../dist/js/convert/hub-cache.js";
import { fails } from "../shared/check.mjs";
import { golden } from "./support/checkpoint.mjs";
import { passingFaults, startHubServer } from "./support/hub-server.mjs";

const scratch = mkdtempSync(join(tmpdir(), "clipglot-hub-convert-"));
const empty = join(scratch, "no-cache");
const names = ["config.json", "preprocessor_config.json", "tokenizer.json", "model.safetensors"];
const files = Object.fromEntries(names.map((name) => [name, readFileSync(join(golden, name))]));
const size = files["model.safetensors"].length;
const command = fileURLToPath(new URL("../../dist/js/convert/cli.js", import.meta.url));
const retry = { backoffMs: [1, 1, 2, 2, 4, 4, 8, 8], idleTimeoutMs: 300, maxBackoffMs: 4 };
let hub, whole, source;
before(async () => {
  hub = await startHubServer({ files });
  source = `hf:${hub.repo}`;
  whole = join(scratch, "whole");
  await convertModel({
    source: golden,
    out: whole,
    modelId: hub.repo,
    revision: hub.commit,
    license: "cc-by-nc-4.0",
  });
});
after(async () => {
  await hub.close();
  rmSync(scratch, { recursive: true });
});

const convert = (out, options = {}) =>
  convertModel({
    source,
    out: join(scratch, out),
    endpoint: hub.endpoint,
    hubCache: empty,
    retry,
    ...options,
  });
function assertWhole(out) {
  assert.deepEqual(readdirSync(join(scratch, out)).sort(), readdirSync(whole).sort());
  for (const name of readdirSync(whole))
    assert.ok(readFileSync(join(scratch, out, name)).equals(readFileSync(join(whole, name))), name);
}

test("from the hub: the same bytes, model, commit and licence", async () => {
  hub.set({ rate: 0 });
  await convert("plain");
  assertWhole("plain");
  assert.equal(hub.bytesAsked("model.safetensors"), size);
});

test("from a hub whose answers go wrong", async () => {
  for (let seed = 0; seed < 3; seed++) {
    hub.set({ rate: 0.2, seed, names: passingFaults });
    await convert(`faults-${seed}`);
    assertWhole(`faults-${seed}`);
  }
  hub.set({ rate: 0 });
});

test("what is damaged on its way is found, and nothing of it stays", async () => {
  hub.set({ rate: 1, names: ["flipped"], only: "model.safetensors", seed: 5 });
  await fails(convert("damaged"), "corrupt-model");
  hub.set({ rate: 0, only: undefined });
  assert.deepEqual(readdirSync(join(scratch, "damaged")), []);
});

test("killed, the same command goes on", async () => {
  hub.set({ throttle: 1_500_000 });
  const args = [
    "convert",
    source,
    "--endpoint",
    hub.endpoint,
    "--out",
    join(scratch, "killed"),
    "--quiet",
  ];
  const start = () =>
    spawn(process.execPath, [command, ...args], { env: { ...process.env, HF_HUB_CACHE: empty } });
  const child = start();
  const closed = new Promise((resolve) => child.on("close", resolve));
  // In the middle of the download, more or less.
  while (hub.bytesAsked("model.safetensors") < size / 2)
    await new Promise((resolve) => setTimeout(resolve, 10));
  child.kill("SIGKILL");
  await closed;
  hub.set({ throttle: 0 });
  const again = start();
  let said = "";
  again.stderr.on("data", (text) => (said += text));
  assert.equal(await new Promise((resolve) => again.on("close", resolve)), 0, said);
  assertWhole("killed");
});

test("a folder of Hugging Face's own tools is used, without the hub", async () => {
  const cache = join(scratch, "cache");
  const model = join(cache, `models--${hub.repo.replace("/", "--")}`);
  const snapshot = join(model, "snapshots", hub.commit);
  for (const folder of ["blobs", "refs"]) mkdirSync(join(model, folder), { recursive: true });
  mkdirSync(snapshot, { recursive: true });
  writeFileSync(join(model, "refs/main"), hub.commit);
  for (const name of names) {
    writeFileSync(join(model, "blobs", `blob-of-${name}`), files[name]);
    symlinkSync(join("../../blobs", `blob-of-${name}`), join(snapshot, name));
  }
  assert.deepEqual(findInHubCache(cache, hub.repo, "main"), {
    folder: snapshot,
    commit: hub.commit,
  });
  assert.equal(findInHubCache(cache, hub.repo, "v1"), undefined);
  hub.set({ down: true });
  await convert("from-cache", { hubCache: cache, license: "cc-by-nc-4.0" });
  assertWhole("from-cache");
  rmSync(join(model, "blobs/blob-of-model.safetensors")); // an incomplete one is none
  assert.equal(findInHubCache(cache, hub.repo, "main"), undefined);
  hub.set({ down: false });
});

test("where those tools keep their files", () => {
  assert.match(defaultHubCache({}), /\.cache\/huggingface\/hub$/);
  assert.equal(defaultHubCache({ HF_HOME: "/x" }), "/x/hub");
  assert.equal(defaultHubCache({ XDG_CACHE_HOME: "/y" }), "/y/huggingface/hub");
  assert.equal(defaultHubCache({ HF_HOME: "/x", HF_HUB_CACHE: "/z" }), "/z");
});

test("a token comes from the environment; a wrong name or endpoint is a usage error", async () => {
  const token = "hf_secretSecretSecret";
  hub.set({ token });
  const run = (args, more = {}) =>
    new Promise((resolve) => {
      const child = spawn(
        process.execPath,
        [command, "convert", ...args, "--out", join(scratch, "cli")],
        {
          env: {
            ...process.env,
            HF_HUB_CACHE: empty,
            HF_TOKEN: "",
            HF_ENDPOINT: hub.endpoint,
            ...more,
          },
        },
      );
      let said = "";
      for (const stream of [child.stdout, child.stderr])
        stream.on("data", (text) => (said += text));
      child.on("close", (code) => resolve({ code, said }));
    });
  const refused = await run([source]);
  assert.equal(refused.code, 1);
  assert.match(refused.said, /private/);
  const { code, said } = await run([source, "--towers", "text"], { HF_TOKEN: token });
  assert.equal(code, 0, said);
  assert.ok(!said.includes(token));
  hub.set({ token: undefined });
  assert.equal((await run(["hf:a/b/c"])).code, 2);
  assert.equal((await run([source, "--endpoint", "ftp://x"])).code, 2);
});
