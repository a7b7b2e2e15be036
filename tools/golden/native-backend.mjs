// Runs requests on the native engine through the program clipglot_trace_runner.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { typedArray } from "../lib/safetensors.mjs";

/** `runner`: the program; `scratch`: a folder for its input and output. Gives Map of id → Map of stage → {shape, data}. */
export function runNative(job, { runner, scratch }) {
  const frames = join(scratch, "frames.bin");
  writeFrames(job, { runner, scratch, frames });
  return readFrames(new Uint8Array(readFileSync(frames)));
}

/** The same, but the stages stay in the file `frames`. */
export function writeFrames(job, { runner, scratch, frames }) {
  mkdirSync(scratch, { recursive: true });
  const requests = join(scratch, "requests.json");
  writeFileSync(requests, JSON.stringify(job));
  const done = spawnSync(runner, [requests, frames], { encoding: "utf8" });
  if (done.error) throw done.error;
  if (done.status !== 0)
    throw new Error(done.stderr.trim() || `${runner} ended with ${done.status ?? done.signal}`);
}

function readFrames(bytes) {
  const results = new Map();
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(10, at);
    const frame = JSON.parse(new TextDecoder().decode(bytes.subarray(at, end)));
    const data = typedArray(frame.dtype, bytes.subarray(end + 1, end + 1 + frame.bytes));
    if (!results.has(frame.id)) results.set(frame.id, new Map());
    results.get(frame.id).set(frame.stage, { shape: frame.shape, data });
    at = end + 1 + frame.bytes;
  }
  return results;
}
