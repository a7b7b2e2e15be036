// Small assertions for code that runs in Node and in pages alike.

export function ok(condition, message) {
  if (!condition) throw new Error(message);
}

export function equal(actual, expected, what = "value") {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${what}: ${a}, expected ${b}`);
}

export function matches(text, pattern, what = "text") {
  if (!pattern.test(text))
    throw new Error(`${what}: ${JSON.stringify(text)} does not match ${pattern}`);
}

/** Largest distance of two vectors, number by number. */
export function distance(a, b) {
  ok(a.length === b.length && a.length > 0, `lengths ${a.length} and ${b.length}`);
  let most = 0;
  for (let i = 0; i < a.length; i++)
    most = Math.max(most, Math.abs(a[i] - b[i])) || (Number.isNaN(a[i] - b[i]) ? NaN : most);
  return most;
}

export function close(a, b, limit, what) {
  const found = distance(a, b);
  if (!(found <= limit)) throw new Error(`${what}: ${found} apart, at most ${limit} allowed`);
}

/** Equal in every bit. */
export function identical(a, b, what) {
  ok(a.length === b.length, `${what}: lengths ${a.length} and ${b.length}`);
  const [x, y] = [a, b].map((v) => new Uint8Array(v.buffer, v.byteOffset, v.byteLength));
  const place = x.findIndex((byte, i) => byte !== y[i]);
  ok(place < 0, `${what}: differ in number ${place >> 2}: ${a[place >> 2]} and ${b[place >> 2]}`);
}

export function cosine(a, b) {
  let [dot, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    dot += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return dot / Math.sqrt(aa * bb);
}

/** What `promise` rejects with; fails when it does not. */
export async function rejection(promise) {
  let value;
  try {
    value = await promise;
  } catch (error) {
    return error;
  }
  throw new Error(`did not reject, but gave ${JSON.stringify(value)}`);
}

/** `promise` must reject with an EmbedError of this code whose detail matches. Gives the error. */
export async function fails(promise, code, detail = /./) {
  const error = await rejection(promise);
  if (error?.name !== "EmbedError") throw error;
  ok(new RegExp(`^(${code})$`).test(error.code), `code of "${error.message}", expected ${code}`);
  matches(error.detail, detail, "detail");
  return error;
}
