// A stand-in for the engine's module, with the same border (js/src/worker/engine-module.d.ts), in plain JavaScript: for
// tests of everything around the engine, and of what a real engine does only when it breaks. load({assetBase}) finds it.
//
// It wants every listed file once, in pieces of 1000 bytes. The vector of a text has 8 numbers and begins with the text's
// length. Some texts do more:
//   "fail:7"      answers with code 7        "trap"   throws as a trap does
//   "slow:50"     works for 50 ms            "late"   an error outside every call, a moment later
//   "layers:9"    has nine layers of 5 ms    "done"   the vector begins with the layers that the call before it did
// A picture of 13 bytes is damaged.
// Of many texts it takes three at once; those that do more go alone. A text of more than 20 letters is cut.
const pieceBytes = 1000;

export default async function createFakeModule(settings) {
  const memory = new WebAssembly.Memory({ initial: 64 });
  let top = 1024;
  const live = new Map();
  const allocate = (bytes) => {
    const pointer = (top + 15) & ~15;
    if (pointer + bytes > memory.buffer.byteLength) return 0;
    top = pointer + bytes;
    live.set(pointer, bytes);
    return pointer;
  };
  const release = (pointer) => {
    if (!live.delete(pointer)) throw new Error("released twice");
    if (live.size === 0) top = 1024;
  };
  const result = memory.buffer.byteLength - 4096; // where vectors leave
  const ok = { code: 0, detail: "" };
  const text = (pointer, bytes) =>
    new TextDecoder().decode(new Uint8Array(memory.buffer, pointer, bytes).slice());

  class Engine {
    #files = [];
    #place = 0; // file
    #offset = 0;
    create(options) {
      this.options = options;
      return options.maxTokens === 13 ? { code: 5, detail: "maxTokens 13 does not fit" } : ok;
    }
    addFile(path, bytes) {
      this.#files.push({ path, bytes });
    }
    beginLoad() {
      if (this.#files.some(({ path }) => path === "corrupt"))
        return { code: 4, detail: "corrupt: of course" };
      this.total = this.#files.reduce((sum, { bytes }) => sum + bytes, 0);
      this.sum = 0;
      this.#skipEmpty();
      return ok;
    }
    want() {
      const file = this.#files[this.#place];
      if (!file) return { wanted: false, file: 0, offset: 0, length: 0, hashed: false };
      return {
        wanted: true,
        file: this.#place,
        offset: this.#offset,
        length: Math.min(pieceBytes, file.bytes - this.#offset),
        hashed: false,
      };
    }
    reserve() {
      return { code: 0, detail: "", pointer: result, bytes: this.want().length };
    }
    commit() {
      const { length } = this.want();
      for (const byte of new Uint8Array(memory.buffer, result, length)) this.sum += byte;
      this.#offset += length;
      this.#skipEmpty();
      return ok;
    }
    #skipEmpty() {
      while (this.#files[this.#place] && this.#offset >= this.#files[this.#place].bytes) {
        this.#place++;
        this.#offset = 0;
      }
    }
    totalBytes() {
      return this.total;
    }
    readBytes() {
      const before = this.#files.slice(0, this.#place).reduce((sum, { bytes }) => sum + bytes, 0);
      return before + this.#offset;
    }
    ready() {
      return !this.want().wanted;
    }
    info() {
      return {
        modelId: "fake",
        revision: "1",
        license: "none",
        text: true,
        vision: true,
        dtype: this.options.dtype,
        dimensions: [4, 8],
        fullDimensions: 8,
        maxTokens: this.options.maxTokens,
        threads: settings.clipglotThreads,
        imageSize: 8,
        imageGrid: 2,
        residentBytes: this.sum,
        selfTest: this.options.selfTest, // for a test; not of the border
      };
    }
    embedText(pointer, bytes, options) {
      const given = text(pointer, bytes);
      const [word, number] = given.split(":");
      if (word === "fail")
        return {
          ...this.#vector([], options),
          code: Number(number),
          detail: `asked to fail with ${number}`,
        };
      if (word === "trap") throw new WebAssembly.RuntimeError("unreachable");
      if (word === "late")
        setTimeout(() => {
          throw new Error("a thread broke");
        }, 10);
      if (word === "slow")
        for (const end = performance.now() + Number(number); performance.now() < end; );
      if (word === "layers") {
        for (this.done = 0; this.done <= Number(number); this.done++) {
          for (const end = performance.now() + 5; performance.now() < end; );
          settings.clipglotLayer(this.done, Number(number));
          if (settings.clipglotCancelFlag && Atomics.load(settings.clipglotCancelFlag, 0) !== 0)
            return { ...this.#vector([], options), code: 10, detail: `before layer ${this.done}` };
        }
      }
      if (word === "done") return this.#vector([this.done], options);
      return this.#vector(
        [
          bytes,
          options.dimensions,
          options.maxTokens,
          options.normalizeNfc ? 1 : 0,
          options.task.length,
        ],
        options,
      );
    }
    embedTexts(pointer, count, options) {
      const lengths = new Uint32Array(memory.buffer, pointer, count).slice();
      const width = options.dimensions || 8;
      const vectors = [],
        truncated = [];
      for (let i = 0, at = pointer + 4 * count; i < Math.min(count, 3); at += lengths[i++]) {
        const alone =
          text(at, lengths[i]).includes(":") ||
          ["trap", "late", "done"].includes(text(at, lengths[i]));
        if (alone && i > 0) break;
        const one = this.embedText(at, lengths[i], options);
        if (one.code !== 0)
          return {
            code: one.code,
            detail: one.detail,
            pointer: 0,
            count: 0,
            texts: 0,
            truncated: 0,
            unknownTokens: 0,
          };
        vectors.push(...new Float32Array(memory.buffer, result, width));
        truncated.push(lengths[i] > 20 ? 1 : 0);
        if (alone) break;
      }
      new Float32Array(memory.buffer, result, vectors.length).set(vectors);
      new Uint8Array(memory.buffer, result + 2048, truncated.length).set(truncated);
      new Uint32Array(memory.buffer, result + 3072, truncated.length).fill(0);
      return {
        code: 0,
        detail: "",
        pointer: result,
        count: width,
        texts: truncated.length,
        truncated: result + 2048,
        unknownTokens: result + 3072,
      };
    }
    embedEncodedImage(pointer, bytes, options) {
      if (bytes === 0) return { ...this.#vector([], options), code: 7, detail: "no bytes" };
      if (bytes === 13) return { ...this.#vector([], options), code: 7, detail: "damaged" };
      return this.#vector(
        [bytes, new Uint8Array(memory.buffer, pointer, 1)[0], options.ignoreOrientation ? 1 : 0],
        options,
      );
    }
    embedPixels(_pointer, bytes, width, height, options) {
      return this.#vector([bytes, width, height], options);
    }
    countTokens(_pointer, bytes) {
      return { code: 0, detail: "", tokens: bytes + 2, maxTokens: this.options.maxTokens };
    }
    #vector(numbers, { dimensions }) {
      const count = dimensions || 8;
      const vector = new Float32Array(memory.buffer, result, count).fill(0);
      vector.set(numbers.slice(0, count));
      return {
        code: 0,
        detail: "",
        pointer: result,
        count,
        tokens: numbers[0] ?? 0,
        totalTokens: numbers[0] ?? 0,
        truncated: false,
        unknownTokens: 0,
        warnings: [],
      };
    }
    threadsSeen() {
      return 1;
    }
    setTracing() {}
    stageCount() {
      return 0;
    }
    stage() {}
    delete() {}
  }

  class Index {
    #rows = [];
    create(dimensions) {
      this.dimensions = dimensions;
      return ok;
    }
    add(pointer, count) {
      const values = new Float32Array(memory.buffer, pointer, count).slice();
      if (!values.every(Number.isFinite)) return { code: 1, detail: "not finite" };
      for (let at = 0; at < count; at += this.dimensions)
        this.#rows.push(values.subarray(at, at + this.dimensions));
      return ok;
    }
    search(pointer, count, k) {
      const query = new Float32Array(memory.buffer, pointer, count).slice();
      const hits = this.#rows
        .map((row, i) => [i, row.reduce((sum, value, j) => sum + value * query[j], 0)])
        .sort((a, b) => b[1] - a[1] || a[0] - b[0])
        .slice(0, k);
      new Uint32Array(memory.buffer, result, hits.length).set(hits.map(([row]) => row));
      new Float32Array(memory.buffer, result + 2048, hits.length).set(
        hits.map(([, score]) => score),
      );
      return { code: 0, detail: "", rows: result, scores: result + 2048, count: hits.length };
    }
    clear() {
      this.#rows = [];
    }
    size() {
      return this.#rows.length;
    }
    delete() {}
  }

  return {
    wasmMemory: memory,
    Engine,
    Index,
    allocate,
    release,
    allocatedBytes: () => [...live.values()].reduce((sum, bytes) => sum + bytes, 0),
  };
}
