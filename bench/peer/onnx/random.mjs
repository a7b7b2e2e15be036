// Numbers for weights whose values do not matter: speed does not depend on them, as long as they stay ordinary numbers. A block of
// random bytes is made once and repeated, from another place each time.
const BLOCK = 1 << 20;

function randomWords(count, seed) {
  const out = new Uint32Array(count);
  let state = seed >>> 0 || 1;
  for (let i = 0; i < count; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    out[i] = state >>> 0;
  }
  return out;
}

const words = randomWords(BLOCK / 4, 20241121);
const bytes = Buffer.from(words.buffer);
const floats = new Map(); // sigma → a block of normal numbers

// The sum of four uniform numbers is near enough to a normal one.
function floatBlock(sigma) {
  if (!floats.has(sigma)) {
    const block = new Float32Array(BLOCK / 4);
    const scale = (sigma * Math.sqrt(3 / 4)) / 2 ** 7;
    for (let i = 0; i < block.length; i++) {
      const word = words[i];
      block[i] =
        ((word & 255) + ((word >>> 8) & 255) + ((word >>> 16) & 255) + (word >>> 24) - 510) * scale;
    }
    floats.set(sigma, Buffer.from(block.buffer));
  }
  return floats.get(sigma);
}

let turn = 0;
function repeated(block, length, unit) {
  turn = (turn + 7919) % (BLOCK / unit);
  const start = turn * unit;
  return {
    length,
    *pieces() {
      for (let done = 0, from = start; done < length; from = 0) {
        const piece = block.subarray(from, Math.min(BLOCK, from + length - done));
        done += piece.length;
        yield piece;
      }
    },
  };
}

/** `count` bytes, each value as likely. */
export const randomBytes = (count) => repeated(bytes, count, 1);

/** `count` float32 of standard deviation `sigma`. */
export const randomFloats = (count, sigma) => repeated(floatBlock(sigma), 4 * count, 4);

/** Standard deviation of a byte, and of half a byte, of `randomBytes`. */
export const BYTE_SIGMA = 73.9;
export const NIBBLE_SIGMA = 4.61;
