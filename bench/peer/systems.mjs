// Opens one system in one place, in a process of its own: { loadMs, peakBytes, residentBytes, prepare, run, profile, close }.
// `run` also gives the processor time of the thread that worked most.
import { fork, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { openOurs } from "./contestants.mjs";
import {
  descendants,
  nodeAt,
  renderersOf,
  residentNow,
  spent,
  threadTimes,
  watchMemory,
} from "./processes.mjs";

const CHILD = fileURLToPath(new URL("child.mjs", import.meta.url));

/**
 * `where`: { place, server, node, runtime, dists, nativeRunner }; `system`: of cases.mjs; `model`: { pack, onnx } as paths for this place;
 * `towers`, `threads`, `profile`.
 */
export async function openSystem(where, system, job) {
  if (system.kind === "native") return openNative(where, job);
  return where.place === "chromium"
    ? openChromium(where, system, job)
    : openNode(where, system, job);
}

function settingsOf(system, dist, { model, towers, threads, profile }) {
  if (system.kind === "ours")
    return {
      dist,
      model: model.pack,
      towers,
      variant: system.variant,
      threads,
      ...(profile ? { profile: true } : {}),
    };
  if (system.kind === "reader") return { model: model.pack, towers };
  return { model: model.onnx, threads, kind: system.kind };
}

/** Measures around `call`, which gives { ms, norms }: `pid` is the process that works. */
async function timed(pid, call) {
  const before = threadTimes(pid);
  const result = await call();
  const { busiest } = spent(before, threadTimes(pid));
  return { ...result, cpuMs: busiest };
}

async function openChromium({ server }, system, job) {
  const { chromium } = await import("playwright-core");
  const scratch = mkdtempSync(join(tmpdir(), "clipglot-peer-"));
  const known = new Set(descendants(process.pid));
  const context = await chromium.launchPersistentContext(scratch, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    args: ["--no-sandbox", "--disable-gpu"],
  });
  let memory;
  const close = async () => {
    memory?.stop();
    await context.close();
    rmSync(scratch, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const page = await context.newPage();
    await page.goto(`${server.url}page.html`);
    await page.waitForFunction(() => window.contest);
    // The browser keeps another renderer ready, of about the same size; the page's is the one that grows.
    memory = watchMemory(...renderersOf(process.pid, known));
    await page.evaluate(
      ([how, given]) => window.contest[how](given),
      [system.kind, settingsOf(system, system.dist ?? "dist", job)],
    );
    const { loadMs, info } = await page.evaluate(() => ({
      loadMs: window.contestant.loadMs,
      info: window.contestant.info,
    }));
    const [pid] = renderersOf(process.pid, known);
    return {
      loadMs,
      info,
      peakBytes: memory.peak(),
      residentBytes: residentNow(pid),
      close,
      peakNow: memory.peak,
      prepare: (one) => page.evaluate((given) => window.contestant.prepare(given), one),
      run: (one) => timed(pid, () => page.evaluate((given) => window.contestant.run(given), one)),
      profile: () => page.evaluate(() => window.contestant.profile?.()),
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openNode({ node, runtime, dists }, system, job) {
  const child = fork(CHILD, [], {
    execPath: node,
    execArgv: system.kind === "ours" ? nodeAt(node, system.variant).flags : [],
  });
  const ask = (question) =>
    new Promise((done, failed) => {
      const ended = (code) => failed(new Error(`Node ended with ${code}`));
      child.once("exit", ended);
      child.once("message", (answer) => {
        child.off("exit", ended);
        if (answer.error) failed(new Error(answer.error));
        else done(answer);
      });
      child.send(question);
    });
  const memory = watchMemory(child.pid);
  const close = () =>
    new Promise((done) => {
      memory.stop();
      child.once("exit", done);
      child.kill();
    });
  try {
    const { loadMs, info } = await ask({
      open: settingsOf(system, dists[system.dist ?? "dist"], job),
      kind: system.kind,
      runtime,
    });
    return {
      loadMs,
      info,
      peakBytes: memory.peak(),
      residentBytes: residentNow(child.pid),
      close,
      peakNow: memory.peak,
      prepare: (one) => ask({ prepare: one }),
      run: (one) => timed(child.pid, () => ask({ run: one })),
      profile: () => ask({ profile: true }),
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The native engine behind the face of the package's embedder: a line of JSON for each question and each answer. */
async function openNative({ nativeRunner }, { model, towers, threads, profile }) {
  const child = spawn(nativeRunner, [], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ask = async (question) => {
    child.stdin.write(`${JSON.stringify(question)}\n`);
    const { value, done } = await lines.next();
    if (done) throw new Error("the native runner ended");
    const answer = JSON.parse(value);
    if (answer.error) throw new Error(answer.error);
    return answer;
  };
  const memory = watchMemory(child.pid);
  const close = () =>
    new Promise((done) => {
      memory.stop();
      child.once("exit", done);
      child.stdin.end();
    });
  const load = async () => ({
    info: await ask({ open: model.pack, towers, threads, profile: profile === true }),
    countTokens: (text) => ask({ count: text }),
    embedText: async (text) => asEmbedding(await ask({ texts: [text] })),
    embedTexts: async (texts) => asBatch(await ask({ texts })),
    embedImage: async () => asEmbedding(await ask({ image: true })),
    profile: async () =>
      (await ask({ profile: true })).entries.map(({ kind, calls, nanoseconds }) => ({
        kind,
        calls,
        milliseconds: nanoseconds / 1e6,
      })),
  });
  const asBatch = ({ vectors, count }) => ({ data: Float32Array.from(vectors), count });
  const asEmbedding = ({ vectors, tokens }) => ({ vector: Float32Array.from(vectors), tokens });
  try {
    const contestant = await openOurs(load, {});
    return {
      ...contestant,
      peakBytes: memory.peak(),
      residentBytes: residentNow(child.pid),
      close,
      peakNow: memory.peak,
      run: (one) => timed(child.pid, () => contestant.run(one)),
    };
  } catch (error) {
    await close();
    throw error;
  }
}
