// Runs requests on exactly one WebAssembly module, in this thread.
import { readFileSync } from "node:fs";
import { openEngine } from "../lib/direct-engine.mjs";

/** `variant`: simd, relaxed-simd, or one of their -threads twins. Gives Map of id → Map of stage → {shape, data}. */
export async function runWasm(job, { variant }) {
  const { model, dtype, threads, maxTokens, towers, requests } = job;
  const engine = await openEngine({ variant, threads, folder: model, dtype, maxTokens, towers });
  const results = new Map();
  try {
    for (const request of requests) {
      results.set(request.id, traceOne(engine, request));
    }
    if (threads > 1 && engine.threadsSeen() < 2)
      throw new Error(`${variant}: asked for ${threads} threads, only one worked`);
  } finally {
    engine.dispose();
  }
  return results;
}

/** One request on an open engine: Map of stage → {shape, data}. */
export function traceOne(engine, request) {
  const { vector, stages } = engine.traced(() => embed(engine, request));
  if (!request.hidden)
    for (const name of stages.keys()) if (name.startsWith("hidden.")) stages.delete(name);
  stages.set("normalized", { shape: [vector.length], data: vector });
  for (const dimensions of request.truncate ?? []) {
    stages.set(`normalized_${dimensions}`, {
      shape: [dimensions],
      data: engine.truncate(vector, dimensions),
    });
  }
  return stages;
}

function embed(engine, request) {
  if (request.text !== undefined)
    return engine.embedText(request.text, {
      task: request.task ?? "",
      maxTokens: request.maxTokens ?? 0,
    });
  if (request.image !== undefined)
    return engine.embedImage(new Uint8Array(readFileSync(request.image)), {
      ignoreOrientation: true,
    });
  return engine.embedPixels(
    new Uint8Array(readFileSync(request.rgba)),
    request.width,
    request.height,
  );
}
