// clipglot convert and what it writes: the same vectors as the checkpoint, every flipped bit found, a self-test that finds
// what no hash can, every bad source refused by name.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { convertModel } from "../../dist/js/convert/convert.js";
import { signedManifest } from "../../dist/js/worker/convert/manifest.js";
import { progressDisplay } from "../../dist/js/convert/progress.js";
import { planShards } from "../../dist/js/worker/convert/shards.js";
import { openEngine } from "../../tools/lib/direct-engine.mjs";
import { readSafetensors } from "../../tools/lib/safetensors.mjs";
import { changeTensors, golden } from "./support/checkpoint.mjs";

const scratch = mkdtempSync(join(tmpdir(), "clipglot-convert-"));
after(() => rmSync(scratch, { recursive: true }));
const about = { modelId: "golden-a", revision: "7", license: "none" };
const cli = fileURLToPath(new URL("../../dist/js/convert/cli.js", import.meta.url));
const run = (...args) => spawnSync(process.execPath, [cli, ...args], { encoding: "utf8" });

const packed = new Map();
/** golden-a as a pack, made once. */
async function packOf(dtype) {
  if (!packed.has(dtype)) {
    const out = join(scratch, dtype);
    packed.set(dtype, { out, ...(await convertModel({ source: golden, out, dtype, ...about })) });
  }
  return packed.get(dtype);
}

const open = (folder, options = {}) => openEngine({ variant: "simd", folder, ...options });
const image = readFileSync(
  join(
    golden,
    "images",
    readdirSync(join(golden, "images"))
      .filter((name) => name.endsWith(".png"))
      .sort()[0],
  ),
);
/** A copy of the pack or checkpoint `from`, to be changed. */
function copyOf(from, name) {
  const folder = join(scratch, name);
  rmSync(folder, { recursive: true, force: true });
  cpSync(from, folder, { recursive: true });
  return folder;
}
/** Writes the pack's manifest anew, changed and signed. */
async function changeManifest(folder, change) {
  const { sha256, ...manifest } = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8"));
  change(manifest);
  writeFileSync(join(folder, "manifest.json"), await signedManifest(manifest));
}

async function vectors(folder, options) {
  const engine = await open(folder, options);
  try {
    return [
      engine.embedText("Ein Fuchs im Schnee").vector,
      engine.embedText("").vector,
      engine.embedImage(image).vector,
    ];
  } finally {
    engine.dispose();
  }
}

for (const dtype of ["f32", "q8", "q4"]) {
  test(`a ${dtype} pack gives the checkpoint's vectors, bit for bit`, async () => {
    const { out, files, parameters, selfTest } = await packOf(dtype);
    assert.deepEqual(files.map((file) => file.path).sort(), readdirSync(out).sort());
    assert.equal(parameters, 393_756);
    assert.deepEqual(await vectors(out), await vectors(golden, { dtype }));
    const engine = await open(out, { towers: ["text"] });
    assert.deepEqual(
      [engine.info.dtype, engine.info.modelId, engine.info.revision, engine.info.license],
      [dtype, "golden-a", "7", "none"],
    );
    engine.dispose();
    assert.ok(selfTest.minCosine <= selfTest.reached, `${selfTest.minCosine} ${selfTest.reached}`);
  });
}

test("the files are as docs/FORMAT.md says", async () => {
  const { out } = await packOf("q8");
  const text = readFileSync(join(out, "manifest.json"), "utf8");
  const manifest = JSON.parse(text);
  const digits = text.length - 68;
  assert.equal(
    text.slice(digits, -4),
    createHash("sha256").update(text.slice(0, digits)).digest("hex"),
  );
  assert.equal(manifest.sha256, text.slice(digits, -4));
  assert.equal(Object.keys(manifest).at(-1), "sha256");
  assert.deepEqual(manifest.config, JSON.parse(readFileSync(join(golden, "config.json"), "utf8")));
  assert.deepEqual(
    manifest.shards.map((shard) => [shard.path, shard.tower]),
    [
      ["text-embeddings-00.safetensors", "text"],
      ["text-layers-00.safetensors", "text"],
      ["vision-00.safetensors", "vision"],
    ],
  );
  assert.deepEqual(
    readFileSync(join(out, manifest.tokenizer.path)),
    readFileSync(join(golden, "tokenizer.json")),
  );
  for (const { path, bytes, sha256, tensors } of manifest.shards) {
    const file = readFileSync(join(out, path));
    assert.equal(file.length, bytes);
    assert.deepEqual(sha256, [createHash("sha256").update(file).digest("hex")]);
    assert.deepEqual([...readSafetensors(join(out, path)).keys()], tensors);
  }
  const words = [...readSafetensors(join(out, "text-embeddings-00.safetensors"))].slice(-2);
  const name = "text_model.transformer.roberta.embeddings.word_embeddings.weight";
  assert.deepEqual(
    words.map(([name, { dtype, shape }]) => [name, dtype, shape]),
    [
      [`${name}.q8`, "I8", [600, 64]],
      [`${name}.scale`, "F32", [600]],
    ],
  );

  const { texts, image: picture, dimensions, minCosine } = manifest.selfTest;
  const floats = (base64) => new Float32Array(new Uint8Array(Buffer.from(base64, "base64")).buffer);
  assert.equal(dimensions, 64);
  assert.equal(minCosine, 0.985);
  assert.equal(Buffer.from(picture.rgb, "base64").length, picture.width * picture.height * 3);
  const engine = await open(golden, { dtype: "f32" });
  for (const { text, task = "", vector } of texts)
    assert.deepEqual(engine.embedText(text, { task }).vector, floats(vector));
  engine.dispose();
});

test("a flipped bit anywhere is found and its file named", async () => {
  const { out, files } = await packOf("q8");
  const copy = copyOf(out, "flipped");
  for (const { path, bytes } of files) {
    const good = readFileSync(join(out, path));
    for (const at of [0, Math.floor(bytes / 2), bytes - 70, bytes - 1]) {
      const bad = Buffer.from(good);
      bad[at] ^= 1 << (at % 8);
      writeFileSync(join(copy, path), bad);
      await assert.rejects(
        open(copy),
        (error) => error.code === "corrupt-model" && error.detail.includes(path),
        `${path} at ${at}`,
      );
    }
    writeFileSync(join(copy, path), good);
    truncateSync(join(copy, path), bytes - 1);
    await assert.rejects(
      open(copy),
      (error) => error.code === "corrupt-model" && error.detail.includes(path),
      `${path} cut`,
    );
    writeFileSync(join(copy, path), good);
  }
  (await open(copy)).dispose();
});

test("the self-test finds wrong numbers with right hashes, and can be skipped", async () => {
  const copy = copyOf((await packOf("q8")).out, "tampered");
  const path = "vision-00.safetensors";
  changeTensors(join(copy, path), (tensors) =>
    tensors.get("vision_model.blocks.1.norm1.weight").bytes.fill(0),
  );
  const file = readFileSync(join(copy, path));
  await changeManifest(copy, ({ shards }) =>
    Object.assign(shards[2], {
      bytes: file.length,
      sha256: [createHash("sha256").update(file).digest("hex")],
    }),
  );
  await assert.rejects(
    open(copy),
    (error) =>
      error.code === "corrupt-model" && /self-test, image: cosine .*0\.985/.test(error.detail),
  );
  (await open(copy, { selfTest: false })).dispose();
  (await open(copy, { towers: ["text"] })).dispose();
});

test("a pack of one tower", async () => {
  const out = join(scratch, "vision");
  const { files } = await convertModel({ source: golden, out, towers: ["vision"], ...about });
  assert.deepEqual(
    files.map((file) => file.path),
    ["manifest.json", "vision-00.safetensors"],
  );
  const { selfTest } = JSON.parse(readFileSync(join(out, "manifest.json"), "utf8"));
  assert.deepEqual([selfTest.texts, selfTest.image.width], [[], 24]);
  (await open(out, { towers: ["vision"] })).dispose();
  await assert.rejects(
    open(out),
    (error) => error.code === "invalid-argument" && error.detail.includes("text"),
  );
});

test("a source at an address", async () => {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    let file;
    try {
      file = readFileSync(join(golden, pathname.replace("/models/golden/", "")));
    } catch {
      return response.writeHead(404).end();
    }
    const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
    response.writeHead(from > 0 ? 206 : 200, {
      "Content-Length": file.length - from,
      "Content-Range": `bytes ${from}-${file.length - 1}/${file.length}`,
    });
    response.end(request.method === "HEAD" ? undefined : file.subarray(from));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const out = join(scratch, "remote");
    await convertModel({
      source: `http://127.0.0.1:${server.address().port}/models/golden`,
      out,
      ...about,
    });
    const { out: local, files } = await packOf("q8");
    for (const { path } of files)
      assert.deepEqual(readFileSync(join(out, path)), readFileSync(join(local, path)), path);
  } finally {
    server.close();
    server.closeAllConnections();
  }
});

const norm = "text_model.transformer.roberta.encoder.layers.0.norm1.weight";
const w3 = "vision_model.blocks.2.mlp.w3.weight";
const changedConfig = (change) => (folder) => {
  const path = join(folder, "config.json");
  const config = JSON.parse(readFileSync(path, "utf8"));
  change(config.text_config);
  writeFileSync(path, JSON.stringify(config));
};
const changed = (change) => (folder) => changeTensors(join(folder, "model.safetensors"), change);
const bad = {
  "a missing tensor": [changed((tensors) => tensors.delete(norm)), norm],
  "an extra tensor": [
    changed((tensors) =>
      tensors.set("lm_head.weight", { dtype: "F32", shape: [1], bytes: Buffer.alloc(4) }),
    ),
    "lm_head.weight",
  ],
  "a tensor of another shape": [changed((tensors) => (tensors.get(norm).shape = [8, 8])), norm],
  "a NaN in the last part": [
    changed((tensors) => tensors.get(w3).bytes.writeFloatLE(NaN, 1000)),
    w3,
  ],
  "an infinite word": [
    changed((tensors) =>
      [...tensors]
        .find(([name]) => /word_embeddings.*original$/.test(name))[1]
        .bytes.writeFloatLE(Infinity, 599 * 256),
    ),
    "row 599",
  ],
  "an unknown adapter": [
    changedConfig((text) => (text.default_lora_task = "separation")),
    "separation",
  ],
  "a file that is cut off": [
    (folder) => truncateSync(join(folder, "model.safetensors"), 1_000_000),
    "model.safetensors",
  ],
  "no configuration": [(folder) => rmSync(join(folder, "config.json")), "config.json"],
  "a tokenizer of another model": [
    (folder) => {
      rmSync(join(folder, "sentencepiece.bpe.model"));
      const tokenizer = JSON.parse(readFileSync(join(folder, "tokenizer.json"), "utf8"));
      tokenizer.model.vocab.push(["more", -9]);
      writeFileSync(join(folder, "tokenizer.json"), JSON.stringify(tokenizer));
    },
    "tokenizer",
  ],
};
for (const [name, [spoil, named]] of Object.entries(bad)) {
  test(`${name} is refused by name, and nothing of an older pack is left`, async () => {
    const source = copyOf(golden, "bad-source");
    spoil(source);
    const out = copyOf((await packOf("q8")).out, "bad-out");
    await assert.rejects(
      convertModel({ source, out, ...about }),
      (error) =>
        (error.code === "corrupt-model" && error.detail.includes(named)) || assert.fail(error),
    );
    assert.ok(!readdirSync(out).includes("manifest.json"));
    assert.deepEqual(
      readdirSync(out).filter((file) => /partial|state/.test(file)),
      [],
    );
  });
}

test("another number of parameters than expected", async () => {
  const out = join(scratch, "count");
  const count = (options) => convertModel({ source: golden, out, ...about, ...options });
  await assert.rejects(
    count({ parameters: 5 }),
    /corrupt-model: model\.safetensors: 393756 parameters, 5 expected/,
  );
  await assert.rejects(
    count({ modelId: "jinaai/jina-clip-v2" }),
    /393756 parameters, 865278476 expected/,
  );
  assert.deepEqual(readdirSync(out), []);
  await count({ parameters: 393_756 });
});

test("folders that are something else", async () => {
  const source = copyOf(golden, "twice");
  await assert.rejects(convertModel({ source, out: source }), { code: "usage" });
  const site = join(scratch, "site");
  mkdirSync(site);
  writeFileSync(join(site, "manifest.json"), '{"name": "a web site"}');
  await assert.rejects(
    convertModel({ source: golden, out: site }),
    /usage: .*not the manifest of a pack/,
  );
  assert.deepEqual(readdirSync(site), ["manifest.json"]);
  await assert.rejects(
    convertModel({ source: (await packOf("q8")).out, out: join(scratch, "again") }),
    /invalid-argument: .*pack already/,
  );
  await assert.rejects(
    convertModel({ source: join(scratch, "nowhere"), out: join(scratch, "again") }),
    { code: "unreadable" },
  );
});

test("shards are cut below 32 MiB, never mix groups, and keep units whole where they can", () => {
  const tensor = (name, group, unit, mebibytes) => ({
    name,
    group,
    unit,
    dtype: "I8",
    shape: [mebibytes << 20],
    bytes: mebibytes << 20,
  });
  const plan = (tensors) =>
    planShards(tensors).map(({ path, tensors, complete }) => [
      path,
      tensors.map(({ name }) => name).join(""),
      complete,
    ]);
  assert.deepEqual(
    plan([
      ..."abcde".split("").map((name, i) => tensor(name, "text-embeddings", i, 8)),
      tensor("f", "text-layers", 5, 8),
      tensor("g", "text-layers", 5, 8),
      tensor("h", "text-layers", 6, 8),
      tensor("i", "text-layers", 6, 8),
      ..."jklmn".split("").map((name) => tensor(name, "vision", 7, 8)),
      tensor("o", "vision", 8, 1),
    ]),
    [
      ["text-embeddings-00.safetensors", "abc", true],
      ["text-embeddings-01.safetensors", "de", true],
      ["text-layers-00.safetensors", "fg", true],
      ["text-layers-01.safetensors", "hi", true],
      ["vision-00.safetensors", "jkl", false],
      ["vision-01.safetensors", "mno", true],
    ],
  );
  for (const shard of planShards([tensor("a", "vision", 0, 31), tensor("b", "vision", 1, 1)]))
    assert.ok(shard.bytes <= 32 << 20);
});

test("progress is a bar on a terminal, and lines elsewhere", () => {
  const show = (screen) => {
    let text = "",
      time = 0;
    const display = progressDisplay({ write: (piece) => (text += piece), ...screen }, () => time);
    for (const done of [0, 5e6, 1e7, 4e7, 1e8]) {
      time = done / 1e4; // 10 MB a second
      display.report({ total: 1e8, done, resumed: 0, file: "vision-00.safetensors" });
    }
    display.end();
    return text;
  };
  assert.match(
    show({ isTTY: true, columns: 100 }),
    /\r\[#{10}\.{14}\] +40 % {2}40 of 100 MB {2}10\.0 MB\/s {2}vision-00\.safetensors[^\n]*100 %[^\n]*\n$/,
  );
  assert.deepEqual(
    show({})
      .split("\n")
      .map((line) => line.split(" %")[0]),
    ["0", "10", "40", "100", ""],
  );
});

test("the command", async () => {
  const out = join(scratch, "command");
  const { status, stdout, stderr } = run(
    "convert",
    golden,
    "--out",
    out,
    "--dtype",
    "q4",
    "--model-id",
    "golden-a",
    "--revision",
    "7",
    "--license",
    "none",
  );
  assert.equal(status, 0, stderr);
  assert.match(
    stdout,
    /\d+ {2}manifest\.json\n[\s\S]*in all, .*\n393756 parameters, cosine of q4 to f32 at least 0\.9/,
  );
  assert.match(stderr, /100 %/);
  const { out: same, files } = await packOf("q4");
  for (const { path } of files)
    assert.deepEqual(readFileSync(join(out, path)), readFileSync(join(same, path)), path);
  for (const [args, problem] of [
    [["convert"], /one source/],
    [["convert", golden], /--out/],
    [["convert", golden, "--out", out, "--dtype", "q3"], /q3/],
    [["convert", golden, "--out", out, "--towers", "ears"], /ears/],
    [["convert", golden, "--out", out, "--threads", "0"], /threads/],
    [["convert", golden, "--out", out, "--speed"], /speed/],
    [["transmute"], /transmute/],
    [[], /command/],
  ]) {
    const { status, stderr } = run(...args);
    assert.equal(status, 2, args.join(" "));
    assert.match(stderr, problem);
  }
  assert.equal(run("convert", "--help").status, 0);
  assert.match(run("--version").stdout, /^\d+\.\d+\.\d+\n$/);
  const missing = run("convert", join(scratch, "nowhere"), "--out", out);
  assert.deepEqual(
    [missing.status, /clipglot: unreadable: .*nowhere/.test(missing.stderr)],
    [1, true],
    missing.stderr,
  );
});
