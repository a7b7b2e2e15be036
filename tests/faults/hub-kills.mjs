// node tests/faults/hub-kills.mjs [--kills 40] [--browser] [--checkpoint DIR] — the first load of a model by its name on a hub is killed at
// random moments (the Node process, or Chromium with all its processes), and the next load goes on: it has the right vectors, and both
// together have asked for no more than the file's bytes and two blocks. Needs dist/.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { golden } from "../js/support/checkpoint.mjs";
import { random } from "../js/support/fault-server.mjs";
import { startHubServer } from "../js/support/hub-server.mjs";
import { load } from "clipglot";

const names = ["config.json", "preprocessor_config.json", "tokenizer.json", "model.safetensors"];
const self = fileURLToPath(import.meta.url);
/** A load may ask for so much that its end makes useless. */
const allowance = 8 << 20;
const settings = (hub, towers) => ({
  model: { hub: { repo: hub.repo, endpoint: hub.endpoint } },
  variant: "simd",
  maxTokens: 64,
  towers,
});

// Runs in Node and in a page: loads, and gives a hash's worth of numbers.
async function vectors(start, options) {
  const embedder = await start(options);
  try {
    const { vector } = await embedder.embedText("two cats");
    const data = Uint8Array.from({ length: 256 }, (_, i) => (i * 37) & 255);
    const image = await embedder.embedImage({ data, width: 8, height: 8 });
    return [...vector, ...image.vector];
  } finally {
    await embedder.dispose();
  }
}

/** `log` hears of each kill. Gives {killed, most}: loads that were killed before their end, and the most bytes asked beyond the file. */
export async function tryKills({
  kills,
  inBrowser = false,
  checkpoint = golden,
  seed = 1,
  log = () => {},
}) {
  const files = Object.fromEntries(
    names.map((name) => [name, readFileSync(join(checkpoint, name))]),
  );
  const size = files["model.safetensors"].length;
  const hub = await startHubServer({ files });
  const towers = ["text", "vision"];
  const chance = random(seed);
  const place = await (inBrowser ? browserPlace() : nodePlace());
  try {
    const wanted = JSON.stringify(await vectors(load, settings(hub, towers)));
    // So slow that the moments lie all over it, but a large file in no more than half a minute.
    hub.set({ throttle: Math.max(2_000_000, size / 30) });
    let [killed, most] = [0, 0];
    const began = performance.now();
    const first = await place.load(settings(hub, towers));
    if (JSON.stringify(await first.result) !== wanted)
      throw new Error("other vectors without a kill");
    const whole = performance.now() - began;
    await first.kill();
    for (let i = 0; i < kills; i++) {
      await place.clear();
      hub.set({ throttle: Math.max(2_000_000, size / 30) });
      const running = await place.load(settings(hub, towers));
      running.result.catch(() => {});
      let isOver = false;
      running.result.then(
        () => (isOver = true),
        () => {},
      );
      await new Promise((resolve) => setTimeout(resolve, chance() * whole));
      if (!isOver) killed++;
      await running.kill();
      const before = hub.bytesAsked("model.safetensors");
      hub.keepCounting({ throttle: 0 });
      const next = await place.load(settings(hub, towers));
      const found = JSON.stringify(await next.result);
      const more = hub.bytesAsked("model.safetensors") - size;
      most = Math.max(most, more);
      log(
        `kill ${i}: ${isOver ? "too late" : `after ${before} bytes`}, ${more} bytes more than the file's`,
      );
      if (found !== wanted) throw new Error(`kill ${i}: other vectors`);
      if (more > allowance)
        throw new Error(`kill ${i}: asked for ${more} bytes more than the file has`);
      await next.kill();
    }
    return { killed, most };
  } finally {
    await place.close();
    await hub.close();
  }
}

async function nodePlace() {
  const root = mkdtempSync(join(tmpdir(), "clipglot-kills-"));
  return {
    async load(options) {
      const child = spawn(
        process.execPath,
        [self, "--load", JSON.stringify({ ...options, cache: root })],
        {
          stdio: ["ignore", "pipe", "inherit"],
        },
      );
      let output = "";
      child.stdout.on("data", (text) => (output += text));
      const ended = new Promise((resolve) => child.on("close", resolve));
      const result = ended.then((code) => {
        if (code !== 0) throw new Error(`the process ended with ${code}`);
        return JSON.parse(output);
      });
      return {
        result,
        async kill() {
          child.kill("SIGKILL");
          await ended;
        },
      };
    },
    clear: async () => rmSync(root, { recursive: true, force: true }),
    close: async () => rmSync(root, { recursive: true, force: true }),
  };
}

async function browserPlace() {
  const { chromium } = await import("playwright-core");
  const { serveRepository } = await import("../browser/package/server.mjs");
  const site = await serveRepository({ isolated: false });
  let profile = mkdtempSync(join(tmpdir(), "clipglot-kills-"));
  const remove = () => rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  return {
    async load(options) {
      const context = await chromium.launchPersistentContext(profile, {
        executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
        headless: true,
        args: ["--no-sandbox", "--disable-gpu"],
      });
      const page = context.pages()[0] ?? (await context.newPage());
      await page.goto(`${site.url}tests/faults/load.html`);
      await page.waitForFunction(() => window.load);
      const result = page.evaluate(`(${vectors})(window.load, ${JSON.stringify(options)})`);
      return {
        result,
        async kill() {
          const ended = new Promise((resolve) => context.once("close", resolve));
          const { execFileSync } = await import("node:child_process");
          // The whole browser, at once: no process of it gets a word.
          try {
            execFileSync("pkill", ["-KILL", "-f", profile]);
          } catch {
            await context.close(); // it has ended
          }
          await ended;
        },
      };
    },
    async clear() {
      remove();
      profile = mkdtempSync(join(tmpdir(), "clipglot-kills-"));
    },
    async close() {
      remove();
      await site.close();
    },
  };
}

if (process.argv[1] === self) {
  const { values } = parseArgs({
    options: {
      kills: { type: "string", default: "40" },
      seed: { type: "string", default: "1" },
      browser: { type: "boolean", default: false },
      checkpoint: { type: "string" },
      load: { type: "string" },
    },
  });
  if (values.load) {
    process.stdout.write(JSON.stringify(await vectors(load, JSON.parse(values.load))));
  } else {
    const { killed, most } = await tryKills({
      kills: Number(values.kills),
      inBrowser: values.browser,
      seed: Number(values.seed),
      log: console.log,
      ...(values.checkpoint ? { checkpoint: values.checkpoint } : {}),
    });
    console.log(
      `${values.kills} kills, ${killed} before the end of the load; at most ${most} bytes asked for beyond the file's`,
    );
  }
}
