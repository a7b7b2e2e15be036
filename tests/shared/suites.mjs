// What the package promises, checked on a real engine with the golden model. Written once, called by tests/js (Node) and
// tests/browser (a page): nothing here knows where it runs.
//
// The place gives a context:
//   load(options)   load() of the package, for the build under test, of the golden model unless options.model is given
//   read(path)      bytes of a file below tests/data/golden-a/
//   variant         the build under test
//   threads         how many threads it runs with
import { close, cosine, equal, fails, identical, ok, rejection } from "./check.mjs";
import { readGolden } from "./golden.mjs";

const cases = [];
const add = (name, run) => cases.push({ name, run });

/** Names of all checks, and how to run one. Throws when it does not hold. */
export const names = () => cases.map(({ name }) => name);
export const run = (name, context) => cases.find((entry) => entry.name === name).run(context);

// Entries of the golden set with their rows. A check that loops over none would pass whatever the engine does.
function entries(list, wanted) {
  const found = list.map((entry, i) => ({ ...entry, i })).filter(wanted);
  ok(found.length > 0, "the golden set has no such entries");
  return found;
}
const shortTexts = ({ expected }) => entries(expected.texts, ({ ids }) => ids.length <= 512);
const pngFiles = ({ expected }) => entries(expected.images, ({ file }) => file.endsWith(".png"));

async function using(embedder, use) {
  try {
    return await use(embedder);
  } finally {
    await embedder.dispose();
  }
}

add("info tells what was loaded", async ({ load, variant, threads }) => {
  const events = [];
  await using(
    await load({ dtype: "f32", onProgress: (event) => events.push(event) }),
    async ({ info }) => {
      equal(info.variant, variant, "variant");
      equal(info.threads, threads, "threads");
      equal([...info.towers].sort(), ["text", "vision"], "towers");
      equal(info.dtype, "f32", "dtype");
      equal(info.fullDimensions, 64, "fullDimensions");
      equal(info.maxTokens, 512, "maxTokens");
      equal(info.imageSize, 56, "imageSize");
      equal(info.imageGrid, 4, "imageGrid");
      equal(info.numerics, variant.startsWith("relaxed") ? "relaxed-simd" : "simd", "numerics");
      ok(info.residentBytes > 100_000, `residentBytes ${info.residentBytes}`);
      ok(
        typeof info.modelId === "string" && typeof info.license === "string",
        "modelId and license are texts",
      );
      ok(
        info.dimensions.every((n, i, all) => n > 0 && n <= 64 && (i === 0 || n > all[i - 1])),
        `dimensions ${info.dimensions}`,
      );
    },
  );
  equal(events.at(-1).status, "ready", "last event");
  equal(events.at(-1).progress, 100, "last progress");
  const totals = events.filter(({ status }) => status === "progress_total");
  ok(
    totals.every(
      (e, i) =>
        i === 0 || (e.progress >= totals[i - 1].progress && e.loaded >= totals[i - 1].loaded),
    ),
    "progress goes backwards",
  );
  ok(
    events.some(
      ({ status, file, loaded, total }) =>
        status === "done" && file === "model.safetensors" && loaded <= total,
    ),
    "done of model.safetensors",
  );
});

add(
  "texts at f32: upstream's vectors, whole and cut, for documents and queries",
  async ({ load, read }) => {
    const golden = await readGolden(read);
    await using(await load({ dtype: "f32" }), async (embedder) => {
      for (const { name, text, i, ids, ids_query } of shortTexts(golden)) {
        const document = await embedder.embedText(text);
        close(document.vector, golden.row("text.document.normalized", i), 1e-5, `document ${name}`);
        equal(
          [document.tokens, document.totalTokens, document.truncated],
          [ids.length, ids.length, false],
          `tokens of ${name}`,
        );
        if (ids_query.length > 512) continue;
        const query = await embedder.embedText(text, { task: "retrieval.query", dimensions: 16 });
        close(query.vector, golden.row("text.query.normalized_16", i), 1e-5, `query ${name}`);
        equal(
          await embedder.countTokens(text, { task: "retrieval.query" }),
          { tokens: ids_query.length, maxTokens: 512 },
          `countTokens of ${name}`,
        );
      }
      const { vector, dimensions } = await embedder.embedText("cat", { normalized: false });
      equal(dimensions, 64, "dimensions");
      ok(Math.abs(Math.hypot(...vector) - 1) > 1e-3, "the raw vector has unit length");
      await fails(
        embedder.embedText("cat", { normalized: false, dimensions: 16 }),
        "invalid-argument",
      );
    });
  },
);

add("images at f32: upstream's vectors", async ({ load, read }) => {
  const golden = await readGolden(read);
  await using(await load({ dtype: "f32" }), async (embedder) => {
    for (const { file, i } of pngFiles(golden)) {
      const image = await embedder.embedImage(await read(`images/${file}`), {
        orientation: "ignore",
      });
      close(image.vector, golden.row("image.normalized", i), 1e-5, file);
      equal([image.decoder, image.tokens, image.truncated], ["core", 0, false], file);
    }
    // Decoders of JPEG differ by one or two of 255.
    const photo = await embedder.embedImage(await read("images/photo.jpg"), {
      orientation: "ignore",
    });
    close(
      photo.vector,
      golden.row("image.normalized", golden.image("photo.jpg")),
      0.02,
      "photo.jpg",
    );
  });
});

add("q8 stays near upstream", async ({ load, read }) => {
  const golden = await readGolden(read);
  await using(await load({ dtype: "q8" }), async (embedder) => {
    equal(embedder.info.dtype, "q8", "dtype");
    for (const { name, text, i } of shortTexts(golden)) {
      const found = cosine(
        (await embedder.embedText(text)).vector,
        golden.row("text.document.normalized", i),
      );
      ok(found >= 0.996, `${name}: cosine ${found}`);
    }
  });
});

// Every build quantises and multiplies alike: expected.q4.json was made by one of them, whose arithmetic the native tests
// compare with float32 on the same weights (tests/js/support/make-q4-vectors.mjs).
add("q4 gives the same vectors in every build", async ({ load, read }) => {
  const pinned = JSON.parse(new TextDecoder().decode(await read("expected.q4.json")));
  const golden = await readGolden(read);
  await using(await load({ dtype: "q4" }), async (embedder) => {
    equal(embedder.info.dtype, "q4", "dtype");
    const texts = shortTexts(golden).filter(({ name }) => name in pinned.texts);
    equal(texts.length, Object.keys(pinned.texts).length, "texts with a pinned vector");
    ok(Object.keys(pinned.images).length > 0, "no images with a pinned vector");
    for (const { name, text } of texts) {
      const found = cosine((await embedder.embedText(text)).vector, pinned.texts[name]);
      ok(found >= 0.9999, `${name}: cosine ${found}`);
    }
    for (const [file, vector] of Object.entries(pinned.images)) {
      const found = cosine(
        (await embedder.embedImage(await read(`images/${file}`), { orientation: "ignore" })).vector,
        vector,
      );
      ok(found >= 0.9999, `${file}: cosine ${found}`);
    }
  });
});

add("EXIF orientation is applied, unless ignored", async ({ load, read }) => {
  await using(await load({ dtype: "f32", towers: ["vision"] }), async (embedder) => {
    const file = await read("images/exif_rotate6.jpg");
    const [upright, stored] = [
      await embedder.embedImage(file),
      await embedder.embedImage(file, { orientation: "ignore" }),
    ];
    ok(cosine(upright.vector, stored.vector) < 0.999, "orientation makes no difference");
  });
});

add("a text gives the same vector alone and in a batch", async ({ load, read, variant }) => {
  const golden = await readGolden(read);
  const texts = shortTexts(golden).map(({ text }) => text);
  for (const dtype of ["f32", "q8", "q4"]) {
    await using(await load({ dtype, towers: ["text"] }), async (embedder) => {
      const alone = [];
      for (const text of texts) alone.push((await embedder.embedText(text)).vector);
      const order = texts.map((_, i) => (i * 7 + 3) % texts.length);
      const batch = await embedder.embedTexts(order.map((i) => texts[i]));
      for (const [place, i] of order.entries()) {
        if (variant.startsWith("relaxed"))
          close(batch.row(place), alone[i], 1e-5, `${dtype} text ${i}`);
        else identical(batch.row(place), alone[i], `${dtype} text ${i}`);
      }
    });
  }
});

add("pixels, a file of the same pixels, a Blob: one vector", async ({ load }) => {
  const { rgba, bmp } = picture(37, 23);
  const before = { rgba: rgba.slice(), bmp: bmp.slice() };
  await using(await load({ dtype: "f32", towers: ["vision"] }), async (embedder) => {
    const pixels = await embedder.embedImage({ data: rgba, width: 37, height: 23 });
    equal(pixels.decoder, undefined, "decoder of pixels");
    for (const [what, input] of Object.entries({
      bytes: bmp,
      buffer: bmp.buffer,
      encoded: { bytes: bmp },
      blob: new Blob([bmp]),
    }))
      identical((await embedder.embedImage(input)).vector, pixels.vector, what);
    const batch = await embedder.embedImages(
      [new Blob([bmp]), { data: new Uint8ClampedArray(rgba), width: 37, height: 23 }],
      { dimensions: 32 },
    );
    identical(batch.row(0), batch.row(1), "batch");
    equal(batch.data.length, 64, "numbers in the batch");
  });
  identical(rgba, before.rgba, "the caller's pixels");
  identical(bmp, before.bmp, "the caller's bytes");
});

add("long texts are cut and say so, or fail", async ({ load, read }) => {
  const golden = await readGolden(read);
  const { text, ids } = golden.expected.texts[golden.text("long1200")];
  await using(await load({ dtype: "f32", towers: ["text"] }), async (embedder) => {
    const cut = await embedder.embedText(text);
    equal([cut.tokens, cut.totalTokens, cut.truncated], [512, ids.length, true], "cut");
    const row = golden.expected.max_length_512_rows.indexOf(golden.text("long1200"));
    close(
      cut.vector,
      upstream(golden, "text.document_max_length_512.raw", row),
      1e-5,
      "cut vector",
    );
    const shorter = await embedder.embedText(text, { maxTokens: 10 });
    equal(
      [shorter.tokens, shorter.totalTokens, shorter.truncated],
      [10, ids.length, true],
      "cut at 10",
    );
    await fails(
      embedder.embedText(text, { tooLong: "error" }),
      "too-long",
      new RegExp(String(ids.length)),
    );
    await fails(
      embedder.embedTexts(["short", text], { tooLong: "error" }),
      "too-long",
      /^texts\[1\]: /,
    );
    equal(
      (await embedder.embedTexts([text, "short", text])).truncated,
      [0, 2],
      "rows that were cut",
    );
    equal(await embedder.countTokens(text), { tokens: ids.length, maxTokens: 512 }, "countTokens");
  });
});

add("NFC is applied when asked for", async ({ load }) => {
  await using(await load({ dtype: "f32", towers: ["text"] }), async (embedder) => {
    const [composed, decomposed] = ["été à la mañana", "e\u0301te\u0301 a\u0300 la man\u0303ana"];
    const wanted = await embedder.embedText(composed);
    identical(
      (await embedder.embedText(decomposed, { normalizeText: "NFC" })).vector,
      wanted.vector,
      "NFC",
    );
  });
});

add("a tower that was not loaded", async ({ load }) => {
  const { rgba } = picture(8, 8);
  await using(await load({ dtype: "f32", towers: ["text"] }), async (embedder) => {
    equal(embedder.info.towers, ["text"], "towers");
    await fails(embedder.embedImage({ data: rgba, width: 8, height: 8 }), "not-loaded", /vision/);
    ok((await embedder.embedText("still here")).vector.length === 64, "the next call");
  });
  await using(await load({ dtype: "f32", towers: ["vision"] }), async (embedder) => {
    await fails(embedder.embedText("cat"), "not-loaded", /text/);
    await fails(embedder.countTokens("cat"), "not-loaded", /text/);
    ok(
      (await embedder.embedImage({ data: rgba, width: 8, height: 8 })).vector.length === 64,
      "the next call",
    );
  });
});

add(
  "images of a smaller grid: other vectors, and the next picture is whole again",
  async ({ load, read }) => {
    await using(await load({ dtype: "q8", towers: ["vision"] }), async (embedder) => {
      const file = await read("images/photo.jpg");
      const whole = await embedder.embedImage(file);
      identical((await embedder.embedImage(file, { grid: 4 })).vector, whole.vector, "grid 4");
      const small = await embedder.embedImage(file, { grid: 3 });
      close([Math.hypot(...small.vector)], [1], 1e-5, "length");
      const similarity = cosine(small.vector, whole.vector);
      ok(similarity > 0.5 && similarity < 0.9999, `a grid of 3 gives a cosine of ${similarity}`);
      const many = await embedder.embedImages([file], { grid: 3 });
      identical(many.row(0), small.vector, "many");
      identical((await embedder.embedImage(file)).vector, whole.vector, "whole again");
      for (const grid of [0, 5, 2.5, -1, "3"])
        await fails(embedder.embedImage(file, { grid }), "invalid-argument", /grid/);
    });
  },
);

add("bad images: typed errors, and the next call works", async ({ load, read }) => {
  await using(
    await load({ dtype: "f32", towers: ["vision"], maxPixels: 10_000 }),
    async (embedder) => {
      const good = await read("images/exact.png");
      const wanted = (await embedder.embedImage(good)).vector;
      const photo = await read("images/photo.jpg");
      const bad = {
        "no bytes": new Uint8Array(0),
        noise: Uint8Array.from({ length: 1000 }, (_, i) => (i * 37) & 255),
        "a text": new TextEncoder().encode("this is not a picture"),
        "only a signature": photo.slice(0, 4),
        "a broken JPEG": photo.slice(0, 200),
        "a broken PNG": good.slice(0, 40),
        "no pixels": { data: new Uint8Array(0), width: 0, height: 0 },
        "no height": { data: new Uint8Array(0), width: 5, height: 0 },
        "too many pixels": { data: new Uint8Array(101 * 100 * 4), width: 101, height: 100 },
        "a file of too many pixels": await read("images/large.jpg"),
        "a file that claims too many pixels": hugePng(60_000, 60_000),
        "a file of no pixels": hugePng(0, 7),
      };
      for (const [what, input] of Object.entries(bad)) {
        const error = await fails(embedder.embedImage(input), "invalid-image").catch((cause) => {
          throw new Error(`${what}: ${cause.message}`, { cause });
        });
        ok(error.detail.length > 5, `${what}: "${error.detail}" says nothing`);
        identical((await embedder.embedImage(good)).vector, wanted, `after ${what}`);
      }
      await fails(embedder.embedImages([good, bad.noise, good]), "invalid-image", /^images\[1\]: /);
    },
  );
});

add(
  "photographs of 40 megapixels embed within 400 MB; above the limit they are refused",
  async ({ load, read }) => {
    const vectors = [];
    for (const file of ["large_baseline.jpg", "large_progressive.jpg"]) {
      const photograph = await read(`../images/${file}`);
      await using(await load({ dtype: "q8", towers: ["vision"] }), async (embedder) => {
        const before = await embedder.diagnostics();
        vectors.push((await embedder.embedImage(photograph)).vector);
        const grown = (await embedder.diagnostics()).heapBytes - before.heapBytes;
        ok(grown <= 400e6, `${file}: the heap grew by ${grown} bytes`);
      });
      await using(
        await load({ dtype: "q8", towers: ["vision"], maxPixels: 39_999_999 }),
        async (embedder) => {
          await fails(embedder.embedImage(photograph), "invalid-image", /8000.*5000|40000000/);
        },
      );
    }
    ok(
      cosine(vectors[0], vectors[1]) > 0.999,
      `the same photograph twice: ${cosine(vectors[0], vectors[1])}`,
    );
    // The default limit is 64 megapixels: the first side that is past it, written into the frame header.
    const tooLarge = (await read("../images/large_baseline.jpg")).slice();
    const frame = tooLarge.findIndex((byte, i) => byte === 0xff && tooLarge[i + 1] === 0xc0);
    new DataView(tooLarge.buffer, tooLarge.byteOffset).setUint16(frame + 5, 8001);
    await using(await load({ dtype: "q8", towers: ["vision"] }), (embedder) =>
      fails(embedder.embedImage(tooLarge), "invalid-image", /8001|pixels/),
    );
  },
);

add("calls do not make the heap grow", async ({ load, read }) => {
  const golden = await readGolden(read);
  const texts = shortTexts(golden).map(({ text }) => text);
  const { rgba } = picture(60, 60);
  await using(await load({ dtype: "q8" }), async (embedder) => {
    const everything = async (rounds) => {
      for (let i = 0; i < rounds; i++) {
        await embedder.embedText(texts[i % texts.length]);
        if (i % 10 === 0) await embedder.embedImage({ data: rgba, width: 60, height: 60 });
        if (i % 10 === 5) await rejection(embedder.embedImage(new Uint8Array(10)));
      }
    };
    await everything(texts.length);
    const before = await embedder.diagnostics();
    await everything(1000);
    const after = await embedder.diagnostics();
    equal(after.heapBytes, before.heapBytes, "bytes of the heap");
    ok(
      after.allocatedBytes - before.allocatedBytes < 4096,
      `${after.allocatedBytes - before.allocatedBytes} bytes more are in use`,
    );
  });
});

add("threads: all of them work", async ({ load, read, threads }) => {
  const golden = await readGolden(read);
  await using(await load({ dtype: "q8" }), async (embedder) => {
    const { text } = golden.expected.texts[golden.text("long1200")];
    for (let i = 0; i < 20 && (await embedder.diagnostics()).threadsSeen < threads; i++)
      await embedder.embedText(text);
    equal((await embedder.diagnostics()).threadsSeen, threads, "threads that worked");
  });
});

add("abort of a running call, and the next call works", async ({ load, read, threads }) => {
  const golden = await readGolden(read);
  const longText = (name) => golden.expected.texts[golden.text(name)].text;
  await using(await load({ dtype: "f32", towers: ["text"], maxTokens: 8192 }), async (embedder) => {
    const wanted = (await embedder.embedText("cat")).vector;
    // At once: the call was sent, and has begun or is about to.
    const early = new AbortController();
    const call = embedder.embedText(longText("long1200"), { signal: early.signal });
    early.abort();
    equal((await rejection(call)).name, "AbortError", "name");
    identical((await embedder.embedText("cat")).vector, wanted, "the next vector");
    // In the middle: the first layers are told of while the call runs, and where memory is shared the engine stops at its next
    // layer.
    if (threads === 1) return;
    const late = new AbortController();
    const heard = [];
    const longer = embedder.embedText(longText("long9000"), {
      signal: late.signal,
      onProgress: (done, total) => {
        heard.push([done, total]);
        late.abort("enough");
      },
    });
    equal(await rejection(longer), "enough", "reason");
    equal(heard.length, 1, "after the abort nothing more is told");
    equal(heard[0][0], 0, "layers done");
    ok(heard[0][1] > 1, `layers in all: ${heard[0][1]}`);
    identical((await embedder.embedText("cat")).vector, wanted, "the next vector after a stop");
  });
});

add("an index finds the nearest vectors of both kinds", async ({ load, read }) => {
  const golden = await readGolden(read);
  const texts = shortTexts(golden);
  await using(await load({ dtype: "f32" }), async (embedder) => {
    const index = await embedder.createIndex({ dimensions: 32 });
    const batch = await embedder.embedTexts(
      texts.map(({ text }) => text),
      { dimensions: 32 },
    );
    await index.add(texts.map(({ name }, i) => ({ id: name, vector: batch.row(i) })));
    equal(index.size, texts.length, "size");
    const image = await embedder.embedImage(await read("images/exact.png"), { dimensions: 32 });
    for (const query of [image, await embedder.embedText(texts[3].text, { dimensions: 32 })]) {
      const scores = texts.map(({ name }, i) => ({
        id: name,
        score: batch.row(i).reduce((sum, value, j) => sum + value * query.vector[j], 0),
      }));
      scores.sort((a, b) => b.score - a.score);
      const hits = await index.search(query, { k: 5 });
      equal(hits.length, 5, "hits");
      for (const [i, { score }] of hits.entries())
        ok(
          Math.abs(score - scores[i].score) < 1e-6,
          `score ${i}: ${score}, expected ${scores[i].score}`,
        );
      if (query !== image)
        ok(hits[0].score > 1 - 1e-6, `a text does not find itself: ${hits[0].score}`);
    }
    await fails(
      index.search(await embedder.embedText("x"), { k: 1 }),
      "invalid-argument",
      /64 dimensions, the index has 32/,
    );
    await fails(
      index.add([{ id: "x", vector: new Float32Array(32).fill(Infinity) }]),
      "invalid-argument",
    );
    await index.dispose();
    await fails(index.search(image, { k: 1 }), "disposed");
  });
});

add("an end while calls run", async ({ load }) => {
  const embedder = await load({ dtype: "q8" });
  const calls = Array.from({ length: 20 }, (_, i) => embedder.embedText(`text ${i}`));
  const settled = Promise.allSettled(calls);
  await embedder.dispose();
  for (const { status, reason } of await settled)
    ok(status === "fulfilled" || reason.code === "disposed", `${reason}`);
  await embedder.dispose();
  await fails(embedder.embedText("x"), "disposed");
});

add("two embedders side by side", async ({ load }) => {
  await using(await load({ dtype: "f32", towers: ["text"] }), async (one) => {
    await using(await load({ dtype: "f32", towers: ["text"] }), async (two) => {
      const [a, b] = await Promise.all([one.embedText("cat"), two.embedText("cat")]);
      identical(a.vector, b.vector, "vectors");
    });
  });
});

function upstream(golden, name, row) {
  const raw = golden.row(name, row);
  const length = Math.hypot(...raw);
  return raw.map((value) => value / length);
}

/** The same picture as pixels and as a BMP file (24 bits, bottom row first). */
export function picture(width, height) {
  const rgba = new Uint8Array(width * height * 4);
  const stride = (width * 3 + 3) & ~3;
  const bmp = new Uint8Array(54 + stride * height);
  const header = new DataView(bmp.buffer);
  bmp.set([0x42, 0x4d]);
  header.setUint32(2, bmp.length, true);
  header.setUint32(10, 54, true);
  header.setUint32(14, 40, true);
  header.setInt32(18, width, true);
  header.setInt32(22, height, true);
  header.setUint16(26, 1, true);
  header.setUint16(28, 24, true);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const colour = [(x * 7 + y) & 255, (y * 11) & 255, (x * y) & 255];
      rgba.set([...colour, 255], (y * width + x) * 4);
      bmp.set(colour.reverse(), 54 + (height - 1 - y) * stride + x * 3);
    }
  }
  return { rgba, bmp };
}

/** The head of a PNG that claims to have so many pixels. */
function hugePng(width, height) {
  const png = new Uint8Array(33 + 12);
  png.set([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52]);
  const view = new DataView(png.buffer);
  view.setUint32(16, width);
  view.setUint32(20, height);
  png.set([8, 2, 0, 0, 0], 24);
  view.setUint32(29, crc(png.subarray(12, 29)));
  png.set([0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82], 37);
  return png;
}

function crc(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) {
    value ^= byte;
    for (let i = 0; i < 8; i++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  }
  return (value ^ 0xffffffff) >>> 0;
}

add("a profile tells where the time went, and costs no bit", async ({ load }) => {
  const pixels = {
    data: Uint8ClampedArray.from({ length: 64 * 64 * 4 }, (_, i) => (i * 7) & 255),
    width: 64,
    height: 64,
  };
  const plain = await using(await load({ dtype: "q8" }), async (embedder) => {
    await fails(embedder.profile(), "invalid-argument", /profile: true/);
    return embedder.embedText("where does the time go?");
  });
  await using(await load({ dtype: "q8", profile: true }), async (embedder) => {
    await embedder.profile(); // what loading did
    identical(
      (await embedder.embedText("where does the time go?")).vector,
      plain.vector,
      "with a profile",
    );
    const text = await embedder.profile();
    equal(
      text.map(({ kind }) => kind),
      ["input", "linear", "quantization", "attention", "rotary", "norm", "activation", "other"],
      "kinds",
    );
    for (const { kind, calls, milliseconds } of text)
      ok(
        Number.isInteger(calls) && milliseconds >= 0,
        `${kind}: ${calls} calls, ${milliseconds} ms`,
      );
    for (const kind of ["input", "linear", "attention", "norm"])
      ok(text.find((entry) => entry.kind === kind).calls > 0, `${kind} was not counted`);
    ok(
      (await embedder.profile()).every(
        ({ calls, milliseconds }) => calls === 0 && milliseconds === 0,
      ),
      "nothing since then",
    );
    await embedder.embedImage(pixels);
    const image = new Map((await embedder.profile()).map((entry) => [entry.kind, entry]));
    ok(image.get("attention").calls > 0 && image.get("input").calls > 0, "an image");
  });
});
