// npm run bench:roofline -- [--variants simd,relaxed-simd] [--places chromium,node] [--node PATH] [--ms N] [--cpu N] [--markdown] [--no-build]
//                           [--against DIR [--layers REGEX] [--rounds N]]
//
// The limits of wasm on this machine, and the share of them that our layers reach: int8 and float multiply-add by every instruction
// that does it, alone; reading memory of several sizes; then each layer of the full model at its shapes (operators.h), one thread. The
// limit of a layer is the fastest arithmetic that its build could use, or memory, whichever takes longer.
//
// `--node`: another Node, for instance a newer one (its engine decides what a relaxed instruction becomes). `--ms`: for each figure
// (100). `--cpu`: the processor (0). Prints tables and writes build/bench/roofline.json.
//
// `--against`: instead of all that, the layers whose names fit `--layers` (all) in this build and in another one of the first variant, turn by
// turn in Chromium, `--rounds` times (31). DIR: what build/wasm-VARIANT/bench held then.
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL, fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { buildFor, buildWasm } from "../../tools/build/steps.mjs";
import { runMain, SetupError } from "../../tools/setup/log.mjs";
import { build } from "../../tools/setup/paths.mjs";
import { setUp } from "../../tools/setup/setup.mjs";
import { serve } from "../peer/server.mjs";
import { nodeAt, pin } from "../peer/processes.mjs";
import { lines } from "./limits.mjs";
import { measure } from "./measure.mjs";

const TARGET = "clipglot_bench_roofline";
const self = fileURLToPath(import.meta.url);
const folderOf = (variant) => join(build, `wasm-${variant}/bench`);

const page = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><script type="module">
import { compare, measure } from "/bench/measure.mjs";
const factory = async (folder) => (await import(\`/\${folder}/${TARGET}.mjs\`)).default;
window.compare = async (variant, pattern, rounds) => compare(await factory(variant), await factory("other"), pattern, rounds);
window.measure = async (variant, budget) => measure(await factory(variant), budget);
</script>`;

/** `other`: a folder that the page finds as other. Calls work(new page, browser). */
async function withPages(variants, other, work) {
  const { chromium } = await import("playwright-core");
  const folders = Object.fromEntries(variants.map((variant) => [variant, folderOf(variant)]));
  const server = await serve(
    { ...folders, ...(other ? { other } : {}), bench: join(self, "..") },
    page,
  );
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu"],
  });
  try {
    return await work(async () => {
      const tab = await browser.newPage();
      await tab.goto(`${server.url}page.html`);
      await tab.waitForFunction(() => window.measure);
      return tab;
    }, browser);
  } finally {
    await browser.close();
    await server.close();
  }
}

const inChromium = (variants, budget) =>
  withPages(variants, undefined, async (open, browser) => {
    const found = [];
    for (const variant of variants) {
      const tab = await open();
      found.push({
        variant,
        engine: `Chromium ${browser.version()}`,
        ...(await tab.evaluate(([name, ms]) => window.measure(name, ms), [variant, budget])),
      });
      await tab.close();
    }
    return found;
  });

const against = (variant, other, pattern, rounds) =>
  withPages([variant], resolve(other), async (open) => {
    const tab = await open();
    return tab.evaluate((given) => window.compare(...given), [variant, pattern, rounds]);
  });

function inNode(node, variants, budget) {
  return variants.map((variant) => {
    const { version, flags } = nodeAt(node, variant);
    const done = spawnSync(node, [...flags, self, "--child", variant, String(budget)], {
      encoding: "utf8",
      maxBuffer: 1 << 24,
    });
    if (done.status !== 0) throw new Error(done.stderr || done.error?.message);
    return { variant, engine: `Node ${version}`, ...JSON.parse(done.stdout) };
  });
}

async function main() {
  const { values } = parseArgs({
    options: {
      variants: { type: "string", default: "simd,relaxed-simd" },
      places: { type: "string", default: "chromium,node" },
      node: { type: "string", default: process.execPath },
      ms: { type: "string", default: "100" },
      cpu: { type: "string", default: "0" },
      markdown: { type: "boolean", default: false },
      "no-build": { type: "boolean", default: false },
      against: { type: "string" },
      layers: { type: "string", default: "" },
      rounds: { type: "string", default: "31" },
    },
  });
  const variants = values.variants.split(","),
    places = values.places.split(","),
    budget = Number(values.ms);
  const odd =
    places.find((place) => !["chromium", "node"].includes(place)) ??
    variants.find((variant) => !["simd", "relaxed-simd"].includes(variant));
  if (odd !== undefined || !(budget > 0))
    throw new SetupError(`cannot measure with ${odd ?? `--ms ${values.ms}`}`);
  if (!values["no-build"]) {
    await buildFor({ variants });
    for (const variant of variants) await buildWasm(variant, [TARGET]);
    if (places.includes("chromium")) await setUp(["browser"]);
  }
  pin([values.cpu]);
  if (values.against !== undefined) {
    for (const { name, ms, otherMs, ratio } of await against(
      variants[0],
      values.against,
      values.layers,
      Number(values.rounds),
    ))
      console.log(
        `${name.padEnd(34)} ${ms.toFixed(3).padStart(9)} ms, the other ${otherMs.toFixed(3).padStart(9)} ms: ${ratio.toFixed(3)} times as fast`,
      );
    return;
  }
  const machine = { cpu: cpus()[0].model, cores: cpus().length, date: new Date().toISOString() };
  const figures = [];
  for (const place of places)
    figures.push(
      ...(place === "chromium"
        ? await inChromium(variants, budget)
        : inNode(values.node, variants, budget)),
    );
  console.log(`${machine.cpu}, ${machine.cores} cores; one thread`);
  for (const one of figures)
    console.log(
      `\n${values.markdown ? "**" : ""}${one.engine}, ${one.variant}${values.markdown ? "**\n" : ""}\n${lines(one, values.markdown).join("\n")}`,
    );
  mkdirSync(join(build, "bench"), { recursive: true });
  writeFileSync(
    join(build, "bench/roofline.json"),
    `${JSON.stringify({ machine, figures }, null, 1)}\n`,
  );
}

if (process.argv[2] === "--child") {
  const [variant, budget] = process.argv.slice(3);
  const { default: create } = await import(
    pathToFileURL(join(folderOf(variant), `${TARGET}.mjs`)).href
  );
  process.stdout.write(
    JSON.stringify(await measure(create, Number(budget), () => process.cpuUsage().user / 1000)),
  );
} else {
  await runMain(main);
}
