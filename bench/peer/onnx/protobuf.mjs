// Protocol-buffer messages, written piece by piece: a model of a gigabyte is never in memory as a whole.
//
// A part is a Buffer, or { length, *pieces() } for bytes that are made when they are written. A field is a list of parts, so that
// a message knows its length before its bytes exist.

const VARINT = 0,
  BYTES = 2,
  FIXED32 = 5;

/** The bytes of an unsigned integer below 2^53, or of a negative one as protobuf writes int64. */
export function varint(value) {
  const out = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    out.push(rest === 0n ? low : low | 0x80);
  } while (rest !== 0n);
  return Buffer.from(out);
}

const tag = (number, wire) => varint(number * 8 + wire);

export const lengthOf = (parts) => parts.reduce((sum, part) => sum + part.length, 0);

export const integer = (number, value) => [tag(number, VARINT), varint(value)];

export function float(number, value) {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return [tag(number, FIXED32), bytes];
}

export const string = (number, value) => message(number, [Buffer.from(value)]);

/** A field that holds a message or raw bytes: `parts` are its content. */
export const message = (number, parts) => [tag(number, BYTES), varint(lengthOf(parts)), ...parts];

/** The bytes of `parts` in order, as Buffers. */
export function* bytesOf(parts) {
  for (const part of parts) {
    if (Buffer.isBuffer(part)) yield part;
    else yield* part.pieces();
  }
}
