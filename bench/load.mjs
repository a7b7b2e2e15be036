// npm run bench -- load [--pack DIR] [--towers text,vision]… [--variant NAME] [--threads N] [--places chromium,node]
//     [--only-load]
//
// Loads a pack from a server on this machine, in headless Chromium and in Node, each time in new processes: first with an
// empty cache, then from the cache. Measures the bytes that the server sent, the time of load(), the resident memory at its
// highest (VmHWM of the renderer, which holds the page, its worker and the engine; of the whole process in Node), and the
// time of a text of 16 tokens (the first call, the tenth, the best), of one of 512, and of one image (not with `--only-load`). `--towers` may be given several times; by default each tower
// that the pack has, and then both.
//
// As a program it uses dist/ as it is; npm run bench builds first.
import { spawn } from "node:child_process";
import {
  createReadStream,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
} from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join, normalize, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));
const self = fileURLToPath(import.meta.url);
const mebi = (bytes) => (bytes / 2 ** 20).toFixed(0);
const types = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
  ".json": "application/json",
};

export const loadOptions = {
  pack: { type: "string", default: join(root, "models/emoji") },
  towers: { type: "string", multiple: true },
  variant: { type: "string", default: "simd" },
  threads: { type: "string", default: "1" },
  places: { type: "string", default: "chromium,node" },
  "only-load": { type: "boolean", default: false },
};

/** `options`: as the command line gives them. Prints a table and gives its figures. */
export async function benchLoad(options) {
  const folder = resolve(options.pack);
  const manifest = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8"));
  const has = ["text", "vision"].filter((tower) =>
    manifest.shards.some((shard) => shard.tower === tower),
  );
  const wanted = options.towers?.map((list) => list.split(",")) ?? [
    ...has.map((tower) => [tower]),
    ...(has.length > 1 ? [has] : []),
  ];
  const server = await serve(folder);
  const figures = [];
  console.log(
    `\n${manifest.modelId}, ${manifest.dtype}, from ${folder}; ${options.variant}, ${options.threads} thread(s)`,
  );
  console.log(
    "place     towers       cache   sent MB  load s  resident MiB  peak MiB  allowed MiB  16 tokens ms: first, tenth, best  512 tokens ms  image ms",
  );
  try {
    for (const place of options.places.split(",")) {
      for (const towers of wanted) {
        const scratch = mkdtempSync(join(tmpdir(), "clipglot-bench-"));
        try {
          for (const cache of ["empty", "full"]) {
            server.sent = 0;
            const settings = {
              model: `${server.url}pack/`,
              towers,
              variant: options.variant,
              threads: Number(options.threads),
              calls: !options["only-load"],
            };
            const measured = await (place === "node"
              ? inNode(settings, scratch)
              : inChromium(settings, scratch, server.url));
            const figure = { place, towers, cache, sentBytes: server.sent, ...measured };
            figure.allowedBytes = Math.round(1.15 * figure.residentBytes + 200e6);
            figures.push(figure);
            console.log(row(figure));
          }
        } finally {
          rmSync(scratch, { recursive: true, force: true, maxRetries: 5 });
        }
      }
    }
  } finally {
    await server.close();
  }
  return figures;
}

function row(f) {
  const time = (value) => (value === undefined ? "–" : value.toFixed(0));
  return [
    f.place.padEnd(9),
    f.towers.join("+").padEnd(12),
    f.cache.padEnd(6),
    (f.sentBytes / 1e6).toFixed(1).padStart(8),
    (f.loadMs / 1000).toFixed(2).padStart(7),
    mebi(f.residentBytes).padStart(13),
    mebi(f.peakBytes).padStart(9),
    mebi(f.allowedBytes).padStart(12),
    [f.text16FirstMs, f.text16TenthMs, f.text16Ms].map(time).join(", ").padStart(33),
    time(f.text512Ms).padStart(14),
    time(f.imageMs).padStart(9),
  ].join(" ");
}

// Runs in the page and in Node: loads, then embeds. `load`: of the package.
export async function measure(load, settings, peak = async () => 0) {
  const start = performance.now();
  const { calls, ...loadSettings } = settings;
  const embedder = await load(loadSettings);
  const loadMs = performance.now() - start;
  const peakBytes = await peak();
  const best = async (times, run) => {
    let least = Infinity;
    for (let i = 0; i < times; i++) least = Math.min(least, (await run()).milliseconds);
    return least;
  };
  const textOf = async (tokens) => {
    let text = "a";
    while ((await embedder.countTokens(text)).tokens < tokens) text += " a";
    return text;
  };
  const figures = { loadMs, peakBytes, residentBytes: embedder.info.residentBytes };
  if (calls && settings.towers.includes("text")) {
    const [short, long] = [await textOf(16), "a ".repeat(600)];
    const took = [];
    for (let i = 0; i < 10; i++) took.push((await embedder.embedText(short)).milliseconds);
    Object.assign(figures, {
      text16FirstMs: took[0],
      text16TenthMs: took[9],
      text16Ms: Math.min(...took),
    });
    figures.text512Ms = await best(2, () => embedder.embedText(long));
  }
  if (calls && settings.towers.includes("vision")) {
    const data = Uint8Array.from({ length: 600 * 500 * 4 }, (_, i) => (i * 7) & 255);
    figures.imageMs = await best(2, () => embedder.embedImage({ data, width: 600, height: 500 }));
  }
  await embedder.dispose();
  return figures;
}

export async function inChromium(settings, profile, site) {
  const { chromium } = await import("playwright-core");
  const context = await chromium.launchPersistentContext(join(profile, "chromium"), {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    args: ["--no-sandbox", "--disable-gpu"],
  });
  try {
    const page = await context.newPage();
    await page.goto(`${site}page.html`);
    await page.waitForFunction(() => window.measure);
    const renderers = () => Math.max(...descendants(process.pid).filter(isRenderer).map(highWater));
    await page.exposeFunction("peak", renderers);
    const before = renderers();
    return {
      ...(await page.evaluate((given) => window.measure(given), settings)),
      emptyPageBytes: before,
    };
  } finally {
    await context.close();
  }
}

function inNode(settings, scratch) {
  const child = spawn(
    process.execPath,
    [self, "--child", JSON.stringify({ ...settings, cache: join(scratch, "node") })],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  let output = "";
  child.stdout.on("data", (text) => (output += text));
  return new Promise((done, failed) =>
    child.on("close", (code) =>
      code === 0 ? done(JSON.parse(output)) : failed(new Error(`Node ended with ${code}`)),
    ),
  );
}

function descendants(ancestor) {
  const parents = new Map();
  for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    const status = statusOf(name);
    if (status) parents.set(Number(name), Number(/^PPid:\s*(\d+)/m.exec(status)?.[1]));
  }
  const found = new Set([ancestor]);
  for (let size = 0; size !== found.size; ) {
    size = found.size;
    for (const [pid, parent] of parents) if (found.has(parent)) found.add(pid);
  }
  return [...found];
}

function statusOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    return undefined; // it has ended
  }
}

const highWater = (pid) => 1024 * Number(/^VmHWM:\s*(\d+) kB/m.exec(statusOf(pid) ?? "")?.[1] ?? 0);

function isRenderer(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("--type=renderer");
  } catch {
    return false;
  }
}

// The package, the pack, and a page that measures; isolated, so that threads run. Counts the bytes of the pack.
export async function serve(pack) {
  const page = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><script type="module">
    import { load } from "/dist/js/index.js";
    ${measure}
    window.measure = (settings) => measure(load, settings, () => window.peak());
    </script>`;
  const place = { sent: 0 };
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, "http://localhost").pathname));
    response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
    response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
    if (path === "/page.html")
      return response.writeHead(200, { "Content-Type": "text/html" }).end(page);
    const file = path.startsWith("/pack/")
      ? join(pack, path.slice(6))
      : /^\/dist\/(js|wasm)\//.test(path)
        ? join(root, path)
        : undefined;
    const info = file && statSync(file, { throwIfNoEntry: false });
    if (!info?.isFile()) return response.writeHead(404).end();
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    response.writeHead(from > 0 ? 206 : 200, {
      "Content-Type": types[extname(file)] ?? "application/octet-stream",
      "Content-Length": info.size - from,
      ...(from > 0 ? { "Content-Range": `bytes ${from}-${info.size - 1}/${info.size}` } : {}),
    });
    if (request.method === "HEAD" || info.size === 0) return response.end();
    const stream = createReadStream(file, { start: from });
    if (path.startsWith("/pack/")) stream.on("data", (bytes) => (place.sent += bytes.length));
    stream.pipe(response);
    response.on("close", () => stream.destroy());
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return Object.assign(place, {
    url: `http://127.0.0.1:${server.address().port}/`,
    close() {
      server.closeAllConnections();
      return new Promise((done) => server.close(done));
    },
  });
}

if (process.argv[1] === self) {
  if (process.argv[2] === "--child") {
    const { load } = await import("../dist/js/node/index.js");
    const own = () => highWater("self");
    console.log(
      JSON.stringify(await measure(load, JSON.parse(process.argv[3]), async () => own())),
    );
  } else {
    await benchLoad(parseArgs({ options: loadOptions }).values);
  }
}
