// Stands in for the package in tests of the page alone: it knows the gallery's names instead of a model, so that
// layout, keyboard, progress and failures are tested without the engine. Never part of what is served or built.
//
// Address parameters: failLoads=N (the first N loads fail), failLoad=N (that one does), loadMs, imageMs, textMs (time each takes). A drawing is
// always a red heart. Egyptian hieroglyphs are unknown to it.

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

type Tower = "text" | "vision";
interface Concept {
  emoji: string;
  names: string[];
  vector: Float32Array;
}
interface LoadOptions {
  model: URL | readonly File[];
  towers?: readonly Tower[];
  signal?: AbortSignal;
  onProgress?: (event: object) => void;
}

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
  return unit(
    Float32Array.from({ length: fullDimensions }, (_, i) =>
      parts.reduce((sum, part) => sum + part[i]!, 0),
    ),
  );
}

/** Size and last bytes, among them a PNG's last checksum: enough to know a picture of the gallery again. */
function fingerprint(bytes: Uint8Array): string {
  return `${bytes.length}:${bytes.subarray(-64).reduce((sum, byte, i) => (Math.imul(sum, 31) + byte + i) | 0, 7)}`;
}

const fetchJson = async <T>(path: string): Promise<T> => (await (await fetch(path)).json()) as T;

async function readManifest(
  model: LoadOptions["model"],
): Promise<{ modelId: string; license: string }> {
  const text =
    model instanceof URL
      ? await (await fetch(new URL("manifest.json", model))).text()
      : await model.find(({ name }) => name === "manifest.json")!.text();
  return JSON.parse(text) as { modelId: string; license: string };
}

let known: Promise<{ concepts: Concept[]; byPrint: Map<string, Concept> }> | undefined;

async function readGallery() {
  interface Gallery {
    archives: string[];
    pictures: [string, number, number, number][];
  }
  const { archives, pictures } = await fetchJson<Gallery>("gallery/gallery.json");
  const names = await Promise.all(
    ["en", "ko"].map((language) => fetchJson<(string | null)[]>(`gallery/names/${language}.json`)),
  );
  const files = await Promise.all(
    archives.map(
      async (name) => new Uint8Array(await (await fetch(`gallery/${name}`)).arrayBuffer()),
    ),
  );
  const byPrint = new Map<string, Concept>();
  const concepts = pictures.map(([emoji, archive, offset, length], i) => {
    const concept = {
      emoji,
      names: names.flatMap((list) => list[i]?.toLowerCase() ?? []),
      vector: unit(noise(emoji)),
    };
    byPrint.set(fingerprint(files[archive]!.subarray(offset, offset + length)), concept);
    return concept;
  });
  return { concepts, byPrint };
}

export async function load({
  model,
  towers = ["text", "vision"],
  signal,
  onProgress,
}: LoadOptions) {
  const { modelId, license } = await readManifest(model);
  const steps = 10;
  const total = 7_912_448;
  for (let i = 1; i <= steps; i++) {
    await sleep(setting("loadMs") / steps);
    signal?.throwIfAborted();
    const loaded = Math.round((total * i) / steps);
    onProgress?.({
      status: "progress_total",
      name: "emoji",
      file: "",
      loaded,
      total,
      progress: (100 * loaded) / total,
      fromCache: false,
    });
    if (i === steps / 2 && (++loads <= setting("failLoads") || loads === setting("failLoad")))
      throw new EmbedError("network", `${String(model)}manifest.json: 404 Not Found`);
  }
  known ??= readGallery();
  const { concepts, byPrint } = await known;
  return new Embedder(concepts, byPrint, { modelId, license, towers });
}

let cached = [
  {
    model: "https://models.example/kept/",
    modelId: "kept-model",
    license: "MIT",
    dtype: "q8",
    bytes: 1_000_000,
    totalBytes: 2_000_000,
    towers: [] as Tower[],
  },
];
export const listCached = async () => cached;
export const deleteCached = async (model: string) => {
  cached = cached.filter((entry) => entry.model !== model);
  return true;
};

export class Embedder {
  readonly info;
  readonly #concepts: readonly Concept[];
  readonly #byPrint: ReadonlyMap<string, Concept>;

  constructor(
    concepts: readonly Concept[],
    byPrint: ReadonlyMap<string, Concept>,
    about: { modelId: string; license: string; towers: readonly Tower[] },
  ) {
    this.#concepts = concepts;
    this.#byPrint = byPrint;
    this.info = {
      ...about,
      variant: "simd" as Variant,
      threads: 1,
      dtype: "q8",
      dimensions: [32, 64, 128, 192],
      fullDimensions,
      maxTokens: 512,
      numerics: "fake",
      imageSize: 64,
      imageGrid: 4,
    };
  }

  async dispose() {}

  async embedText(text: string, options: { signal?: AbortSignal } = {}) {
    await sleep(setting("textMs"));
    options.signal?.throwIfAborted();
    return {
      vector: this.#text(text),
      dimensions: fullDimensions,
      tokens: 2 + [...text].length,
      totalTokens: 2 + [...text].length,
      truncated: false,
      unknownTokens: [...text].filter((letter) => /\p{Script=Egyptian_Hieroglyphs}/u.test(letter))
        .length,
      milliseconds: 1,
    };
  }

  async embedTexts(texts: readonly string[], options: { signal?: AbortSignal } = {}) {
    await sleep(setting("textMs"));
    options.signal?.throwIfAborted();
    const rows = texts.map((text) => this.#text(text));
    return { count: rows.length, row: (i: number) => rows[i]! };
  }

  async embedImage(image: Blob | ImageData) {
    await sleep(setting("imageMs"));
    return { vector: await this.#image(image), dimensions: fullDimensions };
  }

  async embedImages(images: readonly Blob[], options: { signal?: AbortSignal } = {}) {
    await sleep(setting("imageMs") * images.length);
    options.signal?.throwIfAborted();
    const rows = await Promise.all(images.map((image) => this.#image(image)));
    return { count: rows.length, row: (i: number) => rows[i]! };
  }

  async createIndex({ dimensions }: { dimensions: number }) {
    const vectors = new Map<string, Float32Array>();
    return {
      add: async (items: Iterable<{ id: string; vector: Float32Array }>) => {
        for (const { id, vector } of items) {
          if (vector.length !== dimensions)
            throw new EmbedError(
              "invalid-argument",
              `${vector.length} numbers, ${dimensions} expected`,
            );
          vectors.set(id, vector);
        }
      },
      clear: async () => vectors.clear(),
      search: async (query: Float32Array, { k }: { k: number }) =>
        Array.from(vectors, ([id, vector]) => ({
          id,
          score: vector.reduce((sum, value, i) => sum + value * query[i]!, 0),
        }))
          .sort((a, b) => b.score - a.score)
          .slice(0, k),
    };
  }

  #text(text: string): Float32Array {
    const wanted = text.trim().toLowerCase();
    const exact = this.#concepts.filter(({ names }) => names.includes(wanted));
    const partly = this.#concepts.filter(({ names }) =>
      names.some((name) => name.includes(wanted)),
    );
    const parts = [...exact, ...exact, ...partly].map(({ vector }) => vector);
    return blend([...parts, unit(noise(wanted)).map((value) => value * 0.6)]);
  }

  async #image(image: Blob | ImageData): Promise<Float32Array> {
    if (image instanceof ImageData) return unit(noise("❤"));
    const print = fingerprint(new Uint8Array(await image.arrayBuffer()));
    const picture = this.#byPrint.get(print);
    if (picture) return picture.vector;
    try {
      (await createImageBitmap(image)).close();
    } catch {
      throw new EmbedError("invalid-image", "no known picture format");
    }
    return unit(noise(print));
  }
}

export type VectorIndex = Awaited<ReturnType<Embedder["createIndex"]>>;
