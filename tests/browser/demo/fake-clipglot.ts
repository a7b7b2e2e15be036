// Stands in for the package in tests of the page alone: it knows the gallery's names instead of a model, so that
// layout, keyboard, progress and failures are tested without the engine. Never part of what is served or built.
//
// Address parameters: failLoads=N (the first N loads fail), loadMs, imageMs, textMs (time each takes).

export type Variant = "simd" | "relaxed-simd" | "simd-threads" | "relaxed-simd-threads";

export class EmbedError extends Error {
  readonly code: string;
  readonly detail: string;
  constructor(code: string, detail: string) {
    super(`${code}: ${detail}`);
    this.code = code;
    this.detail = detail;
  }
}

const fullDimensions = 192;
const parameters = new URLSearchParams(location.search);
const setting = (name: string) => Number(parameters.get(name) ?? 0);
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
let loads = 0;

interface Concept { emoji: string; names: string[]; vector: Float32Array }

/** Deterministic noise from a string: FNV-1a, then a linear congruential sequence. */
function noise(text: string): Float32Array {
  let state = 2166136261;
  for (const character of text) state = Math.imul(state ^ character.codePointAt(0)!, 16777619);
  return Float32Array.from({ length: fullDimensions }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 31;
  });
}

function unit(vector: Float32Array): Float32Array {
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}

function blend(parts: readonly Float32Array[]): Float32Array {
  return unit(Float32Array.from({ length: fullDimensions }, (_, i) => parts.reduce((sum, part) => sum + part[i]!, 0)));
}

/** Size and last bytes, among them a PNG's last checksum: enough to know a picture of the gallery again. */
async function fingerprint(blob: Blob): Promise<string> {
  const bytes = new Uint8Array(await blob.slice(-64).arrayBuffer());
  return `${blob.size}:${bytes.reduce((sum, byte, i) => (Math.imul(sum, 31) + byte + i) | 0, 7)}`;
}

export async function load(options: { model: URL | string; onProgress?: (event: object) => void }) {
  const steps = 10;
  const total = 7_912_448;
  for (let i = 1; i <= steps; i++) {
    await sleep(setting("loadMs") / steps);
    const loaded = Math.round((total * i) / steps);
    options.onProgress?.({ status: "progress_total", name: "emoji", file: "", loaded, total, progress: (100 * loaded) / total, fromCache: false });
    if (i === steps / 2 && ++loads <= setting("failLoads")) throw new EmbedError("network", `${options.model}manifest.json: 404 Not Found`);
  }
  const { pictures } = await (await fetch("gallery/gallery.json")).json() as { pictures: { emoji: string; file: string; names: Record<string, string> }[] };
  const byPrint = new Map<string, Concept>();
  const concepts = await Promise.all(pictures.map(async ({ emoji, file, names }) => {
    const concept = { emoji, names: Object.values(names).map((name) => name.toLowerCase()), vector: unit(noise(emoji)) };
    byPrint.set(await fingerprint(await (await fetch(`gallery/${file}`)).blob()), concept);
    return concept;
  }));
  return new Embedder(concepts, byPrint);
}

export class Embedder {
  readonly info = {
    modelId: "fake-emoji", towers: ["text", "vision"], variant: "simd" as Variant, threads: 1, dtype: "q8", license: "Apache-2.0",
    dimensions: [32, 64, 128, 192], fullDimensions, maxTokens: 512, numerics: "fake", imageSize: 64,
  };
  readonly #concepts: readonly Concept[];
  readonly #byPrint: ReadonlyMap<string, Concept>;

  constructor(concepts: readonly Concept[], byPrint: ReadonlyMap<string, Concept>) {
    this.#concepts = concepts;
    this.#byPrint = byPrint;
  }

  async embedText(text: string, options: { signal?: AbortSignal } = {}) {
    await sleep(setting("textMs"));
    options.signal?.throwIfAborted();
    return { vector: this.#text(text), dimensions: fullDimensions, tokens: 2 + [...text].length, totalTokens: 2 + [...text].length, truncated: false, milliseconds: 1 };
  }

  async embedTexts(texts: readonly string[]) {
    await sleep(setting("textMs"));
    const rows = texts.map((text) => this.#text(text));
    return { count: rows.length, row: (i: number) => rows[i]! };
  }

  async embedImage(image: Blob) {
    await sleep(setting("imageMs"));
    return { vector: await this.#image(image), dimensions: fullDimensions };
  }

  async embedImages(images: readonly Blob[]) {
    await sleep(setting("imageMs") * images.length);
    const rows = await Promise.all(images.map((image) => this.#image(image)));
    return { count: rows.length, row: (i: number) => rows[i]! };
  }

  async createIndex({ dimensions }: { dimensions: number }) {
    const vectors = new Map<string, Float32Array>();
    return {
      add: async (items: Iterable<{ id: string; vector: Float32Array }>) => {
        for (const { id, vector } of items) {
          if (vector.length !== dimensions) throw new EmbedError("invalid-argument", `${vector.length} numbers, ${dimensions} expected`);
          vectors.set(id, vector);
        }
      },
      clear: async () => vectors.clear(),
      search: async (query: Float32Array, { k }: { k: number }) =>
        Array.from(vectors, ([id, vector]) => ({ id, score: vector.reduce((sum, value, i) => sum + value * query[i]!, 0) }))
          .sort((a, b) => b.score - a.score).slice(0, k),
    };
  }

  #text(text: string): Float32Array {
    const wanted = text.trim().toLowerCase();
    const exact = this.#concepts.filter(({ names }) => names.includes(wanted));
    const partly = this.#concepts.filter(({ names }) => names.some((name) => name.includes(wanted)));
    const parts = [...exact, ...exact, ...partly].map(({ vector }) => vector);
    return blend([...parts, unit(noise(wanted)).map((value) => value * 0.6)]);
  }

  async #image(image: Blob): Promise<Float32Array> {
    const known = this.#byPrint.get(await fingerprint(image));
    if (known) return known.vector;
    try {
      (await createImageBitmap(image)).close();
    } catch {
      throw new EmbedError("invalid-image", "no known picture format");
    }
    return unit(noise(await fingerprint(image)));
  }
}

export type VectorIndex = Awaited<ReturnType<Embedder["createIndex"]>>;
