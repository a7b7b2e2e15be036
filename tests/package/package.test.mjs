// What npm would publish: packed, installed into an empty project, type-checked strictly, imported, bundled.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

const variants = ["simd", "relaxed-simd", "simd-threads", "relaxed-simd-threads"];
const repository = fileURLToPath(new URL("../../", import.meta.url));
const project = mkdtempSync(join(tmpdir(), "clipglot-package-"));
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

let listed;
before(() => {
  const [packed] = JSON.parse(
    run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", project], {
      cwd: repository,
    }),
  );
  listed = packed.files.map(({ path }) => path);
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
    `./${packed.filename}`,
  ]);
});

test("it holds what is needed and nothing else", () => {
  for (const name of [...variants, "convert", "convert-threads"])
    for (const ending of ["mjs", "wasm"])
      assert.ok(listed.includes(`dist/wasm/clipglot-${name}.${ending}`), `${name}.${ending}`);
  for (const path of [
    "dist/js/index.js",
    "dist/js/node/index.js",
    "dist/js/index.d.ts",
    "dist/js/worker/main.js",
    "dist/js/node/worker.js",
    "README.md",
    "LICENSE",
  ])
    assert.ok(listed.includes(path), path);
  const strange = listed.filter(
    (path) =>
      !/^(dist\/js\/.*\.(js|js\.map|d\.ts)|dist\/wasm\/clipglot-[a-z-]+\.(mjs|wasm)|docs\/API\.md|package\.json|README\.md|LICENSE|THIRD-PARTY-NOTICES\.md)$/.test(
        path,
      ),
  );
  assert.deepEqual(strange, []);
});

test("it has no dependencies", () => {
  assert.deepEqual(
    readdirSync(join(project, "node_modules")).filter((name) => !name.startsWith(".")),
    ["clipglot"],
  );
});

test("it has its command", () => {
  const command = join(project, "node_modules/.bin/clipglot");
  assert.match(run(command, ["--version"]), /^\d+\.\d+\.\d+\n$/);
  run(command, [
    "convert",
    join(repository, "tests/data/golden-a"),
    "--out",
    join(project, "pack"),
    "--quiet",
  ]);
  assert.ok(readdirSync(join(project, "pack")).includes("manifest.json"));
});

test("browsers never see Node's modules", () => {
  const dist = join(project, "node_modules/clipglot/dist/js");
  const seen = new Set();
  const visit = (file) => {
    if (seen.has(file)) return;
    seen.add(file);
    const code = readFileSync(file, "utf8");
    assert.doesNotMatch(code, /from "node:/, file);
    // A browser without a bundler resolves relative addresses only.
    assert.doesNotMatch(code, /^(import|export)\b[^;]*from "[^.]/m, file);
    for (const [, path] of code.matchAll(/(?:from |import |new URL\()"(\.[^"]+\.js)"/g))
      visit(join(file, "..", path));
  };
  visit(join(dist, "index.js"));
  assert.ok(seen.has(join(dist, "worker/main.js")), "the worker was not visited");
});

const use = `
import { EmbedError, load, type Embedder, type Embedding, type EmbeddingBatch, type EngineInfo, type ErrorCode, type Hit, type ImageInput,
  type LoadOptions, type LoadProgress, type ModelSource, type Variant, type VectorIndex } from "clipglot";

export async function search(pictures: ImageInput[], words: string, options: LoadOptions): Promise<Hit[]> {
  const embedder: Embedder = await load({ ...options, onProgress: (event: LoadProgress) => void event.progress });
  try {
    const info: EngineInfo = embedder.info;
    const variant: Variant = info.variant;
    const index: VectorIndex = await embedder.createIndex({ dimensions: 64 });
    const batch: EmbeddingBatch = await embedder.embedImages(pictures, { dimensions: 64, orientation: "exif", onProgress: (done, total) => void (done / total) });
    await index.add(pictures.map((_, i) => ({ id: variant + i, vector: batch.row(i) })));
    const query: Embedding = await embedder.embedText(words, { dimensions: 64, task: "retrieval.query", signal: AbortSignal.timeout(1000) });
    return await index.search(query, { k: 20 });
  } catch (error) {
    if (error instanceof EmbedError) { const code: ErrorCode = error.code; throw new Error(code); }
    throw error;
  } finally {
    await embedder.dispose();
  }
}
export async function scoped(source: ModelSource): Promise<number> {
  await using embedder = await load({ model: source });
  return (await embedder.countTokens("cat")).tokens;
}
// @ts-expect-error: not a task
export const wrong = (embedder: Embedder) => embedder.embedText("x", { task: "clustering" });
// @ts-expect-error: internal
export const inside = (embedder: Embedder) => embedder.diagnostics();
`;
const useInPage = `
export const ofPage = (input: HTMLInputElement, canvas: ImageData, bitmap: ImageBitmap): [LoadOptions, ImageInput[]] =>
  [{ model: input.files! }, [...input.files!, canvas, bitmap, new Uint8Array(1), new ArrayBuffer(1), { bytes: new Uint8Array(1) }]];
`;
const useInNode = `
import { readFileSync } from "node:fs";
export const ofNode = (): [LoadOptions, ImageInput[]] => [{ model: new URL("./model/", import.meta.url) }, [readFileSync("x.png"), new Blob([])]];
`;

const projects = {
  "a page, with a bundler": [
    {
      lib: ["ES2022", "ESNext.Disposable", "DOM", "DOM.Iterable"],
      module: "ESNext",
      moduleResolution: "bundler",
      types: [],
    },
    useInPage,
  ],
  "a page, without ESNext.Disposable": [
    {
      lib: ["ES2022", "DOM", "DOM.Iterable"],
      module: "NodeNext",
      moduleResolution: "NodeNext",
      types: [],
    },
    useInPage,
  ],
  "Node without the DOM's types": [
    {
      lib: ["ES2022"],
      module: "NodeNext",
      moduleResolution: "NodeNext",
      types: ["node"],
      typeRoots: [join(repository, "node_modules/@types")],
    },
    useInNode,
  ],
};
for (const [name, [options, more]] of Object.entries(projects)) {
  test(`types: ${name}`, () => {
    const folder = join(project, "types");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "use.ts"), use + more);
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({
        compilerOptions: {
          target: "ES2022",
          strict: true,
          exactOptionalPropertyTypes: true,
          noUncheckedIndexedAccess: true,
          skipLibCheck: false,
          noEmit: true,
          ...options,
        },
        files: ["use.ts"],
      }),
    );
    run(process.execPath, [join(repository, "node_modules/typescript/bin/tsc"), "-p", folder]);
  });
}

test("Node imports it and embeds", () => {
  const script = `
    import { load } from "clipglot";
    const embedder = await load({ model: ${JSON.stringify(join(repository, "tests/data/golden-a"))} });
    console.log((await embedder.embedText("cat")).vector.length, import.meta.resolve("clipglot/wasm/clipglot-simd.wasm").endsWith("dist/wasm/clipglot-simd.wasm"));`;
  writeFileSync(join(project, "use.mjs"), script);
  assert.equal(run(process.execPath, ["use.mjs"]), "64 true\n");
});

test("a bundler finds the worker and the engine's files by itself", () => {
  writeFileSync(join(project, "index.html"), '<script type="module" src="./main.js"></script>');
  writeFileSync(
    join(project, "main.js"),
    'import { load } from "clipglot";\nload({ model: "/model/" }).then((embedder) => console.log(embedder.info));',
  );
  run(process.execPath, [
    join(repository, "node_modules/vite/bin/vite.js"),
    "build",
    "--logLevel",
    "error",
  ]);
  const assets = readdirSync(join(project, "dist/assets"));
  const has = (pattern) => assets.some((name) => pattern.test(name));
  assert.ok(has(/^main-[\w-]{8}\.js$/), assets.join(" "));
  // Any page may be given a model's name on a hub, and fetches the converter then. Only the command has one with threads.
  for (const ending of ["mjs", "wasm"])
    assert.ok(has(new RegExp(`^clipglot-convert-[\\w-]{8}\\.${ending}$`)), assets.join(" "));
  assert.ok(!has(/convert-threads/), assets.join(" "));
  for (const variant of variants)
    for (const ending of ["mjs", "wasm"])
      assert.ok(
        has(new RegExp(`^clipglot-${variant}-[\\w-]{8}\\.${ending}$`)),
        `${variant}.${ending}: ${assets.join(" ")}`,
      );
});
