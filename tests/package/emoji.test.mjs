// The package of the emoji model, as npm would publish it: packed, installed beside clipglot, loaded in Node, bundled.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { readSafetensors } from "../../tools/lib/safetensors.mjs";

const repository = fileURLToPath(new URL("../../", import.meta.url));
const folder = join(repository, "models/emoji");
const readManifest = (path) => JSON.parse(readFileSync(join(folder, path), "utf8"));
const manifest = readManifest("manifest.json");
const q4 = readManifest("q4/manifest.json");
const pathsOf = ({ tokenizer, shards }) =>
  ["manifest.json", ...[tokenizer, ...shards].map(({ path }) => path)].sort();
// Each pack: where its code is, and where its files are, by their paths in the pack.
const packs = [
  {
    name: "clipglot-emoji",
    code: "index.js",
    files: pathsOf(manifest).map((path) => [path, path]),
  },
  {
    name: "clipglot-emoji/q4",
    code: "q4/index.js",
    files: pathsOf(q4).map((path) => [path, path === q4.tokenizer.path ? path : `q4/${path}`]),
  },
];
const sizeOf = (path) => statSync(join(folder, path)).size;
const project = mkdtempSync(join(tmpdir(), "clipglot-emoji-"));
after(() => rmSync(project, { recursive: true }));

function run(command, args, options = {}) {
  const done = spawnSync(command, args, { cwd: project, encoding: "utf8", ...options });
  assert.equal(
    done.status,
    0,
    `${command} ${args.join(" ")}\n${done.error ?? ""}${done.stdout}${done.stderr}`,
  );
  return done.stdout;
}

const pack = (cwd) =>
  JSON.parse(
    run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", project], { cwd }),
  )[0];

let packed;
before(() => {
  const clipglot = pack(repository);
  packed = pack(folder);
  writeFileSync(
    join(project, "package.json"),
    '{ "name": "empty", "private": true, "type": "module" }',
  );
  run("npm", [
    "install",
    "--offline",
    "--no-audit",
    "--no-fund",
    "--ignore-scripts",
    `./${clipglot.filename}`,
    `./${packed.filename}`,
  ]);
});

test("it holds the files of both packs, the licences and nothing else", () => {
  const model = new Set(packs.flatMap(({ files }) => files.map(([, place]) => place)));
  const expected = [
    ...model,
    "LICENSE",
    "NOTICE",
    "README.md",
    "concepts.json",
    "index.d.ts",
    "index.js",
    "package.json",
    "q4/index.d.ts",
    "q4/index.js",
  ];
  assert.deepEqual(packed.files.map(({ path }) => path).sort(), expected.sort());
  assert.deepEqual(
    readFileSync(join(folder, "LICENSE")),
    readFileSync(join(repository, "LICENSE")),
  );
});

test("it gives an address to each file that the manifest names", () => {
  for (const { code, files } of packs) {
    const addresses = [
      ...readFileSync(join(folder, code), "utf8").matchAll(
        /^ {4}"([^"]+)": new URL\("(\.[^"]+)", import\.meta\.url\),$/gm,
      ),
    ];
    assert.deepEqual(
      addresses.map(([, path, address]) => [path, join(code, "..", address)]).sort(),
      files,
    );
  }
});

test("the pack in four bits is small, and of the same checkpoint and tokenizer", () => {
  const bytes = packs[1].files.reduce((sum, [, place]) => sum + sizeOf(place), 0);
  assert.ok(bytes <= 6_000_000, `${bytes} bytes`);
  assert.deepEqual([manifest.dtype, q4.dtype], ["q8", "q4"]);
  for (const member of ["modelId", "revision", "license", "config", "preprocessor", "tokenizer"])
    assert.deepEqual(q4[member], manifest[member], member);
  // The vectors of the self-test are float32's, so they are those of the checkpoint.
  for (const member of ["texts", "image"]) {
    assert.ok(q4.selfTest[member], member);
    assert.deepEqual(q4.selfTest[member], manifest.selfTest[member], member);
  }
});

test("the gallery's vectors are this pack's", () => {
  const file = join(folder, "gallery/vectors.safetensors");
  const bytes = readFileSync(file);
  const {
    __metadata__: { packSha256, emoji },
  } = JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE(0))).toString());
  assert.equal(packSha256, manifest.sha256);
  const concepts = JSON.parse(readFileSync(join(folder, "concepts.json"), "utf8"));
  assert.deepEqual(JSON.parse(emoji).sort(), concepts.sort());
  const { dtype, shape, data } = readSafetensors(file).get("pictures");
  assert.deepEqual(
    { dtype, shape },
    { dtype: "F32", shape: [concepts.length, manifest.config.projection_dim] },
  );
  assert.ok(data.every(Number.isFinite));
});

test("Node loads it without an argument, and finds a cat in three scripts", () => {
  writeFileSync(
    join(project, "use.mjs"),
    `
    import { load } from "clipglot-emoji";
    const embedder = await load();
    const texts = ["cat", "고양이", "кот", "a pineapple"];
    const { data, dimensions } = await embedder.embedTexts(texts);
    const dot = (a, b) => { let sum = 0; for (let i = 0; i < dimensions; i++) sum += data[a * dimensions + i] * data[b * dimensions + i]; return sum; };
    console.log(JSON.stringify({ modelId: embedder.info.modelId, dimensions, near: [dot(0, 1), dot(0, 2)], far: dot(0, 3) }));
    await embedder.dispose();`,
  );
  const { modelId, dimensions, near, far } = JSON.parse(run(process.execPath, ["use.mjs"]));
  assert.equal(modelId, "clipglot-emoji");
  assert.equal(dimensions, manifest.config.projection_dim);
  for (const cosine of near) assert.ok(cosine > far, `${cosine} > ${far}`);
});

// load() runs the self-test of each pack.
test("four bits say nearly the same as eight", () => {
  writeFileSync(
    join(project, "compare.mjs"),
    `
    import { load } from "clipglot";
    import q8 from "clipglot-emoji";
    import q4, { load as loadSmall, model } from "clipglot-emoji/q4";
    if (model !== q4) throw new Error("two models");
    const texts = ["cat", "고양이", "собака", "日本", "شمس", "घर", "θάλασσα", "ดอกไม้", "birthday cake", "flag of Kenya"];
    const variant = "simd";   // gives the same bits everywhere
    const embedders = [await load({ model: q8, variant }), await load({ model: q4, variant }), await loadSmall({ towers: ["text"], variant })];
    const rows = await Promise.all(embedders.map((embedder) => embedder.embedTexts(texts)));
    const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
    const cosines = (other) => texts.map((_, i) => dot(rows[0].row(i), rows[other].row(i)));
    console.log(JSON.stringify({ dtypes: embedders.map(({ info }) => info.dtype), cosines: cosines(1), small: cosines(2) }));
    for (const embedder of embedders) await embedder.dispose();`,
  );
  const { dtypes, cosines, small } = JSON.parse(run(process.execPath, ["compare.mjs"]));
  assert.deepEqual(dtypes, ["q8", "q4", "q4"]);
  assert.deepEqual(small, cosines);
  const mean = cosines.reduce((sum, value) => sum + value, 0) / cosines.length;
  assert.ok(mean >= 0.98, `${mean}: ${cosines}`);
});

test("its types are strict", () => {
  mkdirSync(join(project, "types"));
  writeFileSync(
    join(project, "types/use.ts"),
    `
    import { load as loadAny, type Embedder } from "clipglot";
    import { load, model } from "clipglot-emoji";
    import q4, { load as loadSmall } from "clipglot-emoji/q4";
    export const embedder: Promise<Embedder> = load({ towers: ["text"], threads: 1 });
    export const plain: Promise<Embedder> = load();
    export const small: Promise<Embedder>[] = [loadSmall(), loadAny({ model: q4 })];
    export const address: URL | undefined = model.files["manifest.json"];
    // @ts-expect-error: the model is this package's
    export const other = load({ model: "/x/" });`,
  );
  const shared = {
    target: "ES2022",
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: false,
    noEmit: true,
  };
  const kinds = [
    { lib: ["ES2022", "DOM"], module: "ESNext", moduleResolution: "bundler", types: [] },
    {
      lib: ["ES2022"],
      module: "NodeNext",
      moduleResolution: "NodeNext",
      types: ["node"],
      typeRoots: [join(repository, "node_modules/@types")],
    },
  ];
  for (const kind of kinds) {
    writeFileSync(
      join(project, "types/tsconfig.json"),
      JSON.stringify({ compilerOptions: { ...shared, ...kind }, files: ["use.ts"] }),
    );
    run(process.execPath, [
      join(repository, "node_modules/typescript/bin/tsc"),
      "-p",
      join(project, "types"),
    ]);
  }
});

for (const { name, files } of packs) {
  test(`a bundler copies the files of ${name} by itself, and no others`, () => {
    writeFileSync(join(project, "index.html"), '<script type="module" src="./main.js"></script>');
    writeFileSync(
      join(project, "main.js"),
      `import { load } from "${name}";\nload().then((embedder) => console.log(embedder.info));`,
    );
    run(process.execPath, [
      join(repository, "node_modules/vite/bin/vite.js"),
      "build",
      "--logLevel",
      "error",
    ]);
    const assets = readdirSync(join(project, "dist/assets"));
    for (const [path, place] of files) {
      const [, stem, ending] = /^(.*)\.(\w+)$/.exec(path);
      const copy = assets.find(
        (asset) =>
          asset.startsWith(`${stem}-`) &&
          asset.endsWith(`.${ending}`) &&
          asset.length === path.length + 9,
      );
      assert.ok(copy, `${path}: ${assets.join(" ")}`);
      assert.equal(statSync(join(project, "dist/assets", copy)).size, sizeOf(place));
    }
    assert.equal(
      assets.filter((asset) => /\.(json|safetensors)$/.test(asset)).length,
      files.length,
      assets.join(" "),
    );
  });
}
