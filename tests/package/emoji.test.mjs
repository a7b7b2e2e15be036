// The package of the emoji model, as npm would publish it: packed, installed beside clipglot, loaded in Node, bundled.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { readSafetensors } from "../../tools/lib/safetensors.mjs";

const repository = fileURLToPath(new URL("../../", import.meta.url));
const folder = join(repository, "models/emoji");
const manifest = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8"));
const modelFiles = ["manifest.json", ...[manifest.tokenizer, ...manifest.shards].map(({ path }) => path)].sort();
const project = mkdtempSync(join(tmpdir(), "clipglot-emoji-"));
after(() => rmSync(project, { recursive: true }));

function run(command, args, options = {}) {
  const done = spawnSync(command, args, { cwd: project, encoding: "utf8", ...options });
  assert.equal(done.status, 0, `${command} ${args.join(" ")}\n${done.error ?? ""}${done.stdout}${done.stderr}`);
  return done.stdout;
}

const pack = (cwd) => JSON.parse(run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", project], { cwd }))[0];

let packed;
before(() => {
  const clipglot = pack(repository);
  packed = pack(folder);
  writeFileSync(join(project, "package.json"), '{ "name": "empty", "private": true, "type": "module" }');
  run("npm", ["install", "--offline", "--no-audit", "--no-fund", "--ignore-scripts", `./${clipglot.filename}`, `./${packed.filename}`]);
});

test("it holds the model's files, the licences and nothing else", () => {
  const expected = [...modelFiles, "LICENSE", "NOTICE", "README.md", "concepts.json", "index.d.ts", "index.js", "package.json"].sort();
  assert.deepEqual(packed.files.map(({ path }) => path).sort(), expected);
  assert.deepEqual(readFileSync(join(folder, "LICENSE")), readFileSync(join(repository, "LICENSE")));
});

test("it gives an address to each file that the manifest names", () => {
  const code = readFileSync(join(folder, "index.js"), "utf8");
  const addresses = [...code.matchAll(/^ {4}"([^"]+)": new URL\("\.\/([^"]+)", import\.meta\.url\),$/gm)];
  assert.deepEqual(addresses.map(([, path]) => path).sort(), modelFiles);
  for (const [, path, address] of addresses) assert.equal(address, path);
});

test("the gallery's vectors are this pack's", () => {
  const file = join(folder, "gallery/vectors.safetensors");
  const bytes = readFileSync(file);
  const { __metadata__: { packSha256, emoji } } = JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE(0))).toString());
  assert.equal(packSha256, manifest.sha256);
  const concepts = JSON.parse(readFileSync(join(folder, "concepts.json"), "utf8"));
  assert.deepEqual(JSON.parse(emoji).sort(), concepts.sort());
  const { dtype, shape, data } = readSafetensors(file).get("pictures");
  assert.deepEqual({ dtype, shape }, { dtype: "F32", shape: [concepts.length, manifest.config.projection_dim] });
  assert.ok(data.every(Number.isFinite));
});

test("Node loads it without an argument, and finds a cat in three scripts", () => {
  writeFileSync(join(project, "use.mjs"), `
    import { load } from "clipglot-emoji";
    const embedder = await load();
    const texts = ["cat", "고양이", "кот", "a pineapple"];
    const { data, dimensions } = await embedder.embedTexts(texts);
    const dot = (a, b) => { let sum = 0; for (let i = 0; i < dimensions; i++) sum += data[a * dimensions + i] * data[b * dimensions + i]; return sum; };
    console.log(JSON.stringify({ modelId: embedder.info.modelId, dimensions, near: [dot(0, 1), dot(0, 2)], far: dot(0, 3) }));
    await embedder.dispose();`);
  const { modelId, dimensions, near, far } = JSON.parse(run(process.execPath, ["use.mjs"]));
  assert.equal(modelId, "clipglot-emoji");
  assert.equal(dimensions, manifest.config.projection_dim);
  for (const cosine of near) assert.ok(cosine > far, `${cosine} > ${far}`);
});

test("its types are strict", () => {
  mkdirSync(join(project, "types"));
  writeFileSync(join(project, "types/use.ts"), `
    import type { Embedder } from "clipglot";
    import { load, model } from "clipglot-emoji";
    export const embedder: Promise<Embedder> = load({ towers: ["text"], threads: 1 });
    export const plain: Promise<Embedder> = load();
    export const address: URL | undefined = model.files["manifest.json"];
    // @ts-expect-error: the model is this package's
    export const other = load({ model: "/x/" });`);
  const shared = { target: "ES2022", strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, skipLibCheck: false, noEmit: true };
  const kinds = [
    { lib: ["ES2022", "DOM"], module: "ESNext", moduleResolution: "bundler", types: [] },
    { lib: ["ES2022"], module: "NodeNext", moduleResolution: "NodeNext", types: ["node"], typeRoots: [join(repository, "node_modules/@types")] },
  ];
  for (const kind of kinds) {
    writeFileSync(join(project, "types/tsconfig.json"), JSON.stringify({ compilerOptions: { ...shared, ...kind }, files: ["use.ts"] }));
    run(process.execPath, [join(repository, "node_modules/typescript/bin/tsc"), "-p", join(project, "types")]);
  }
});

test("a bundler copies the model's files by itself", () => {
  writeFileSync(join(project, "index.html"), '<script type="module" src="./main.js"></script>');
  writeFileSync(join(project, "main.js"), 'import { load } from "clipglot-emoji";\nload().then((embedder) => console.log(embedder.info));');
  run(process.execPath, [join(repository, "node_modules/vite/bin/vite.js"), "build", "--logLevel", "error"]);
  const assets = readdirSync(join(project, "dist/assets"));
  for (const path of modelFiles) {
    const [, stem, ending] = /^(.*)\.(\w+)$/.exec(path);
    const copy = assets.find((name) => name.startsWith(`${stem}-`) && name.endsWith(`.${ending}`) && name.length === path.length + 9);
    assert.ok(copy, `${path}: ${assets.join(" ")}`);
    assert.equal(statSync(join(project, "dist/assets", copy)).size, statSync(join(folder, path)).size);
  }
});
