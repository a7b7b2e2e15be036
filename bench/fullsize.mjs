// node bench/fullsize.mjs [SOURCE] [--out DIR] [--dtypes q8,q4] [--threads 1,2] [--places chromium,node] [--variant simd|relaxed-simd]
//                         [--keep-packs]
//
// Everything at full size: converts SOURCE (default build/fullsize, made by npm run fullsize) to a pack of each dtype and watches
// the converter's memory; then loads the packs from a server on this machine, text, vision and both, cold and from the cache, and
// embeds (bench/load.mjs). Prints tables, says where a limit is passed, and writes build/bench/fullsize.json. Needs a built dist/.
// Exits with 1 when a limit is passed.
//
//   --keep-packs   a pack that is there already is not made again (and its converter not measured)
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { benchLoad } from "./load.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const CLI = join(root, "dist/js/convert/cli.js");
const POLL_MS = 50;

/** Limits at full size, bytes: shards and manifest of a tower, the tokenizer, the converter's memory. */
export const LIMITS = {
  q8: { text: 565e6, vision: 314e6 },
  q4: { text: 320e6, vision: 181e6 },
  tokenizer: 18e6,
  converter: 700e6,
};

/** Runs `command` with `args`; gives { seconds, peakBytes } (VmHWM of the process) or throws with what it said. */
export async function watched(command, args) {
  const start = performance.now();
  const child = spawn(command, args, { stdio: ["ignore", "ignore", "pipe"] });
  let said = "",
    peak = 0;
  child.stderr.on("data", (text) => {
    said = `${said}${text}`.slice(-2000);
  });
  const look = () => {
    try {
      peak = Math.max(
        peak,
        1024 *
          Number(
            /^VmHWM:\s*(\d+) kB/m.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1] ?? 0,
          ),
      );
    } catch {
      // it has ended
    }
  };
  const timer = setInterval(look, POLL_MS);
  look();
  try {
    const code = await new Promise((done, failed) => child.on("error", failed).on("close", done));
    if (code !== 0) throw new Error(`${args.join(" ")}: ended with ${code}\n${said}`);
  } finally {
    clearInterval(timer);
  }
  return { seconds: (performance.now() - start) / 1000, peakBytes: peak };
}

/** Bytes of a pack: { text, vision } with the manifest counted to each, tokenizer apart. */
export function packBytes(folder) {
  const { shards, tokenizer } = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8"));
  const manifest = readFileSync(join(folder, "manifest.json")).length;
  const tower = (name) =>
    shards
      .filter((shard) => shard.tower === name)
      .reduce((sum, { bytes }) => sum + bytes, manifest);
  return { text: tower("text"), vision: tower("vision"), tokenizer: tokenizer?.bytes ?? 0 };
}

async function main() {
  const {
    positionals: [source = join(root, "build/fullsize")],
    values,
  } = parseArgs({
    allowPositionals: true,
    options: {
      out: { type: "string", default: join(root, "build/packs") },
      dtypes: { type: "string", default: "q8,q4" },
      threads: { type: "string", default: "1,2" },
      places: { type: "string", default: "chromium,node" },
      variant: { type: "string", default: "simd" },
      "keep-packs": { type: "boolean", default: false },
    },
  });
  const passed = [];
  const limit = (what, found, most) => {
    if (found > most)
      passed.push(`${what}: ${(found / 1e6).toFixed(1)} MB, at most ${(most / 1e6).toFixed(1)} MB`);
  };
  const machine = {
    cpu: cpus()[0].model,
    cores: cpus().length,
    node: process.version,
    date: new Date().toISOString(),
  };
  console.log(`${machine.cpu}, ${machine.cores} cores, Node ${machine.node}; MB are 10^6 bytes`);
  const figures = [];
  for (const dtype of values.dtypes.split(",")) {
    const pack = join(values.out, `fullsize-${dtype}`);
    let conversion;
    if (!values["keep-packs"] || !existsSync(join(pack, "manifest.json"))) {
      rmSync(pack, { recursive: true, force: true });
      conversion = await watched(process.execPath, [
        CLI,
        "convert",
        resolve(source),
        "--out",
        pack,
        "--dtype",
        dtype,
        "--license",
        "CC-BY-NC-4.0",
      ]);
      console.log(
        `\nconverting to ${dtype}: ${conversion.seconds.toFixed(0)} s, peak memory ${(conversion.peakBytes / 1e6).toFixed(0)} MB`,
      );
      limit(`converting to ${dtype}`, conversion.peakBytes, LIMITS.converter);
    }
    const bytes = packBytes(pack);
    console.log(
      `${dtype} pack: text ${(bytes.text / 1e6).toFixed(1)} MB, vision ${(bytes.vision / 1e6).toFixed(1)} MB, tokenizer ${(bytes.tokenizer / 1e6).toFixed(1)} MB`,
    );
    for (const tower of ["text", "vision"])
      limit(`${dtype} pack, ${tower}`, bytes[tower], LIMITS[dtype]?.[tower] ?? Infinity);
    limit(`${dtype} pack, tokenizer`, bytes.tokenizer, LIMITS.tokenizer);
    for (const threads of values.threads.split(",")) {
      const variant = threads === "1" ? values.variant : `${values.variant}-threads`;
      const rows = await benchLoad({ pack, variant, threads, places: values.places });
      for (const row of rows)
        limit(
          `${dtype} ${row.towers.join("+")} in ${row.place}, cache ${row.cache}, ${threads} thread(s): peak`,
          row.peakBytes,
          row.allowedBytes,
        );
      figures.push({ dtype, threads: Number(threads), variant, conversion, bytes, rows });
    }
  }
  mkdirSync(join(root, "build/bench"), { recursive: true });
  writeFileSync(
    join(root, "build/bench/fullsize.json"),
    `${JSON.stringify({ machine, source: resolve(source), limits: LIMITS, passed, figures }, null, 1)}\n`,
  );
  console.log(passed.length ? `\npast a limit:\n${passed.join("\n")}` : "\nall limits are kept");
  process.exitCode = passed.length ? 1 : 0;
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) await main();
