// SHA-256 (FIPS 180-4) of bytes that come in pieces, with a state that can be kept and continued by another process: the
// platform's own hashes take everything at once (WebCrypto) or keep their state to themselves (node:crypto).

/** Of a hash that is not finished. Plain values, for JSON. */
export interface HashState {
  /** Bytes so far. */
  readonly bytes: number;
  /** The eight words after the last whole block. */
  readonly words: readonly number[];
  /** The bytes after it, fewer than 64. */
  readonly rest: readonly number[];
}

const blockBytes = 64;

// The first 32 bits of the fractional parts of the cube roots (round constants) and square roots (start) of the first primes.
const { constants, start } = (() => {
  const primes: number[] = [];
  for (let n = 2; primes.length < 64; n++)
    if (primes.every((prime) => n % prime !== 0)) primes.push(n);
  const fraction = (root: number) => Math.floor((root - Math.floor(root)) * 2 ** 32);
  return {
    constants: Int32Array.from(primes, (prime) => fraction(Math.cbrt(prime)) | 0),
    start: Int32Array.from(primes.slice(0, 8), (prime) => fraction(Math.sqrt(prime)) | 0),
  };
})();

/** Adds `blocks`, a multiple of 64 bytes, to the eight words of a state. */
export type HashBlocks = (words: Int32Array<ArrayBuffer>, blocks: Uint8Array) => void;

export class IncrementalSha256 {
  #bytes = 0;
  readonly #words = Int32Array.from(start);
  readonly #rest = new Uint8Array(blockBytes);
  /** May be replaced at any time, by something faster. */
  hashBlocks: HashBlocks = hashInScript;

  /** `state`: of `save`. Nothing when it is not one. */
  static restore(state: HashState): IncrementalSha256 | undefined {
    const { bytes, words, rest } = state;
    if (!Number.isSafeInteger(bytes) || bytes < 0) return undefined;
    if (!Array.isArray(words) || words.length !== 8 || !words.every(Number.isInteger))
      return undefined;
    if (!Array.isArray(rest) || rest.length !== bytes % blockBytes) return undefined;
    const hash = new IncrementalSha256();
    hash.#bytes = bytes;
    hash.#words.set(words);
    hash.#rest.set(rest as number[]);
    return hash;
  }

  get bytes(): number {
    return this.#bytes;
  }

  save(): HashState {
    return {
      bytes: this.#bytes,
      words: [...this.#words],
      rest: [...this.#rest.subarray(0, this.#bytes % blockBytes)],
    };
  }

  update(piece: Uint8Array): void {
    let at = 0;
    const filled = this.#bytes % blockBytes;
    this.#bytes += piece.length;
    if (filled > 0) {
      at = Math.min(blockBytes - filled, piece.length);
      this.#rest.set(piece.subarray(0, at), filled);
      if (filled + at < blockBytes) return;
      this.hashBlocks(this.#words, this.#rest);
    }
    const end = piece.length - ((piece.length - at) % blockBytes);
    this.hashBlocks(this.#words, piece.subarray(at, end));
    this.#rest.set(piece.subarray(end));
  }

  /** 64 hexadecimal digits. No more may be added then. */
  digest(): string {
    const bits = this.#bytes * 8;
    const filled = this.#bytes % blockBytes;
    const end = new Uint8Array(filled < 56 ? blockBytes : 2 * blockBytes);
    end.set(this.#rest.subarray(0, filled));
    end[filled] = 0x80;
    const view = new DataView(end.buffer);
    view.setUint32(end.length - 8, Math.floor(bits / 2 ** 32));
    view.setUint32(end.length - 4, bits % 2 ** 32);
    this.hashBlocks(this.#words, end);
    return Array.from(this.#words, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  }
}

const schedule = new Int32Array(64);

function hashInScript(h: Int32Array, bytes: Uint8Array): void {
  const w = schedule;
  let [h0, h1, h2, h3, h4, h5, h6, h7] = h as unknown as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  for (let at = 0; at < bytes.length; at += blockBytes) {
    for (let i = 0, p = at; i < 16; i++, p += 4)
      w[i] =
        ((bytes[p] as number) << 24) |
        ((bytes[p + 1] as number) << 16) |
        ((bytes[p + 2] as number) << 8) |
        (bytes[p + 3] as number);
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15] as number;
      const y = w[i - 2] as number;
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      w[i] = ((w[i - 16] as number) + s0 + (w[i - 7] as number) + s1) | 0;
    }
    let [a, b, c, d, e, f, g, k] = [h0, h1, h2, h3, h4, h5, h6, h7];
    for (let i = 0; i < 64; i++) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const t1 = (k + s1 + ((e & f) ^ (~e & g)) + (constants[i] as number) + (w[i] as number)) | 0;
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      k = g;
      g = f;
      f = e;
      e = (d + t1) | 0;
      d = c;
      c = b;
      b = a;
      a = (t1 + t2) | 0;
    }
    h0 = (h0 + a) | 0;
    h1 = (h1 + b) | 0;
    h2 = (h2 + c) | 0;
    h3 = (h3 + d) | 0;
    h4 = (h4 + e) | 0;
    h5 = (h5 + f) | 0;
    h6 = (h6 + g) | 0;
    h7 = (h7 + k) | 0;
  }
  h.set([h0, h1, h2, h3, h4, h5, h6, h7]);
}
