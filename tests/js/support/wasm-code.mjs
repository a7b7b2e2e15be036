// Reads the instructions of a WebAssembly module (binary format, core specification 2.0 §5.4, with threads and relaxed
// SIMD): enough to say which ones it holds. Throws on what it does not know, so that nothing is passed over.

/** Counts of prefixed instructions in the code section: Map of prefix × 0x1000 + opcode → count, and of functions. */
export function countInstructions(module) {
  const reader = new Reader(module);
  reader.at = 8; // magic, version
  const counts = new Map();
  let functions = 0;
  while (reader.at < module.length) {
    const id = reader.byte();
    const size = reader.unsigned();
    const end = reader.at + size;
    if (id === 10) {
      functions = reader.unsigned();
      for (let i = 0; i < functions; i++) readBody(reader, counts);
      if (reader.at !== end) throw new Error("the code section was read wrongly");
    }
    reader.at = end;
  }
  return { counts, functions };
}

/** f32x4.relaxed_madd and its kin: 0xfd 0x100 … 0x113. */
export function relaxedInstructions({ counts }) {
  return sum(counts, 0xfd, (opcode) => opcode >= 0x100);
}
export function simdInstructions({ counts }) {
  return sum(counts, 0xfd, (opcode) => opcode < 0x100);
}
export function atomicInstructions({ counts }) {
  return sum(counts, 0xfe, () => true);
}

const sum = (counts, prefix, wanted) =>
  [...counts]
    .filter(([key]) => key >> 12 === prefix && wanted(key & 0xfff))
    .reduce((total, [, count]) => total + count, 0);

class Reader {
  at = 0;
  constructor(bytes) {
    this.bytes = bytes;
  }
  byte() {
    if (this.at >= this.bytes.length) throw new Error("the module ends too early");
    return this.bytes[this.at++];
  }
  // LEB128; numbers above 2^53 lose digits, which nobody looks at.
  unsigned() {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.byte();
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  }
  /** Passes over `count` LEB128 numbers. */
  numbers(count) {
    for (let i = 0; i < count; i++) while (this.byte() >= 128);
  }
  /** Passes over bytes. */
  skip(bytes) {
    this.at += bytes;
  }
  /** Passes over an address immediate. */
  address() {
    const flags = this.unsigned();
    this.numbers(flags & 64 ? 2 : 1);
  }
}

function readBody(reader, counts) {
  const end = reader.unsigned() + reader.at;
  for (let groups = reader.unsigned(); groups > 0; groups--) reader.numbers(2); // locals: count, type
  while (reader.at < end) readInstruction(reader, counts);
  if (reader.at !== end) throw new Error("a function body was read wrongly");
}

function readInstruction(reader, counts) {
  const opcode = reader.byte();
  if (opcode >= 0xfc) return readPrefixed(reader, opcode, counts);
  if (
    opcode <= 0x01 ||
    opcode === 0x05 ||
    opcode === 0x0b ||
    opcode === 0x0f ||
    opcode === 0x19 ||
    opcode === 0x1a ||
    opcode === 0x1b
  )
    return;
  if (opcode <= 0x04 || opcode === 0x06) return reader.numbers(1); // block, loop, if, try: a type
  if (opcode >= 0x07 && opcode <= 0x0d) return reader.numbers(1);
  if (opcode === 0x0e) return reader.numbers(reader.unsigned() + 1); // br_table
  if (opcode === 0x10 || opcode === 0x12 || opcode === 0x18) return reader.numbers(1);
  if (opcode === 0x11 || opcode === 0x13) return reader.numbers(2);
  if (opcode === 0x1c) return reader.numbers(reader.unsigned());
  if (opcode >= 0x20 && opcode <= 0x26) return reader.numbers(1);
  if (opcode >= 0x28 && opcode <= 0x3e) return reader.address();
  if (opcode >= 0x3f && opcode <= 0x42) return reader.numbers(1);
  if (opcode === 0x43) return reader.skip(4);
  if (opcode === 0x44) return reader.skip(8);
  if (opcode >= 0x45 && opcode <= 0xc4) return;
  if (opcode === 0xd0 || opcode === 0xd2) return reader.numbers(1);
  if (opcode === 0xd1) return;
  throw new Error(`unknown opcode 0x${opcode.toString(16)}`);
}

function readPrefixed(reader, prefix, counts) {
  const opcode = reader.unsigned();
  const key = (prefix << 12) + opcode;
  counts.set(key, (counts.get(key) ?? 0) + 1);
  if (prefix === 0xfc) {
    if (opcode <= 7) return;
    const numbers = [2, 1, 2, 1, 2, 1, 2, 1, 1, 1][opcode - 8];
    if (numbers !== undefined) return reader.numbers(numbers);
  } else if (prefix === 0xfd) {
    if (opcode <= 11 || opcode === 92 || opcode === 93) return reader.address();
    if (opcode === 12 || opcode === 13) return reader.skip(16); // a constant, a shuffle
    if (opcode >= 21 && opcode <= 34) return reader.skip(1); // a lane
    if (opcode >= 84 && opcode <= 91) {
      reader.address();
      return reader.skip(1);
    }
    if (opcode <= 0x113) return;
  } else if (prefix === 0xfe) {
    if (opcode === 3) return reader.skip(1);
    if (opcode <= 0x4e) return reader.address();
  }
  throw new Error(`unknown opcode 0x${prefix.toString(16)} 0x${opcode.toString(16)}`);
}
