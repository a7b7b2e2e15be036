// What the pages say with numbers and in code is true: limits, and every block of TypeScript or JavaScript.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";

const repository = fileURLToPath(new URL("../../", import.meta.url));
const read = (path) => readFileSync(join(repository, path), "utf8");
const pages = [
  "README.md",
  "docs/API.md",
  "docs/BUILDING.md",
  "docs/MODELS.md",
  "models/README.md",
  "models/emoji/README.md",
  "web-demo/README.md",
];

/** The value of a C++ or TypeScript constant: numbers, shifts, powers and products. */
function constant(path, name) {
  const found = new RegExp(`\\b${name}\\s*=\\s*([^;]+);`).exec(read(path))?.[1];
  assert.ok(found, `${path} has no ${name}`);
  const expression = found
    .replace(/\w+_t\{(\d+)\}/g, "$1")
    .replace(/'/g, "")
    .replace(/(\d+)\s*<<\s*(\d+)/g, "$1 * 2 ** $2")
    .replace(/\s*\/\/.*/g, "");
  assert.match(expression, /^[\d\s<*_]+$/, `${path}: ${name} = ${expression}`);
  return Number(new Function(`return ${expression}`)());
}
const mib = (bytes) => `${bytes / 2 ** 20} MiB`;
const gib = (bytes) => `${bytes / 2 ** 30} GiB`;

const rows = Object.fromEntries(
  [
    ...read("docs/API.md")
      .split("## Limits")[1]
      .split("\n## ")[0]
      .matchAll(/^\| (.+?) \| (.+?) \| (.+?) \|$/gm),
  ]
    .slice(2)
    .map(([, what, most, beyond]) => [what, `${most} | ${beyond}`]),
);
const limits = {
  "a text": [
    mib(constant("src/text/tokenizer.cc", "kMaxTextBytes")),
    mib(constant("js/src/client/arguments.ts", "maxTextBytes")),
  ],
  "tokens of a text": [String(constant("src/engine/engine.cc", "kMaxTokens"))],
  "pixels of an image": [
    `${Number(/maxPixels \?\? ([\d_]+), 1, 2 \*\* 31/.exec(read("js/src/client/start.ts"))[1].replaceAll("_", "")) / 1e6} million`,
    String(2 ** 31),
  ],
  "scans of a JPEG file": [String(constant("src/vision/jpeg_codec.cc", "kMaxScans"))],
  threads: [
    String(constant("src/base/limits.h", "kMaxThreads")),
    String(constant("js/src/shared/variants.ts", "maxThreads")),
  ],
  "vectors of an index, together": [
    gib(constant("src/index/flat_index.cc", "kMaxBytes")),
    gib(constant("js/src/client/arguments.ts", "maxIndexBytes")),
  ],
  "a file of a pack": [mib(constant("src/container/pack_manifest.h", "kMaxPackFile"))],
  "a pack's manifest": [mib(constant("src/container/pack_manifest.h", "kMaxPackManifest"))],
  "a read of a `ModelSource`": [mib(constant("js/src/shared/limits.ts", "pieceBytes"))],
  "all memory of an embedder": [
    `${/-sMAXIMUM_MEMORY=(\d+)GB/.exec(read("wasm/CMakeLists.txt"))[1]} GiB`,
  ],
};
test("the table of limits has every row, and the numbers of the sources", () => {
  assert.deepEqual(Object.keys(rows).sort(), Object.keys(limits).sort());
  for (const [what, numbers] of Object.entries(limits))
    for (const number of numbers)
      assert.ok(
        rows[what].split(/[|;,]/).some((part) => part.includes(number)),
        `${what}: ${rows[what]} does not say ${number}`,
      );
});

test("limits that the table of options repeats", () => {
  const api = read("docs/API.md");
  assert.match(api, new RegExp(`\\| \`threads\` \\| 1 … ${limits.threads[0]}\\.`));
  assert.match(
    api,
    new RegExp(
      `\\| \`maxTokens\` \\| maximum text length in tokens, 2 … ${limits["tokens of a text"][0]};`,
    ),
  );
  assert.match(
    read("js/src/client/start.ts"),
    new RegExp(`maxTokens \\?\\? 512, 2, ${limits["tokens of a text"][0]}\\)`),
  );
  assert.match(
    api,
    new RegExp(`\\| \`maxPixels\` \\| .* \\| ${limits["pixels of an image"][0]} \\|`),
  );
});

test("how far relaxed SIMD is from plain SIMD is the same on every page, and nothing that is measured here is further", async () => {
  const { load } = await import("clipglot");
  const figures = ["docs/API.md", "js/src/shared/engine-types.ts"].map((path) =>
    /up to ([\d.e-]+) in a component[\s*]+\(cosine at least ([\d.]+)\)/
      .exec(read(path))
      ?.slice(1, 3)
      .map(Number),
  );
  assert.deepEqual(figures[0], figures[1]);
  const [[component, cosine]] = figures;
  const model = join(repository, "models/emoji");
  const simd = await load({ model, variant: "simd", towers: ["text"] });
  if (/^v20\./.test(process.version)) setFlagsFromString("--experimental-wasm-relaxed-simd");
  const relaxed = await load({ model, variant: "relaxed-simd", towers: ["text"] });
  const texts = ["", "cat", "고양이", "a red heart", "летний дождь", "x".repeat(300)];
  const [a, b] = await Promise.all([simd, relaxed].map((embedder) => embedder.embedTexts(texts)));
  for (const i of texts.keys()) {
    const [one, other] = [a.row(i), b.row(i)];
    assert.notDeepEqual(one, other, "plain and relaxed SIMD are not bit-equal");
    assert.ok(
      Math.max(...one.map((value, j) => Math.abs(value - other[j]))) <= component,
      texts[i],
    );
    assert.ok(one.reduce((sum, value, j) => sum + value * other[j], 0) >= cosine, texts[i]);
  }
  await Promise.all([simd.dispose(), relaxed.dispose()]);
});

const blocks = pages.flatMap((page) =>
  [...read(page).matchAll(/^```(\w+)\n([\s\S]*?)^```/gm)].map(([, language, code]) => ({
    page,
    language,
    code,
  })),
);

test("every block of code in the pages compiles against the package", () => {
  const folder = mkdtempSync(join(tmpdir(), "clipglot-pages-"));
  after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(repository, join(folder, "node_modules/clipglot"));
  symlinkSync(join(repository, "models/emoji"), join(folder, "node_modules/clipglot-emoji"));
  const code = blocks.filter(({ language }) => /^(ts|js|mjs)$/.test(language));
  assert.ok(code.length >= 4);
  const files = code.map(({ page, code: text }, i) => {
    const name = `block-${i}-${page.replaceAll(/\W/g, "-")}.ts`;
    // What the reader has at hand: the files that the user picked.
    writeFileSync(join(folder, name), `declare const files: File[];\n${text}\nexport {};\n`);
    return name;
  });
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({
      compilerOptions: {
        target: "ES2022",
        lib: ["ES2022", "ESNext.Disposable", "DOM", "DOM.Iterable"],
        module: "ESNext",
        moduleResolution: "bundler",
        types: [],
        strict: true,
        noEmit: true,
        preserveSymlinks: true,
      },
      files,
    }),
  );
  const done = spawnSync(
    process.execPath,
    [join(repository, "node_modules/typescript/bin/tsc"), "-p", folder],
    { encoding: "utf8" },
  );
  assert.equal(done.status, 0, done.stdout);
});

test("every command in the pages exists", () => {
  const { scripts, bin } = JSON.parse(read("package.json"));
  const wrong = [];
  let found = 0;
  for (const { page, code } of blocks.filter(({ language }) => language === "sh")) {
    for (const line of code.split("\n")) {
      const script =
        /\bnpm run ([\w:-]+)/.exec(line)?.[1] ?? (/\bnpm test\b/.test(line) ? "test" : undefined);
      if (script !== undefined) found++;
      if (script !== undefined && !(script in scripts)) wrong.push(`${page}: npm run ${script}`);
      for (const [, path] of line.matchAll(/\bnode ((?!_modules)[\w./-]+\.mjs)/g))
        if (!existsSync(join(repository, path))) wrong.push(`${page}: node ${path}`);
      const command = /\bnpx (\w+)/.exec(line)?.[1];
      if (command !== undefined && !(command in bin)) wrong.push(`${page}: npx ${command}`);
    }
  }
  assert.deepEqual(wrong, []);
  assert.ok(found > 5, `only ${found} commands were found`);
});

test("the example in Node finds a cat", () => {
  const done = spawnSync(
    process.execPath,
    [join(repository, "examples/node-search/search.mjs"), "--group", "Animals & Nature", "고양이"],
    { encoding: "utf8" },
  );
  assert.equal(done.stderr, "");
  assert.equal(done.status, 0);
  assert.match(done.stdout.split("\n")[0], /^(🐱|🐈)/u);
  assert.match(done.stdout, /ms for the query/);
  const unknown = spawnSync(
    process.execPath,
    [join(repository, "examples/node-search/search.mjs"), "--group", "nothing", "x"],
    { encoding: "utf8" },
  );
  assert.equal(unknown.status, 2);
  assert.match(unknown.stderr, /there is no group nothing/);
});
