// One system in a Node process; asked by systems.mjs.
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { openOurs, openPeer } from "./contestants.mjs";

let contestant;

async function open(kind, settings, runtime) {
  if (kind === "ours") {
    const { dist, ...options } = settings;
    const { load } = await import(pathToFileURL(join(dist, "js/node/index.js")));
    return openOurs(load, options);
  }
  const require = createRequire(join(runtime, "package.json"));
  const native = kind === "peer-native";
  const ort = require(native ? "onnxruntime-node" : "onnxruntime-web/wasm");
  if (!native) ort.env.wasm.numThreads = settings.threads;
  const { readFileSync } = await import("node:fs");
  const bytes = async () =>
    native ? settings.model : new Uint8Array(readFileSync(settings.model));
  const options = native
    ? { executionProviders: ["cpu"], intraOpNumThreads: settings.threads, interOpNumThreads: 1 }
    : { executionProviders: ["wasm"] };
  return openPeer(ort, bytes, { ...options, graphOptimizationLevel: "all" });
}

async function answer(question) {
  if (question.open) {
    contestant = await open(question.kind, question.open, question.runtime);
    return { loadMs: contestant.loadMs, info: contestant.info };
  }
  if (question.prepare) await contestant.prepare(question.prepare);
  if (question.run) return contestant.run(question.run);
  if (question.profile) return contestant.profile?.();
  return {};
}

process.on("message", async (question) => {
  try {
    process.send((await answer(question)) ?? {});
  } catch (error) {
    process.send({ error: error.stack ?? String(error) });
  }
});

// Whoever asked has ended.
process.on("disconnect", () => process.exit());
