// The native fuzz targets (tests/fuzz/native/<name>_fuzz.cc): how long their inputs may be, how often `npm test` runs each,
// and words that libFuzzer would not find by chance.

const latin1 = (...words) => words.map((word) => Buffer.from(word, "latin1"));

const json = latin1(
  '"',
  '":',
  "{}",
  "[]",
  "null",
  "true",
  "false",
  "-1",
  "0",
  "1e9",
  "0.5",
  "18446744073709551616",
  "\\u0000",
);

// Keys and short strings of JSON seeds, with their quotes.
function jsonWords(seeds) {
  const words = new Set();
  const visit = (value) => {
    if (typeof value === "string" && value.length <= 40) words.add(JSON.stringify(value));
    else if (Array.isArray(value)) value.slice(0, 40).forEach(visit);
    else if (value !== null && typeof value === "object") {
      for (const [key, member] of Object.entries(value)) {
        words.add(JSON.stringify(key));
        visit(member);
      }
    }
  };
  for (const seed of seeds) {
    const text = seed.toString("utf8");
    for (const part of text.slice(text.search(/[{[]/)).split("\0"))
      if (part) visit(JSON.parse(part));
  }
  return [...json, ...[...words].map((word) => Buffer.from(word))];
}

const u16be = (value) => Buffer.from([value >> 8, value & 255]);
const jpegMarkers = [
  0xc0, 0xc1, 0xc2, 0xc4, 0xc9, 0xca, 0xcc, 0xd0, 0xd7, 0xd8, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xe0,
  0xe1, 0xee, 0xfe,
].map((marker) => Buffer.from([0xff, marker]));

/** Target → { maxBytes, runs, words(seeds) }. `runs` together take about a minute. */
export const targets = {
  jpeg: {
    maxBytes: 4096,
    runs: 4000,
    words: () => [
      ...jpegMarkers,
      ...latin1("JFIF\0", "Exif\0\0", "Adobe\0", "http://ns.adobe.com/xap/1.0/\0"),
    ],
  },
  png: {
    maxBytes: 4096,
    runs: 8000,
    words: () =>
      latin1(
        "IHDR",
        "PLTE",
        "IDAT",
        "IEND",
        "tRNS",
        "eXIf",
        "iTXt",
        "zTXt",
        "tEXt",
        "acTL",
        "fdAT",
        "XML:com.adobe.xmp",
        "Raw profile type exif\0",
      ),
  },
  gif: {
    maxBytes: 4096,
    runs: 25000,
    words: () =>
      latin1("GIF87a", "GIF89a", "\x21\xf9\x04", "\x21\xff\x0bNETSCAPE2.0", "\x2c", "\x3b"),
  },
  bmp: {
    maxBytes: 4096,
    runs: 40000,
    words: () =>
      latin1(
        "BM",
        "\x0c\0\0\0",
        "\x28\0\0\0",
        "\x6c\0\0\0",
        "\x7c\0\0\0",
        "\0\0",
        "\0\x01",
        "\0\x02",
      ),
  },
  exif: {
    maxBytes: 2048,
    runs: 200000,
    words: () => [
      ...latin1(
        "II*\0",
        "MM\0*",
        "Exif\0\0",
        "tiff:Orientation",
        'tiff:Orientation="',
        "<tiff:Orientation>",
      ),
      u16be(0x0112),
      Buffer.from([0x12, 0x01]),
    ],
  },
  safetensors: {
    maxBytes: 4096,
    runs: 40000,
    words: (seeds) => jsonWords(seeds.map((seed) => seed.subarray(16))),
  },
  manifest: { maxBytes: 16384, runs: 4000, words: jsonWords },
  config: { maxBytes: 8192, runs: 15000, words: jsonWords },
  tokenizer_json: { maxBytes: 8192, runs: 8000, words: jsonWords },
  sentencepiece: {
    maxBytes: 8192,
    runs: 8000,
    words: () => latin1("<s>", "</s>", "<unk>", "\xe2\x96\x81"),
  },
  charsmap: { maxBytes: 4096, runs: 30000, words: () => latin1("\0\0\0\x80", "\xe2\x96\x81\0") },
  text: {
    maxBytes: 512,
    runs: 8000,
    words: () =>
      latin1(
        "<s>",
        "</s>",
        "<mask>",
        "<unk>",
        "\xe2\x96\x81",
        "\xcc\x81",
        "\xe2\x80\x8d",
        "\xe3\x80\x80",
        "\xef\xbf\xbd",
      ),
  },
};

/** A word as libFuzzer's dictionaries write it. */
export const dictionaryLine = (word) =>
  `"${[...word].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("")}"\n`;
