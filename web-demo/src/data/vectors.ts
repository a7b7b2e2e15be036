// A Matryoshka vector is truncated first and normalised afterwards; the order matters.

/** A vector truncated to `dimensions`, normalised again. */
export function shorten(vector: Float32Array, dimensions: number): Float32Array {
  const cut = vector.slice(0, dimensions);
  let squares = 0;
  for (const value of cut) squares += value * value;
  const length = Math.sqrt(squares);
  return length > 0 ? cut.map((value) => value / length) : cut;
}
