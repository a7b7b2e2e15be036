// Some threads with an engine each; work goes to whoever is free.
import { Worker } from "node:worker_threads";

export class EnginePool {
  #workers;
  #next = 0;
  #waiting = new Map();

  constructor({ threads = 2, variant = "simd" } = {}) {
    this.#workers = Array.from({ length: threads }, () => {
      const worker = new Worker(new URL("./engine-worker.mjs", import.meta.url), {
        workerData: { variant },
      });
      worker.on("message", ({ id, value, error }) => {
        const { resolve, reject } = this.#waiting.get(id);
        this.#waiting.delete(id);
        if (error) reject(new Error(error));
        else resolve(value);
      });
      worker.on("error", (error) => {
        for (const { reject } of this.#waiting.values()) reject(error);
      });
      return worker;
    });
  }

  #call(worker, call, args) {
    return new Promise((resolve, reject) => {
      this.#waiting.set(++this.#next, { resolve, reject });
      worker.postMessage({ id: this.#next, call, args });
    });
  }

  /** The same call in every thread; gives the first one's answer. */
  async all(call, args) {
    return (await Promise.all(this.#workers.map((worker) => this.#call(worker, call, args))))[0];
  }

  /** One call for each of `list`; gives the answers in order. */
  async map(call, list, onDone = () => {}) {
    const out = new Array(list.length);
    let next = 0;
    await Promise.all(
      this.#workers.map(async (worker) => {
        while (next < list.length) {
          const i = next++;
          out[i] = await this.#call(worker, call, list[i]);
          onDone(i);
        }
      }),
    );
    return out;
  }

  /** Loads the model at `place` ({folder} or {files}, as openEngine takes them) in every thread; gives the engine's account of itself. */
  open(place, dtype) {
    return this.all("open", { place, dtype });
  }

  /** Vectors of texts, or of pictures given as bytes [n, side, side, 3], in order. */
  async texts(texts) {
    return joined(
      await this.map(
        "texts",
        slices(texts, 200).map((part) => ({ texts: part })),
      ),
    );
  }

  async pictures(rgb, side) {
    return joined(
      await this.map(
        "pictures",
        slices(rgb, 100 * side * side * 3).map((part) => ({ rgb: part, side })),
      ),
    );
  }

  async close() {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}

function slices(list, size) {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, i) =>
    list.slice(i * size, (i + 1) * size),
  );
}

function joined(parts) {
  const out = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
