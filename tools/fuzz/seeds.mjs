// First inputs of the native fuzz targets, made of the files that the tests have: each as small as it may be, since
// libFuzzer tries small inputs more often and faster.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { root } from "../setup/paths.mjs";

const data = join(root, "tests/data");
const golden = join(data, "golden-a");
const emoji = join(root, "models/emoji");

const readJson = (file) => JSON.parse(readFileSync(file, "utf8"));
const jsonBytes = (value) => Buffer.from(JSON.stringify(value));

/** Files of tests/data with these endings, of at most `maxBytes`. */
function files(endings, maxBytes) {
  return readdirSync(data, { recursive: true })
    .filter((name) => endings.some((ending) => name.endsWith(ending)))
    .map((name) => join(data, name))
    .filter((file) => statSync(file).size <= maxBytes)
    .sort()
    .map((file) => readFileSync(file));
}

// A TIFF block with one orientation tag, and what else cameras write.
function tiff(orientation, { bigEndian = false, type = 3 } = {}) {
  const block = Buffer.alloc(38);
  const u16 = (value, at) => block[bigEndian ? "writeUInt16BE" : "writeUInt16LE"](value, at);
  const u32 = (value, at) => block[bigEndian ? "writeUInt32BE" : "writeUInt32LE"](value, at);
  block.write(bigEndian ? "MM" : "II", 0, "latin1");
  u16(42, 2);
  u32(8, 4);
  u16(2, 8);
  u16(0x010f, 10);
  u16(2, 12);
  u32(4, 14);
  u16(0x0112, 22);
  u16(type, 24);
  u32(1, 26);
  if (type === 4 || type === 9) u32(orientation, 30);
  else if (type === 3 || type === 8) u16(orientation, 30);
  else u32(8, 30);
  return block;
}

function exifSeeds() {
  const input = (exif, xmp) => {
    const padded = Buffer.alloc(Math.ceil(exif.length / 4) * 4);
    exif.copy(padded);
    return Buffer.concat([Buffer.from([padded.length / 4]), padded, Buffer.from(xmp)]);
  };
  const none = Buffer.alloc(0);
  const attribute =
    '<x:xmpmeta xmlns:tiff="http://ns.adobe.com/tiff/1.0/"><rdf:Description tiff:Orientation="6"/>';
  const element = "<rdf:Description><tiff:Orientation>3</tiff:Orientation></rdf:Description>";
  const seeds = [input(none, attribute), input(none, element)];
  for (const bigEndian of [false, true]) {
    for (const type of [3, 4, 5, 8, 9, 10, 11, 12])
      seeds.push(input(tiff(6, { bigEndian, type }), ""));
  }
  seeds.push(input(Buffer.concat([Buffer.from("Exif\0\0"), tiff(8)]), element));
  // What cameras wrote: the blocks of our pictures.
  for (const picture of files([".jpg", ".webp", ".png"], 1 << 14)) {
    const at = picture.indexOf("II*\0", 0, "latin1");
    if (at >= 0) seeds.push(input(picture.subarray(at, at + 400), attribute));
  }
  return seeds;
}

// The length of a whole file and its first bytes, for a header as it is in the file.
function safetensorsInput(tensors) {
  const bytesOf = { F32: 4, F16: 2, BF16: 2, I8: 1, U8: 1, I32: 4, I64: 8 };
  const header = {};
  let at = 0;
  for (const [name, dtype, shape] of tensors) {
    const bytes = shape.reduce((product, n) => product * n, bytesOf[dtype]);
    header[name] = { dtype, shape, data_offsets: [at, at + bytes] };
    at += bytes;
  }
  const text = jsonBytes(header);
  const lengths = Buffer.alloc(16);
  lengths.writeBigUInt64LE(BigInt(8 + text.length + at), 0);
  lengths.writeBigUInt64LE(BigInt(text.length), 8);
  return Buffer.concat([lengths, text]);
}

function safetensorsSeeds() {
  return [
    safetensorsInput([["a", "F32", [2, 3]]]),
    safetensorsInput([
      ["a", "F32", []],
      ["b.c", "BF16", [4]],
      ["d", "I8", [2, 0, 3]],
    ]),
    safetensorsInput([
      ["w.q8", "I8", [64, 48]],
      ["w.scale", "F32", [64]],
      ["w.q4", "U8", [64, 24]],
    ]),
    safetensorsInput([
      ["é", "F16", [1, 1, 1, 1]],
      ["x", "I64", [3]],
      ["y", "I32", [1]],
    ]),
  ];
}

// A pack's manifest without its hash, which the target computes.
function manifestSeeds() {
  return [emoji, join(emoji, "q4")].flatMap((folder) => {
    const manifest = readJson(join(folder, "manifest.json"));
    delete manifest.sha256;
    for (const shard of manifest.shards) shard.tensors &&= shard.tensors.slice(0, 2);
    const { selfTest, ...rest } = manifest;
    return selfTest ? [jsonBytes(rest), jsonBytes(manifest)] : [jsonBytes(rest)];
  });
}

function configSeeds() {
  const both = (config, preprocessor) =>
    Buffer.concat([jsonBytes(config), Buffer.from([0]), jsonBytes(preprocessor)]);
  const manifest = readJson(join(emoji, "manifest.json"));
  return [
    both(readJson(join(golden, "config.json")), readJson(join(golden, "preprocessor_config.json"))),
    both(manifest.config, manifest.preprocessor),
  ];
}

/** A character map of a few entries: a Darts double array that maps "A" to "a", then the replacements. */
function smallCharsmap() {
  // unit 0 is the root; its child for byte c is at offset ^ c, and a leaf's value at its own offset.
  const trie = new Uint32Array(512);
  const root = 256 << 10;
  trie[0] = root;
  const child = 256 ^ 0x41;
  trie[child] = 0x41 | (1 << 8) | ((child ^ 300) << 10);
  trie[child ^ (child ^ 300)] = 0x80000000;
  const blob = Buffer.alloc(4 + trie.byteLength + 2);
  blob.writeUInt32LE(trie.byteLength, 0);
  Buffer.from(trie.buffer).copy(blob, 4);
  blob.write("a\0", 4 + trie.byteLength, "latin1");
  return blob;
}

// golden-a's tokenizer with a few pieces, in both published shapes, with and without a character map.
function tokenizerJsonSeeds() {
  const whole = readJson(join(golden, "tokenizer.json"));
  const mask = whole.model.vocab.at(-1);
  const vocab = [...whole.model.vocab.slice(0, 24), mask];
  const added = whole.added_tokens.map((token) =>
    token.content === "<mask>" ? { ...token, id: vocab.length - 1 } : token,
  );
  const charsmap = {
    type: "Precompiled",
    precompiled_charsmap: smallCharsmap().toString("base64"),
  };
  const old = {
    added_tokens: added,
    normalizer: charsmap,
    pre_tokenizer: whole.pre_tokenizer,
    post_processor: whole.post_processor,
    model: { ...whole.model, vocab },
  };
  const spaces = { type: "Replace", pattern: { Regex: " {2,}" }, content: " " };
  const metaspace = { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true };
  return [
    old,
    {
      ...old,
      normalizer: { type: "Sequence", normalizers: [charsmap, spaces] },
      pre_tokenizer: metaspace,
    },
    {
      ...old,
      normalizer: {
        type: "Sequence",
        normalizers: [{ type: "Strip", strip_left: true, strip_right: true }, spaces],
      },
      pre_tokenizer: { ...metaspace, prepend_scheme: "never", split: false },
    },
  ].map(jsonBytes);
}

// The fields of a protobuf message: [number, whole field with its key, contents of a length-delimited one].
function* fields(message) {
  const varint = (from) => {
    let value = 0;
    for (let at = from; ; at++) {
      value += (message[at] & 127) * 2 ** (7 * (at - from));
      if (message[at] < 128) return [value, at + 1];
    }
  };
  for (let at = 0; at < message.length; ) {
    const begin = at;
    let key, length;
    [key, at] = varint(at);
    if ((key & 7) === 2) {
      [length, at] = varint(at);
      yield [key >> 3, message.subarray(begin, at + length), message.subarray(at, at + length)];
      at += length;
    } else {
      at = (key & 7) === 0 ? varint(at)[1] : at + ((key & 7) === 5 ? 4 : 8);
      yield [key >> 3, message.subarray(begin, at)];
    }
  }
}

// golden-a's model with a few pieces and without its character map, and the same with a small one.
function sentencepieceSeeds() {
  const whole = readFileSync(join(golden, "sentencepiece.bpe.model"));
  const PIECES = 1,
    NORMALIZER = 3,
    CHARSMAP = 2;
  const delimited = (number, bytes) => {
    const length = [];
    for (let left = bytes.length; ; left >>= 7) {
      length.push(left > 127 ? (left & 127) | 128 : left);
      if (left <= 127) break;
    }
    return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), bytes]);
  };
  const small = (charsmap) => {
    let pieces = 0;
    const out = [];
    for (const [number, field, contents] of fields(whole)) {
      if (number === PIECES && ++pieces > 24) continue;
      if (number !== NORMALIZER) {
        out.push(field);
        continue;
      }
      const parts = [...fields(contents)].filter(([n]) => n !== CHARSMAP).map(([, part]) => part);
      if (charsmap) parts.push(delimited(CHARSMAP, charsmap));
      out.push(delimited(NORMALIZER, Buffer.concat(parts)));
    }
    return Buffer.concat(out);
  };
  return [small(undefined), small(smallCharsmap())];
}

function textSeeds() {
  const { texts } = readJson(join(golden, "expected.json"));
  return texts.map(({ text }) => Buffer.from(text)).filter((bytes) => bytes.length <= 400);
}

/** Target → its first inputs. */
export const seeds = {
  jpeg: (maxBytes) => files([".jpg"], maxBytes),
  png: (maxBytes) => files([".png"], maxBytes),
  gif: (maxBytes) => files([".gif"], maxBytes),
  bmp: (maxBytes) => files([".bmp"], maxBytes),
  exif: exifSeeds,
  safetensors: safetensorsSeeds,
  manifest: manifestSeeds,
  config: configSeeds,
  tokenizer_json: tokenizerJsonSeeds,
  sentencepiece: sentencepieceSeeds,
  charsmap: () => [smallCharsmap()],
  text: textSeeds,
};
