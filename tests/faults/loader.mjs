// Whole loads with the real engine in this thread, in Node and in a browser's worker: what load() does in its own worker, with
// a retry policy that tests can shorten.
import { EngineAdapter } from "../../dist/js/worker/engine-adapter.js";
import { startModule } from "../../dist/js/worker/module.js";
import { ProgressMeter } from "../../dist/js/loading/progress-meter.js";
import { load } from "../../dist/js/loading/transfer.js";
import { openUrlSource } from "../../dist/js/loading/url-source.js";
import { Converter } from "../../dist/js/worker/convert/converter.js";
import { openHubPack } from "../../dist/js/worker/convert/hub-pack.js";

/** A thousandth of what users have, more or less. */
const retry = {
  backoffMs: [1, 1, 2, 2],
  idleTimeoutMs: 60,
  maxBackoffMs: 4,
  fallbackTimeoutMs: 60,
};
/** Where nothing goes wrong, a busy machine must not look like it. */
const calm = { ...retry, idleTimeoutMs: 30_000, fallbackTimeoutMs: 30_000 };

/** `files`: how the platform's files come. */
export async function startLoader(files) {
  const place = (name) => new URL(`../../dist/wasm/${name}`, import.meta.url).href;
  const adapter = new EngineAdapter(
    await startModule({
      moduleUrl: place("clipglot-simd.mjs"),
      wasmUrl: place("clipglot-simd.wasm"),
      threads: 1,
    }),
  );
  const pixels = Uint8Array.from({ length: 4 * 64 }, (_, i) => (i * 37) & 255);

  const startConverter = () =>
    Converter.start({
      moduleUrl: place("clipglot-convert.mjs"),
      wasmUrl: place("clipglot-convert.wasm"),
      threads: 1,
      files,
      onLost: () => {},
    });

  /** `address` or `hub`. Gives {vectors}, or {error: {name, code, detail}}; `warnings` in both. */
  return async ({ address, hub, store, towers = ["text"], isCalm = false }) => {
    const warnings = [];
    const source = { close: async () => {} };
    try {
      const options = {
        store,
        towers,
        retry: isCalm ? calm : retry,
        onNotKept: (why) => warnings.push(why),
      };
      const open = hub
        ? await openHubPack(hub, {
            ...options,
            dtype: "q8",
            startConverter,
            test: (selfTest) => adapter.testSelf(selfTest),
            onDownload: () => {},
          })
        : await openUrlSource(address, options);
      Object.assign(source, { open });
      const begin = (files) => {
        adapter.create({
          text: towers.includes("text"),
          vision: towers.includes("vision"),
          dtype: "q8",
          threads: 1,
          maxTokens: 64,
          maxPixels: 1e6,
          selfTest: true,
          unfinishedPack: source.open.isUnfinished ?? false,
        });
        return adapter.beginLoad(files);
      };
      await load(
        source.open,
        begin,
        (pointer, piece) => adapter.heap.copyIn(pointer, piece),
        new ProgressMeter("", () => {}),
      );
      const settings = {
        dimensions: 0,
        normalized: true,
        task: "",
        maxTokens: 0,
        errorWhenTooLong: false,
        normalizeNfc: false,
      };
      const vectors = towers.includes("text")
        ? [...adapter.embedText("two cats", settings).vector]
        : [];
      if (towers.includes("vision"))
        vectors.push(
          ...adapter.embedPixels(pixels, 8, 8, {
            dimensions: 0,
            normalized: true,
            ignoreOrientation: true,
            grid: 0,
            scaleGray16: false,
          }).vector,
        );
      return { vectors, warnings };
    } catch (error) {
      return {
        error: {
          name: error?.name,
          code: error?.code,
          detail: error?.detail ?? String(error?.stack ?? error),
        },
        warnings,
      };
    } finally {
      await source.open?.close();
    }
  };
}
