// npm run bench:peer -- [options]
//
// This package beside onnxruntime-web (and natively beside onnxruntime-node), turn by turn in one run: our builds and the peer load
// models of the same architecture and depth with random weights, one process each, and then do the same call in turns, A B A B, so
// that whatever else the machine does meets both. Prints the times, the paired ratios peer / ours (median, least, most), load
// time and memory, and writes all single figures to build/bench/peer.json; bench/peer/table.mjs makes the page's tables of it.
//
//   --layers N            layers a tower (24); 2 to 4 for a quick comparison
//   --quick               2 layers, Chromium, one thread, q8, no load figures
//   --places LIST         chromium,node,native (all)         --dtypes LIST    q8,q4 (both)
//   --variants LIST       simd,relaxed-simd (both)           --threads LIST   1,2 (both)
//   --cases LIST          8,16,32,128,512,16x8,8x32,mixed,image (all)
//   --rounds N            turns of each system in each case (5)
//   --loads N             loads of each system, cold, of the text tower and of both towers; 0 leaves them out (3)
//   --load-only           nothing but these
//   --clock auto|wall|cpu what is compared; auto: on one thread the processor time of the thread that works most, which other
//                         programs on the machine do not lengthen; on more the time that passed
//   --profile             where our time goes, by kind of layer
//   --packs DIR           holds q8/ and q4/ (or fullsize-q8/ …): packs made before
//   --base LIST           instead of onnxruntime: our own builds in the dist/ of these folders (other states of this repository);
//                         the ratios are those to the last one; no load figures
//   --node PATH           Node for the place node (this one)
//   --cpus LIST           processors to use, as many as threads are taken from its beginning (0,1)
//   --no-build            takes dist/ and the native runner as they are
//   --out FILE            (build/bench/peer.json)
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { buildFor } from "../../tools/build/steps.mjs";
import { runMain, SetupError } from "../../tools/setup/log.mjs";
import { build, root } from "../../tools/setup/paths.mjs";
import { setUp } from "../../tools/setup/setup.mjs";
import { CASES, OURS, PLACES, plan, turns } from "./cases.mjs";
import { LAYERS, modelsFolder, onnxOf, packOf } from "./models.mjs";
import { loadLines, meetingLines, profileLines } from "./report.mjs";
import { nodeAt, pin } from "./processes.mjs";
import { runtimeFolder, setUpRuntime, VERSION } from "./runtime.mjs";
import { serve } from "./server.mjs";
import { openSystem } from "./systems.mjs";

const RUNNER = "clipglot_bench_towers",
  PRESET = "native-release";

function readOptions() {
  const text = (value) => ({ type: "string", ...(value === undefined ? {} : { default: value }) }),
    flag = { type: "boolean", default: false };
  const { values } = parseArgs({
    options: {
      layers: text(),
      quick: flag,
      places: text(),
      dtypes: text(),
      variants: text(OURS.join()),
      threads: text(),
      cases: text(CASES.map(({ name }) => name).join()),
      rounds: text("5"),
      loads: text(),
      "load-only": flag,
      clock: text("auto"),
      profile: flag,
      packs: text(),
      base: text(),
      node: text(process.execPath),
      cpus: text("0,1"),
      "no-build": flag,
      out: text(join(build, "bench/peer.json")),
    },
  });
  const list = (name, usual, possible) => {
    const items = (values[name] ?? usual).split(",");
    const wrong = items.find((item) => !possible.includes(item));
    if (wrong !== undefined)
      throw new SetupError(`--${name}: no ${wrong}; there are ${possible.join(" ")}`);
    return items;
  };
  const number = (name, usual, least, most) => {
    const value = Number(values[name] ?? usual);
    if (!Number.isInteger(value) || value < least || value > most)
      throw new SetupError(`--${name}: an integer from ${least} to ${most}`);
    return value;
  };
  const quick = values.quick;
  const places = list(
    "places",
    quick ? "chromium" : values.base ? "chromium,node" : PLACES.join(),
    PLACES,
  );
  if (values.base && places.includes("native"))
    throw new SetupError("--base: builds for WebAssembly only; --places chromium,node");
  return {
    layers: number("layers", quick ? 2 : LAYERS, 1, LAYERS),
    places,
    dtypes: list("dtypes", quick ? "q8" : "q8,q4", ["q8", "q4"]),
    variants: list("variants", "", OURS),
    threads: list("threads", quick ? "1" : "1,2", ["1", "2", "3", "4"]).map(Number),
    cases: list(
      "cases",
      "",
      CASES.map(({ name }) => name),
    ),
    rounds: number("rounds", 5, 1, 100),
    loads: values.base ? 0 : number("loads", quick ? 0 : 3, 0, 20),
    loadOnly: values["load-only"],
    clock: list("clock", "", ["auto", "wall", "cpu"])[0],
    profile: values.profile,
    packs: values.packs && resolve(values.packs),
    bases: values.base?.split(",").map((folder) => resolve(folder, "dist")) ?? [],
    node: values.node,
    cpus: values.cpus.split(","),
    build: !values["no-build"],
    out: resolve(values.out),
  };
}

const page = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><script type="module">
import { openOurs, openPeer, openReader } from "/bench/contestants.mjs";
window.contest = {
  async ours(settings) {
    const { dist, ...options } = settings;
    const { load } = await import(\`/\${dist}/js/index.js\`);
    window.contestant = await openOurs(load, options);
  },
  async reader(settings) {
    window.contestant = await openReader(settings);
  },
  async peer({ model, threads }) {
    const ort = await import("/runtime/onnxruntime-web/dist/ort.wasm.min.mjs");
    ort.env.wasm.wasmPaths = "/runtime/onnxruntime-web/dist/";
    ort.env.wasm.numThreads = threads;
    const bytes = async () => new Uint8Array(await (await fetch(model)).arrayBuffer());
    window.contestant = await openPeer(ort, bytes, { executionProviders: ["wasm"], graphOptimizationLevel: "all" });
  },
};
</script>`;

class Run {
  constructor(options, where) {
    this.options = options;
    this.where = where;
  }

  async model(dtype, towers, place) {
    const { layers, packs, bases } = this.options;
    const pack = await packOf(dtype, layers, packs),
      onnx = bases.length ? "" : onnxOf(dtype, layers, towers);
    if (place !== "chromium") return { pack, onnx };
    const { url } = this.where.server;
    return {
      pack: `${url}pack-${dtype}/`,
      onnx: `${url}models/${onnx.slice(modelsFolder.length + 1)}`,
    };
  }

  /** One meeting: all systems loaded, each case in turns. */
  async meet({ place, dtype, tower, threads, systems, cases }) {
    const { options } = this;
    pin(options.cpus.slice(0, threads));
    const model = await this.model(dtype, [tower], place);
    const opened = [];
    const results = systems.map(({ name }) => ({ system: name, cases: {} }));
    try {
      for (const [i, system] of systems.entries()) {
        const { profile } = options;
        opened.push(
          await openSystem({ ...this.where, place }, system, {
            model,
            towers: [tower],
            threads,
            profile,
          }),
        );
        results[i].info = opened[i].info;
        results[i].peakAfterLoad = opened[i].peakBytes;
      }
      for (const one of cases) {
        for (const system of opened) {
          await system.prepare(one);
          for (const norm of (await system.run(one)).norms)
            if (Math.abs(norm - 1) > 1e-3)
              throw new Error(`${tower} ${one.name}: a vector of length ${norm}`);
          if (options.profile) await system.profile?.(); // forgets the warm-up
        }
        const series = systems.map(() => ({ wallMs: [], cpuMs: [] }));
        for (let round = 0; round < options.rounds; round++) {
          for (const i of turns(systems.length, round)) {
            const { ms, cpuMs } = await opened[i].run(one);
            series[i].wallMs.push(ms);
            series[i].cpuMs.push(cpuMs);
          }
        }
        for (const [i, figures] of series.entries())
          results[i].cases[one.name] = {
            ...figures,
            ...(options.profile ? { profile: await opened[i].profile?.() } : {}),
          };
      }
      for (const [i, system] of opened.entries()) results[i].peakAfterRuns = system.peakNow();
    } finally {
      for (const system of opened) await system.close();
    }
    const clock = options.clock === "auto" ? (threads === 1 ? "cpu" : "wall") : options.clock;
    return {
      place,
      dtype,
      tower,
      threads,
      layers: options.layers,
      clock,
      rounds: options.rounds,
      results,
    };
  }

  /** Cold loads in turns, and what only reading our bytes takes: new processes, empty caches, no processor pinned. */
  async loads(place, dtype, towers, threads) {
    const { options } = this;
    pin(options.cpus);
    const model = await this.model(dtype, towers, place);
    const systems = [
      ...options.variants.map((variant) => ({
        name: variant,
        kind: "ours",
        variant: threads === 1 ? variant : `${variant}-threads`,
      })),
      ...(place === "chromium" ? [{ name: "reading alone", kind: "reader" }] : []),
      { name: "onnxruntime-web", kind: "peer" },
    ];
    const results = systems.map(({ name }) => ({
      system: name,
      loadMs: [],
      peakBytes: [],
      residentBytes: [],
    }));
    for (let round = 0; round < options.loads; round++) {
      for (const i of turns(systems.length, round)) {
        const opened = await openSystem({ ...this.where, place }, systems[i], {
          model,
          towers,
          threads,
        });
        for (const figure of ["loadMs", "peakBytes", "residentBytes"])
          results[i][figure].push(opened[figure]);
        await opened.close();
      }
    }
    return { place, dtype, towers, threads, layers: options.layers, results };
  }
}

async function main() {
  const options = readOptions();
  const { places, variants, threads } = options;
  if (options.build) {
    const suffixes = [
      ...(threads.includes(1) ? [""] : []),
      ...(threads.some((n) => n > 1) ? ["-threads"] : []),
    ];
    await buildFor({
      variants: suffixes.flatMap((suffix) => variants.map((variant) => `${variant}${suffix}`)),
      js: true,
      ...(places.includes("native") ? { native: { [PRESET]: [RUNNER] } } : {}),
    });
    if (places.includes("chromium")) await setUp(["browser"]);
  }
  if (options.bases.length === 0) await setUpRuntime();
  const dists = Object.fromEntries(
    [join(root, "dist"), ...options.bases].map((folder, i) => [i ? `base-${i}` : "dist", folder]),
  );
  const packs = Object.fromEntries(
    await Promise.all(
      options.dtypes.map(async (dtype) => [
        `pack-${dtype}`,
        await packOf(dtype, options.layers, options.packs),
      ]),
    ),
  );
  const server = await serve(
    {
      ...packs,
      models: modelsFolder,
      runtime: join(runtimeFolder, "node_modules"),
      ...dists,
      bench: join(root, "bench/peer"),
    },
    page,
  );
  const run = new Run(options, {
    server,
    node: options.node,
    runtime: runtimeFolder,
    dists,
    nativeRunner: join(build, PRESET, "bench", RUNNER),
  });
  const nodeVersion = nodeAt(options.node).version;
  const report = {
    machine: {
      cpu: cpus()[0].model,
      cores: cpus().length,
      memoryBytes: totalmem(),
      node: nodeVersion,
    },
    date: new Date().toISOString(),
    peer: options.bases.join(", ") || `onnxruntime ${VERSION}`,
    layers: options.layers,
    loads: [],
    meetings: [],
  };
  const keep = () => {
    mkdirSync(dirname(options.out), { recursive: true });
    writeFileSync(options.out, `${JSON.stringify(report, null, 1)}\n`);
  };
  console.log(
    `${report.machine.cpu}, ${report.machine.cores} cores; Node ${nodeVersion}; ${report.peer}; ${options.layers} layers a tower; times in ms`,
  );
  try {
    for (const place of options.loads > 0 ? places.filter((one) => one !== "native") : []) {
      for (const dtype of options.dtypes) {
        for (const towers of [["text"], ["text", "vision"]]) {
          report.loads.push(await run.loads(place, dtype, towers, Math.max(...threads)));
          console.log(loadLines(report.loads.at(-1)).join("\n"));
          keep();
        }
      }
    }
    for (const meeting of options.loadOnly ? [] : plan(options)) {
      report.meetings.push(await run.meet(meeting));
      console.log(meetingLines(report.meetings.at(-1)).join("\n"));
      if (options.profile) console.log(profileLines(report.meetings.at(-1)).join("\n"));
      keep();
    }
  } finally {
    await server.close();
  }
  console.log(`\nwrote ${options.out}`);
}

await runMain(main);
