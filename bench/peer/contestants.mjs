// The two systems behind one face. Runs in the page and in Node: imports nothing, and all that it needs arrives as an argument.
//
// A contestant is { loadMs, prepare(case), run(case) → { ms, norms } }. What a call reads is made in `prepare`; the measured time is that
// of the call alone: for the package with everything a user's call has (worker, tokenizer, pixels), for the runtime from ready tensors.

const SIZE = 512;

/** Numbers of a picture that is not flat. */
function picture() {
  return Uint8ClampedArray.from(
    { length: SIZE * SIZE * 4 },
    (_, i) => (i * 7 + (i >> 11) * 31) & 255,
  );
}

function normsOf(data, rows) {
  const width = data.length / rows;
  return Array.from({ length: rows }, (_, r) =>
    Math.sqrt(data.subarray(r * width, (r + 1) * width).reduce((sum, x) => sum + x * x, 0)),
  );
}

/** Reads all bytes of a pack's towers from `model`, its address, and does nothing with them: no load of so many bytes can be quicker. */
export async function openReader({ model, towers }) {
  const start = performance.now();
  const manifest = await (await fetch(`${model}manifest.json`)).json();
  const files = [
    ...(towers.includes("text") ? [manifest.tokenizer.path] : []),
    ...manifest.shards.filter(({ tower }) => towers.includes(tower)).map(({ path }) => path),
  ];
  const next = files.values();
  await Promise.all(
    [0, 1].map(async () => {
      // as many at once as serve it fastest
      for (const file of next) {
        const reader = (await fetch(`${model}${file}`, { cache: "no-store" })).body.getReader();
        while (!(await reader.read()).done);
      }
    }),
  );
  return { loadMs: performance.now() - start };
}

/** `load`: of the package; `settings`: { model, towers, variant, threads }. */
export async function openOurs(load, settings) {
  const start = performance.now();
  const embedder = await load(settings);
  const loadMs = performance.now() - start;
  const inputs = new Map();
  const tokensOf = async (text) => (await embedder.countTokens(text)).tokens;
  // A text of exactly `tokens` tokens: one word again and again, then some letters more where words are pairs of tokens.
  const textOfTokens = async (tokens) => {
    for (const word of ["a", "e", "o", "n", "the"]) {
      const repeated = (count) => Array(count).fill(word).join(" ");
      let least = 0,
        most = tokens; // the answer of the search: most words with no more than `tokens`
      while (least < most) {
        const middle = (least + most + 1) >> 1;
        if ((await tokensOf(repeated(middle))) <= tokens) least = middle;
        else most = middle - 1;
      }
      for (const count of [least, least - 1]) {
        for (const end of ["", "x", "xz", "qx7", "qx7z", ".", " .", "9!"]) {
          const text = repeated(Math.max(0, count)) + end;
          if ((await tokensOf(text)) === tokens) return text;
        }
      }
    }
    throw new Error(`no text of ${tokens} tokens`);
  };
  return {
    loadMs,
    info: embedder.info,
    async prepare({ name, lengths }) {
      inputs.set(
        name,
        lengths
          ? await Promise.all(lengths.map(textOfTokens))
          : { data: picture(), width: SIZE, height: SIZE },
      );
    },
    async run({ name, lengths }) {
      const input = inputs.get(name);
      const begin = performance.now();
      const result = !lengths
        ? await embedder.embedImage(input)
        : lengths.length === 1
          ? await embedder.embedText(input[0])
          : await embedder.embedTexts(input);
      const ms = performance.now() - begin;
      if (lengths?.length === 1 && result.tokens !== lengths[0])
        throw new Error(`${result.tokens} tokens were read, not ${lengths[0]}`);
      return {
        ms,
        norms: result.vector ? normsOf(result.vector, 1) : normsOf(result.data, result.count),
      };
    },
    profile: () => embedder.profile(),
  };
}

/** `ort`: the runtime; `bytes()`: gives the model's file, as bytes or as a path; `options`: of the session. */
export async function openPeer(ort, bytes, options) {
  const start = performance.now();
  const session = await ort.InferenceSession.create(await bytes(), options);
  const loadMs = performance.now() - start;
  const inputs = new Map();
  return {
    loadMs,
    info: { inputs: session.inputNames },
    async prepare({ name, lengths }) {
      if (!lengths) {
        const rgba = picture(),
          planes = new Float32Array(3 * SIZE * SIZE);
        for (let i = 0; i < planes.length; i++)
          planes[i] = rgba[(i % (SIZE * SIZE)) * 4 + Math.floor(i / (SIZE * SIZE))] / 128 - 1;
        return inputs.set(name, {
          pixel_values: new ort.Tensor("float32", planes, [1, 3, SIZE, SIZE]),
        });
      }
      const longest = Math.max(...lengths),
        pad = 1n;
      const ids = new BigInt64Array(lengths.length * longest).fill(pad);
      lengths.forEach((tokens, r) => {
        for (let t = 0; t < tokens; t++)
          ids[r * longest + t] =
            t === 0 ? 0n : t === tokens - 1 ? 2n : BigInt(5 + ((r * 911 + t * 379) % 240_000));
      });
      inputs.set(name, { input_ids: new ort.Tensor("int64", ids, [lengths.length, longest]) });
    },
    async run({ name, lengths }) {
      const input = inputs.get(name);
      const begin = performance.now();
      const result = Object.values(await session.run(input))[0];
      const ms = performance.now() - begin;
      return { ms, norms: normsOf(result.data, lengths?.length ?? 1) };
    },
  };
}
