// Random numbers that are the same everywhere: a generator of integers, and a table that turns them into normal numbers.

/** xoshiro128++ (Blackman and Vigna). The same `seed` and `name` give the same numbers. */
export class Random {
  constructor(seed, name) {
    // FNV-1a of both, spread over the state by a mixer (the finaliser of MurmurHash3).
    let hash = 0x811c9dc5;
    for (const byte of new TextEncoder().encode(`${seed}:${name}`))
      hash = Math.imul(hash ^ byte, 0x01000193);
    this.state = Int32Array.from({ length: 4 }, (_, i) => {
      let x = (hash + Math.imul(i + 1, 0x9e3779b9)) | 0;
      x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
      x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
      return x ^ (x >>> 16);
    });
  }

  /** Fills `out` (Uint32Array) with random bits. */
  fill(out) {
    let [a, b, c, d] = this.state;
    for (let i = 0; i < out.length; i++) {
      const sum = (a + d) | 0;
      out[i] = ((sum << 7) | (sum >>> 25)) + a;
      const t = b << 9;
      c ^= a;
      d ^= b;
      b ^= c;
      a ^= d;
      c ^= t;
      d = (d << 11) | (d >>> 21);
    }
    this.state.set([a, b, c, d]);
  }

  /** An integer from 0 to limit - 1, limit at most 2^20. */
  below(limit) {
    const one = new Uint32Array(1);
    this.fill(one);
    return Math.floor((one[0] / 0x100000000) * limit);
  }
}

const LEVELS = 1 << 16;

/** The 65,536 middles of equally likely slices of the normal distribution: -4.3 ... 4.3, standard deviation 1. */
function normalLevels() {
  const levels = new Float64Array(LEVELS);
  for (let i = LEVELS / 2; i < LEVELS; i++) {
    levels[i] = quantile((i + 0.5) / LEVELS);
    levels[LEVELS - 1 - i] = -levels[i];
  }
  const scale = 1 / Math.sqrt(levels.reduce((sum, x) => sum + x * x, 0) / LEVELS);
  return levels.map((x) => x * scale);
}

/** The normal distribution's quantile for p in [0.5, 1), after Abramowitz and Stegun 26.2.23 (error below 4.5e-4). */
function quantile(p) {
  const t = Math.sqrt(-2 * Math.log(1 - p));
  return (
    t -
    (2.515517 + t * (0.802853 + t * 0.010328)) /
      (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)))
  );
}

let levels;
export const standardNormal = () => (levels ??= normalLevels());

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** The nearest BF16 number, as its 16 bits; ties to even. Finite numbers only. */
export function toBf16(value) {
  float[0] = value;
  return (bits[0] + 0x7fff + ((bits[0] >>> 16) & 1)) >>> 16;
}

/** The number of 16 bits of BF16. */
export function fromBf16(half) {
  bits[0] = half << 16;
  return float[0];
}

/** Chance that a normal number of standard deviation 1 lies within -x ... x (Abramowitz and Stegun 7.1.26, error below 2e-7). */
export function within(x) {
  const t = 1 / (1 + 0.3275911 * (x / Math.SQRT2));
  const tail =
    t *
    (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return 1 - tail * Math.exp((-x * x) / 2);
}
