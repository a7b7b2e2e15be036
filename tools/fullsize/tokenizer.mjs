// A tokenizer.json of any size in upstream's older shape, with made-up words of many scripts. Its character map is that of
// XLM-RoBERTa (nmt_nfkc), taken from the golden set's tokenizer.
import { readFileSync } from "node:fs";
import { Random } from "./random.mjs";

const GOLDEN = new URL("../../tests/data/golden-a/tokenizer.json", import.meta.url);
const MARK = "\u2581";

// Blocks of letters: first and last code point, and how many shares of the words are made of them.
const SCRIPTS = [
  [0x61, 0x7a, 8],
  [0xdf, 0x17f, 3],
  [0x41, 0x5a, 2],
  [0x3b1, 0x3c9, 2],
  [0x430, 0x45f, 4],
  [0x561, 0x586, 1],
  [0x5d0, 0x5ea, 1],
  [0x621, 0x64a, 3],
  [0x905, 0x94d, 2],
  [0x985, 0x9cd, 1],
  [0xa05, 0xa4d, 1],
  [0xa85, 0xacd, 1],
  [0xb85, 0xbcd, 1],
  [0xc05, 0xc4d, 1],
  [0xc85, 0xccd, 1],
  [0xd05, 0xd4d, 1],
  [0xd85, 0xddf, 1],
  [0xe01, 0xe4e, 1],
  [0xe81, 0xecd, 1],
  [0x1000, 0x103f, 1],
  [0x10d0, 0x10f0, 1],
  [0x1200, 0x135a, 1],
  [0x1780, 0x17d3, 1],
  [0x3041, 0x3093, 1],
  [0x30a1, 0x30fc, 2],
  [0x4e00, 0x9fa5, 6],
  [0xac00, 0xd7a3, 3],
];
const OTHERS = [
  [0x21, 0x2f],
  [0x30, 0x40],
  [0x5b, 0x60],
  [0x7b, 0x7e],
  [0x2010, 0x2027],
  [0x3001, 0x3011],
  [0x1f300, 0x1f64f],
  [0x1f680, 0x1f6ff],
  [0x1f900, 0x1f9ff],
];
const WORDS_WITHOUT_SPACES = new Set([0x3041, 0x30a1, 0x4e00, 0xe01, 0xe81, 0x1000, 0x1780]);

const special = (id, content, lstrip = false) => ({
  id,
  content,
  single_word: false,
  lstrip,
  rstrip: false,
  normalized: false,
  special: true,
});

/** The text of a tokenizer.json with `size` ids: <s> <pad> </s> <unk>, size - 5 pieces, <mask>. */
export function tokenizerJson(size, seed) {
  const { normalizer, pre_tokenizer, post_processor, decoder } = JSON.parse(
    readFileSync(GOLDEN, "utf8"),
  );
  const pieces = makePieces(size - 5, new Random(seed, "tokenizer"));
  // Scores fall with the rank as in a trained vocabulary; float32, like upstream's.
  const scored = pieces.map((piece, rank) => [piece, Math.fround(-2.5 - Math.log(rank + 1))]);
  const vocab = [["<s>", 0], ["<pad>", 0], ["</s>", 0], ["<unk>", 0], ...scored, ["<mask>", 0]];
  return JSON.stringify(
    {
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: [
        special(0, "<s>"),
        special(1, "<pad>"),
        special(2, "</s>"),
        special(3, "<unk>"),
        special(size - 1, "<mask>", true),
      ],
      normalizer,
      pre_tokenizer,
      post_processor,
      decoder,
      model: { type: "Unigram", unk_id: 3, vocab },
    },
    null,
    1,
  );
}

/** The two small files of a tokenizer that the engine does not read, but upstream's folder has. */
export function tokenizerSideFiles(size) {
  const entry = ({ content, lstrip, normalized, rstrip, single_word, special }) => ({
    content,
    lstrip,
    normalized,
    rstrip,
    single_word,
    special,
  });
  const tokens = { 0: "<s>", 1: "<pad>", 2: "</s>", 3: "<unk>", [size - 1]: "<mask>" };
  const map = Object.fromEntries(
    Object.entries({ bos: 0, cls: 0, eos: 2, mask: size - 1, pad: 1, sep: 2, unk: 3 }).map(
      ([name, id]) => [`${name}_token`, tokens[id]],
    ),
  );
  return {
    "tokenizer_config.json": {
      added_tokens_decoder: Object.fromEntries(
        Object.entries(tokens).map(([id, content]) => [
          id,
          entry(special(+id, content, content === "<mask>")),
        ]),
      ),
      ...map,
      clean_up_tokenization_spaces: true,
      model_max_length: 8194,
      tokenizer_class: "XLMRobertaTokenizer",
    },
    "special_tokens_map.json": Object.fromEntries(
      Object.entries(map).map(([name, content]) => [
        name,
        {
          content,
          lstrip: content === "<mask>",
          normalized: false,
          rstrip: false,
          single_word: false,
        },
      ]),
    ),
  };
}

/** `count` different pieces, the likeliest first. */
function makePieces(count, random) {
  const letters = SCRIPTS.map(([first, last]) =>
    range(first, last).filter((c) => /[\p{L}\p{M}]/u.test(c) && c.normalize("NFKC") === c),
  );
  const others = OTHERS.flatMap(([first, last]) => range(first, last)).filter(
    (c) => c.normalize("NFKC") === c,
  );
  // Single characters first: as many as there is room for, of all scripts in turn, so that every script can be spelled.
  const pieces = new Set([MARK]);
  const longest = Math.max(...letters.map((list) => list.length));
  const room = Math.floor(count / 2);
  for (const c of others.slice(0, room / 4)) pieces.add(c);
  for (let i = 0; i < longest && pieces.size < room; i++) {
    for (const list of letters) if (i < list.length && pieces.size < room) pieces.add(list[i]);
  }
  const shares = SCRIPTS.flatMap(([, , share], script) => Array(share).fill(script));
  while (pieces.size < count) {
    const script = shares[random.below(shares.length)],
      list = letters[script];
    // Some letters are common: the square of an even number leans to the front of the list.
    const letter = () => list[Math.floor((random.below(1 << 16) / (1 << 16)) ** 2 * list.length)];
    const short = list.length > 1000;
    const length = short ? 2 + random.below(2) : 2 + random.below(6);
    const word = Array.from({ length }, letter).join("").normalize("NFKC");
    pieces.add(
      !WORDS_WITHOUT_SPACES.has(SCRIPTS[script][0]) && random.below(2) === 0 ? MARK + word : word,
    );
  }
  return [...pieces];
}

const range = (first, last) =>
  Array.from({ length: last - first + 1 }, (_, i) => String.fromCodePoint(first + i));
