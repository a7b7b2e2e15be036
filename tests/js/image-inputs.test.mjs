// How pictures come from the caller: what is looked at before anything is copied, what is read, and what is said of the rest.
// With the stand-in engine, whose heap has 4 MiB.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  mkdtempSync,
  openSync,
  closeSync,
  ftruncateSync,
  openAsBlob,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import vm from "node:vm";
import { failsWith, loadFake, rejection } from "./support/fake.mjs";

const folder = mkdtempSync(join(tmpdir(), "clipglot-inputs-"));
let embedder;
before(async () => {
  embedder = await loadFake();
});
after(async () => {
  await embedder.dispose();
  rmSync(folder, { recursive: true });
});

const jpeg = (length = 8) => {
  const bytes = new Uint8Array(length);
  bytes.set([255, 216, 255]);
  return bytes;
};
const onDisk = (name, bytes) => {
  writeFileSync(join(folder, name), bytes);
  return join(folder, name);
};

test("a Blob of a file on disk embeds, and the process lives", () => {
  // In a process of its own: what this test is about ended the whole process.
  const path = onDisk("cat.jpg", jpeg(5000));
  const script = `
    import { openAsBlob } from "node:fs";
    import { loadFake } from ${JSON.stringify(new URL("./support/fake.mjs", import.meta.url).href)};
    const blob = await openAsBlob(${JSON.stringify(path)});
    const model = [new File([await openAsBlob(${JSON.stringify(path)})], "config.json")];
    const embedder = await loadFake({ model });
    console.log(embedder.info.residentBytes);
    for (const input of [blob, blob.slice(0, 4000), new File([blob], "cat.jpg")]) console.log((await embedder.embedImage(input)).vector[0]);
    const { data } = await embedder.embedImages([blob, blob]);
    console.log(data[0] + data[8]);
    await embedder.dispose();`;
  const cwd = fileURLToPath(new URL("../..", import.meta.url));
  const done = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    encoding: "utf8",
    timeout: 60_000,
    cwd,
  });
  assert.equal(done.stderr.replace(/.*ExperimentalWarning.*\n.*\n/, ""), "");
  assert.equal(done.stdout, "726\n5000\n4000\n5000\n10000\n");
  assert.equal(done.status, 0);
});

test("a file that is gone, shorter, longer: an error with its name", async () => {
  for (const [name, change] of [
    ["gone.jpg", (path) => rmSync(path)],
    ["short.jpg", (path) => truncateSync(path, 100)],
    ["long.jpg", (path) => writeFileSync(path, jpeg(9000))],
  ]) {
    const path = onDisk(name, jpeg(5000));
    const blob = await openAsBlob(path);
    const file = Object.assign(blob, { name });
    change(path);
    const error = await failsWith(
      embedder.embedImage(file),
      "unreadable",
      new RegExp(`"${name}" cannot be read; was it removed or changed`),
    );
    assert.equal(error.cause.name, "NotReadableError");
    await failsWith(
      embedder.embedImages([jpeg(), file]),
      "unreadable",
      new RegExp(`^images\\[1\\]: "${name}"`),
    );
  }
});

test("model files that are gone or shorter: an error with their path", async () => {
  for (const change of [(path) => rmSync(path), (path) => truncateSync(path, 10)]) {
    const path = onDisk("config.json", new Uint8Array(2000));
    const file = Object.assign(await openAsBlob(path), { name: "config.json" });
    change(path);
    await failsWith(
      loadFake({ model: [file] }),
      "unreadable",
      /^config\.json: cannot be read; was it removed/,
    );
  }
});

test("Blobs of polyfills: taken, and what they do wrong is said", async () => {
  const own = jpeg(600);
  const blob = (more = {}) => ({
    size: 600,
    type: "image/jpeg",
    arrayBuffer: async () => own.buffer,
    slice: (from, to) => ({ arrayBuffer: async () => own.buffer.slice(from, to) }),
    ...more,
  });
  assert.equal((await embedder.embedImage(blob())).vector[0], 600);
  assert.equal(own.length, 600); // its own buffer is not taken away
  const boom = new Error("moon phase");
  const wrong = {
    rejects: [
      {
        slice: () => ({
          arrayBuffer: async () => {
            throw boom;
          },
        }),
      },
      "unreadable",
      /moon phase/,
    ],
    "rejects later": [
      {
        arrayBuffer: async () => {
          throw boom;
        },
      },
      "unreadable",
      /moon phase/,
    ],
    "rejects with nothing": [
      { arrayBuffer: () => Promise.reject(undefined) },
      "unreadable",
      /cannot be read/,
    ],
    throws: [
      {
        arrayBuffer: () => {
          throw boom;
        },
      },
      "unreadable",
      /moon phase/,
    ],
    "slice throws": [
      {
        slice: () => {
          throw boom;
        },
      },
      "unreadable",
      /moon phase/,
    ],
    "slice gives nothing": [
      { slice: () => undefined },
      "invalid-argument",
      /slice\(\) must give a Blob, not undefined/,
    ],
    "gives a text": [
      { arrayBuffer: async () => "text" },
      "invalid-argument",
      /arrayBuffer\(\) must give an ArrayBuffer, not "text"/,
    ],
    "gives nothing": [{ arrayBuffer: () => undefined }, "invalid-argument", /not undefined/],
    "gives less": [
      { arrayBuffer: async () => own.buffer.slice(5) },
      "unreadable",
      /changed while it was read: 595 bytes/,
    ],
    "gives more": [
      { name: "x.jpg", arrayBuffer: async () => new ArrayBuffer(700) },
      "unreadable",
      /^"x\.jpg" changed while it was read: 700 bytes/,
    ],
    "size is no number": [{ size: "600" }, "invalid-argument", /image\.size/],
    "size is NaN": [{ size: NaN }, "invalid-argument", /image\.size/],
    "size is negative": [{ size: -1 }, "invalid-argument", /image\.size/],
  };
  for (const [what, [more, code, detail]] of Object.entries(wrong)) {
    await failsWith(embedder.embedImage(blob(more)), code, detail).catch((error) =>
      assert.fail(`${what}: ${error}`),
    );
  }
  assert.equal((await embedder.embedText("four")).vector[0], 4);
});

test("a Blob that never gives its bytes holds up no text, and abort and dispose settle it", async () => {
  const own = await loadFake();
  const never = () => new Promise(() => {});
  const stuck = { size: 600, slice: () => ({ arrayBuffer: never }), arrayBuffer: never };
  const abort = new AbortController();
  const aborted = Array.from({ length: 3 }, () =>
    rejection(own.embedImage(stuck, { signal: abort.signal })),
  );
  assert.equal((await own.embedText("four")).vector[0], 4);
  const waiting = own.embedImage(jpeg(7));
  abort.abort("enough");
  for (const call of aborted) assert.equal(await call, "enough");
  assert.equal((await waiting).vector[0], 7);
  const calls = [own.embedImage(stuck), own.embedImages([stuck]), own.embedImage(stuck)].map(
    rejection,
  );
  assert.equal((await own.embedText("four")).vector[0], 4);
  await own.dispose();
  for (const call of calls) assert.equal((await call).code, "disposed");
});

test("bytes of other realms and odd buffers", async () => {
  const foreign = vm.runInNewContext(
    "({ view: Uint8Array.of(255, 216, 255, 1), pixels: { data: new Uint8ClampedArray(24), width: 3, height: 2 } })",
  );
  for (const input of [
    foreign.view,
    foreign.view.buffer,
    { bytes: foreign.view },
    new Blob([foreign.view]),
  ])
    assert.equal((await embedder.embedImage(input)).vector[0], 4);
  assert.deepEqual(
    [...(await embedder.embedImage(foreign.pixels)).vector.subarray(0, 3)],
    [24, 3, 2],
  );
  const pooled = Buffer.from([255, 216, 255, 2, 3]); // a view of memory that Node shares between buffers
  assert.equal((await embedder.embedImage(pooled)).vector[0], 5);
  assert.equal((await embedder.embedImage(new Float64Array(jpeg(16).buffer))).vector[0], 16);
  const growing = new ArrayBuffer(4, { maxByteLength: 16 });
  const tracking = new Uint8Array(growing);
  tracking.set([255, 216, 255]);
  growing.resize(9);
  assert.equal((await embedder.embedImage(tracking)).vector[0], 9);
  const sharedGrowing = new Uint8Array(new SharedArrayBuffer(4, { maxByteLength: 16 }));
  sharedGrowing.set([255, 216, 255]);
  assert.equal((await embedder.embedImage(sharedGrowing)).vector[0], 4);
});

test("detached buffers are named", async () => {
  const detached = (bytes) => {
    structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
    return bytes;
  };
  const view = detached(jpeg());
  for (const input of [view, view.buffer, { bytes: view }])
    await failsWith(embedder.embedImage(input), "invalid-argument", /detached/);
  const pixels = { data: new Uint8Array(24), width: 3, height: 2 };
  const busy = embedder.embedText("slow:50");
  const waiting = embedder.embedImage(pixels); // it is read when its turn comes
  detached(pixels.data);
  await failsWith(waiting, "invalid-argument", /image\.data|gone/);
  await busy;
});

test("what is given by mistake is told what to give", async () => {
  const tagged = (tag, more = {}) =>
    Object.assign(Object.create({ [Symbol.toStringTag]: tag }), more);
  const wrong = [
    ["cat.png", /readFile/],
    [new URL("file:///cat.png"), /fetch/],
    [new Response("x"), /await response\.blob\(\)/],
    [Promise.resolve(jpeg()), /await it first/],
    [new ReadableStream(), /new Response\(stream\)\.blob\(\)/],
    [tagged("HTMLImageElement", { width: 1, height: 1 }), /createImageBitmap\(image\)/],
    [tagged("HTMLVideoElement", { width: 1 }), /createImageBitmap\(video\)/],
    [tagged("HTMLCanvasElement", { width: 1, height: 1, getContext() {} }), /getImageData/],
    [{ width: 1, height: 1, getContext() {}, toBuffer() {} }, /getImageData/],
    [tagged("VideoFrame", { close() {}, codedWidth: 1 }), /createImageBitmap\(frame\)/],
    [tagged("FileList", { length: 1 }), /embedImages/],
    [tagged("FileSystemFileHandle", { getFile() {} }), /getFile\(\)/],
    [tagged("Blob", { size: 4 }), /lacks arrayBuffer/],
    [[255, 216, 255], /not Array/],
    [{}, /not Object/],
    [() => {}, /not Function/],
    [{ data: new Uint8Array(9), width: 3, height: 1 }, /3 bytes a pixel/],
    [{ data: new Uint16Array(4), width: 1, height: 1 }, /image\.data/],
  ];
  for (const [input, detail] of wrong) {
    await failsWith(embedder.embedImage(input), "invalid-argument", detail).catch((error) =>
      assert.fail(`${detail}: ${error}`),
    );
    await failsWith(embedder.embedImages([jpeg(), input]), "invalid-argument", /^images\[1\]/);
  }
  await failsWith(
    embedder.embedImage(tagged("ImageBitmap", { width: 1, height: 1, close() {} })),
    "invalid-image",
    /browsers only/,
  );
});

const ascii = (text) => Uint8Array.from(text, (c) => c.charCodeAt(0));
const kinds = [
  ["RIFF\x20\0\0\0WEBPVP8 ", /^cut WebP: it ends at byte 16 of 40/],
  ["\0\0\0\x1cftypavif\0\0\0\0mif1miaf", /^AVIF/],
  ["\0\0\0\x1cftypheic\0\0\0\0mif1heic", /^HEIC photo/],
  ["\0\0\0\x1cftypmif1\0\0\0\0mif1heic", /^HEIC photo/],
  ["\0\0\0\x18ftypmif1\0\0\0\0mif1", /^HEIF photo/],
  ["\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41", /^video \(MP4\)/],
  ["\0\0\0\x14ftypqt  \0\0\0\0qt  ", /^video \(MOV\)/],
  ["\0\0\0\x1cftypM4A \0\0\0\0", /^audio \(M4A\)/],
  ["\x1aE\xdf\xa3\x01\0\0\0webm", /^video \(Matroska or WebM\)/],
  ["RIFF\xff\xff\0\0AVI LIST", /^video \(AVI\)/],
  ["RIFF\xff\xff\0\0WAVEfmt ", /^audio \(WAV\)/],
  ["II*\0\x08\0\0\0", /^TIFF/],
  ["MM\0*\0\0\0\x08", /^TIFF/],
  ["\xff\x0a\x10", /^JPEG XL/],
  ["\0\0\0\x0cJXL \r\n\x87\n", /^JPEG XL/],
  ["\0\0\0\x0cjP  \r\n\x87\n", /^JPEG 2000/],
  ["\0\0\x01\0\x01\0", /^ICO/],
  ["8BPS\0\x01", /^PSD/],
  ["%PDF-1.7", /^PDF/],
  ["ID3\x03", /^audio \(MP3\)/],
  ["OggS", /^audio or video \(Ogg\)/],
  ["PK\x03\x04", /^zip/],
  ["\x1f\x8b\x08", /^gzip/],
  ["<!doctype html><title>", /^HTML page/],
  ["\xef\xbb\xbf\n<html>", /^HTML page/],
  ["<svg xmlns=", /^SVG/],
  ['<?xml version="1.0"?>\n<!-- a --><svg ', /^SVG/],
  ['{"error": "not found"}', /^JSON/],
  ["version https://git-lfs.github.com/spec/v1\n", /^Git LFS pointer/],
  ["data:image/png;base64,", /^data URL/],
  ["/9j/4AAQSkZJRg", /^base64 as text \(JPEG\)/],
  ["just a text", /^text/],
  ["\0\0\0\0\0\0\0\0", /^file of zeros/],
  ["\x01\x02\x03\xfe\xff", /^unknown image format: .*begins with 01 02 03 fe ff/],
  ["FUJIFILMCCD-RAW 0201", /^camera RAW/],
];
test("what is not decoded here is named", async () => {
  for (const [start, detail] of kinds) {
    const bytes = ascii(start);
    await failsWith(embedder.embedImage(bytes), "invalid-image", detail);
    await failsWith(
      embedder.embedImage(new File([bytes], "holiday.bin")),
      "invalid-image",
      /"holiday\.bin"\)$/,
    );
    await failsWith(
      embedder.embedImages([jpeg(), new Blob([bytes])]),
      "invalid-image",
      /^images\[1\]: /,
    );
  }
  const webp = new Uint8Array(40);
  webp.set(ascii(kinds[0][0]));
  await failsWith(
    embedder.embedImage(webp),
    "invalid-image",
    /^WebP: this Node has no decoder for it; give load the option decode, or sharpDecoder\(\) of clipglot\/sharp/,
  );
  await failsWith(
    embedder.embedImage(new File([], "nothing.jpg")),
    "invalid-image",
    /empty \("nothing\.jpg"\)/,
  );
});

test("what is refused is not copied: neither here nor into the heap", async () => {
  const before = process.memoryUsage();
  const heap = (await embedder.diagnostics()).heapBytes;
  // A file of 2 GB that takes no room on disk, as a video and as a JPEG; and 1.5 GB of memory that nobody has written to.
  for (const [name, start, detail] of [
    ["holiday.mp4", "\0\0\0\x20ftypisom", /^video \(MP4\)/],
    [
      "huge.jpg",
      "\xff\xd8\xff\xe0",
      /^JPEG of 2000000000 bytes: files of pictures are read up to 536870912 bytes/,
    ],
  ]) {
    const handle = openSync(join(folder, name), "w");
    writeSync(handle, ascii(start));
    ftruncateSync(handle, 2_000_000_000);
    closeSync(handle);
    await failsWith(
      embedder.embedImage(await openAsBlob(join(folder, name))),
      "invalid-image",
      detail,
    );
    const bytes = new Uint8Array(1_500_000_000);
    bytes.set(ascii(start));
    await failsWith(
      embedder.embedImage(bytes),
      "invalid-image",
      new RegExp(String(detail).slice(1, 10)),
    );
  }
  const pixels = { data: new Uint8Array(4 * 10_000 * 9_000), width: 10_000, height: 9_000 };
  await failsWith(
    embedder.embedImage(pixels),
    "invalid-image",
    /10000 × 9000 pixels are more than the limit of 64000000 \(maxPixels\)/,
  );
  // 100 MB: far below any copy. The pages of `bytes` were never touched, so they are no part of it.
  assert.ok(
    process.memoryUsage().rss - before.rss < 100e6,
    `${process.memoryUsage().rss - before.rss} bytes more`,
  );
  assert.equal((await embedder.diagnostics()).heapBytes, heap);
});
