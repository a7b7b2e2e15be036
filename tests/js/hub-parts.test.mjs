// The parts of a download from a hub, each by itself: js/src/loading/{incremental-sha256,intervals,journal,block-reader,tensor-runs}.ts,
// js/src/shared/hub-address.ts.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { BlockReader, blockBytes } from "../../dist/js/loading/block-reader.js";
import { IncrementalSha256 } from "../../dist/js/loading/incremental-sha256.js";
import { Intervals } from "../../dist/js/loading/intervals.js";
import { Journal, storedPlace } from "../../dist/js/loading/journal.js";
import { TensorRuns } from "../../dist/js/loading/tensor-runs.js";
import { nodeEngineFiles } from "../../dist/js/platform/node/engine-files.js";
import { nodeStore } from "../../dist/js/platform/node/store.js";
import { parseHubName, shownHub } from "../../dist/js/shared/hub-address.js";
import { Converter } from "../../dist/js/worker/convert/converter.js";
import { random } from "./support/fault-server.mjs";

const scratch = mkdtempSync(join(tmpdir(), "clipglot-hub-parts-"));
after(() => rmSync(scratch, { recursive: true }));
let folders = 0;
const newStore = () => nodeStore(join(scratch, `${folders++}`));

describe("SHA-256 in pieces", () => {
  const expected = (bytes) => createHash("sha256").update(bytes).digest("hex");
  const inPieces = (bytes, chance, hashBlocks) => {
    let hash = new IncrementalSha256();
    for (let at = 0; at < bytes.length; ) {
      if (hashBlocks) hash.hashBlocks = hashBlocks;
      const length = 1 + Math.floor(chance() * 300);
      hash.update(bytes.subarray(at, at + length));
      at += length;
      // As another process would go on.
      if (chance() < 0.3) hash = IncrementalSha256.restore(JSON.parse(JSON.stringify(hash.save())));
    }
    return hash.digest();
  };
  test("every length around a block, and long ones; the state goes through JSON", () => {
    const chance = random(1);
    for (let length = 0; length < 200; length++) {
      const bytes = randomBytes(length);
      assert.equal(inPieces(bytes, chance), expected(bytes), `${length} bytes`);
    }
    const long = randomBytes(100_001);
    assert.equal(inPieces(long, chance), expected(long));
  });
  test("the converter's module gives the same", async () => {
    const place = (name) => new URL(`../../dist/wasm/${name}`, import.meta.url).href;
    const converter = await Converter.start({
      moduleUrl: place("clipglot-convert.mjs"),
      wasmUrl: place("clipglot-convert.wasm"),
      threads: 1,
      files: nodeEngineFiles(),
      onLost: (why) => assert.fail(why),
    });
    for (const length of [0, 63, 64, 65, 1000, 300_000]) {
      const bytes = randomBytes(length);
      assert.equal(inPieces(bytes, random(length), converter.hashBlocks), expected(bytes));
    }
  });
  test("a state that is none is not taken", () => {
    const good = new IncrementalSha256().save();
    for (const change of [
      { bytes: -1 },
      { bytes: 1 },
      { words: [1] },
      { words: "x" },
      { rest: [1] },
      { rest: undefined },
    ])
      assert.equal(
        IncrementalSha256.restore({ ...good, ...change }),
        undefined,
        JSON.stringify(change),
      );
  });
});

test("ranges of a file, against a list of its bytes", () => {
  const chance = random(2);
  for (let round = 0; round < 50; round++) {
    const ranges = new Intervals();
    const bytes = new Array(60).fill(false);
    for (let i = 0; i < 12; i++) {
      const begin = Math.floor(chance() * 60);
      const end = Math.min(60, begin + Math.floor(chance() * 12));
      ranges.add(begin, end);
      bytes.fill(true, begin, end);
      for (let at = 0; at < 60; at++) {
        let reached = at;
        while (bytes[reached]) reached++;
        assert.equal(ranges.endOf(at), reached);
        const next = bytes.indexOf(true, at);
        assert.equal(ranges.next(at), next < 0 ? Infinity : next);
      }
      assert.equal(ranges.has(begin, end), true);
      assert.deepEqual(new Intervals(ranges.save()).save(), ranges.save());
    }
  }
});

describe("the journal", () => {
  const bytes = randomBytes(40_000);
  const write = async (journal, begin, end) => {
    await journal.prepare(begin);
    journal.append(bytes.subarray(begin, end));
  };
  const readAll = async (journal, at, length) => {
    const read = [];
    for (let done = 0; done < length; ) {
      const piece = await journal.read(at + done, length - done);
      if (!piece) return undefined;
      read.push(Buffer.from(piece));
      done += piece.length;
    }
    return Buffer.concat(read);
  };
  test("gives back what came in any order, in this load and in another", async () => {
    const store = newStore();
    const journal = new Journal(storedPlace(store, "download"));
    await journal.resume("one");
    await write(journal, 30_000, 40_000);
    await write(journal, 0, 5000);
    await write(journal, 5000, 10_000);
    await journal.keepWhole("0123456789abcdef0123", bytes.subarray(0, 10));
    assert.deepEqual(
      [0, 9999, 10_000, 30_000].map((at) => journal.available(at)),
      [10_000, 1, 0, 10_000],
    );
    assert.equal(journal.next(10_000), 30_000);
    assert.ok((await readAll(journal, 2000, 8000)).equals(bytes.subarray(2000, 10_000)));
    await journal.close();
    const other = new Journal(storedPlace(store, "download"));
    await other.resume("one");
    assert.ok((await readAll(other, 0, 10_000)).equals(bytes.subarray(0, 10_000)));
    assert.ok((await readAll(other, 30_000, 10_000)).equals(bytes.subarray(30_000)));
    assert.deepEqual(
      Buffer.from(await other.readWhole("0123456789abcdef0123")),
      bytes.subarray(0, 10),
    );
    await other.release((begin) => begin > 20_000);
    assert.equal(other.available(0), 0);
    await other.close();
    // Of other content nothing is taken.
    const third = new Journal(storedPlace(store, "download"));
    await third.resume("two");
    assert.equal(third.available(30_000), 0);
    assert.equal(await third.readWhole("0123456789abcdef0123"), undefined);
  });
  test("what is gone from the disk is not there", async () => {
    const store = newStore();
    const journal = new Journal(storedPlace(store, "download"));
    await journal.resume("one");
    await write(journal, 0, 5000);
    await journal.close();
    const folder = join(scratch, `${folders - 1}`, "download");
    const segment = readdirSync(folder).find((name) => /^\d+$/.test(name));
    const other = new Journal(storedPlace(store, "download"));
    await other.resume("one");
    truncateSync(join(folder, segment), 100);
    assert.equal(await other.read(0, 5000), undefined);
    assert.equal(other.available(0), 0);
  });
  test("a disk that is full: it says so once, and memory goes on", async () => {
    const said = [];
    const place = {
      list: async () => [],
      readWhole: async () => undefined,
      writeWhole: async () => {},
      clear: async () => {},
      begin: async () => {
        throw new Error("no room");
      },
    };
    const journal = new Journal(place, (why) => said.push(why));
    await journal.resume("one");
    assert.equal(journal.keeps, true);
    await write(journal, 0, 5000);
    await write(journal, 5000, 6000);
    assert.equal(journal.keeps, false);
    assert.deepEqual(said, ["no room"]);
    assert.equal(journal.available(0), 0);
    journal.remember(7000, bytes.subarray(7000, 8000));
    journal.remember(8000, bytes.subarray(8000, 9000));
    assert.ok((await readAll(journal, 7500, 1000)).equals(bytes.subarray(7500, 8500)));
  });
});

describe("blocks", () => {
  const bytes = randomBytes(5 * blockBytes + 1234);
  /** Readers whose answers come when they like. Gives them and what was asked. */
  function fakeReaders(chance) {
    const asked = [];
    let [running, most] = [0, 0];
    const reader = () => {
      let isClosed = false;
      return {
        async read(_file, offset, length, _cache, until, take) {
          isClosed = false;
          asked.push([offset, until]);
          assert.equal(until, offset + length, "no more than the block is asked for");
          most = Math.max(most, ++running);
          for (let at = offset; at < until; at += 1 << 20) {
            await new Promise((resolve) => setTimeout(resolve, chance() * 3));
            if (isClosed) {
              running--;
              throw new Error("the load was ended");
            }
            take(bytes.subarray(at, Math.min(until, at + (1 << 20))));
          }
          running--;
        },
        async close() {
          isClosed = true;
        },
        finish() {},
      };
    };
    return { readers: [reader(), reader()], asked, most: () => most };
  }
  const plan = {
    endOf: () => bytes.length,
    after: (end) => (end < bytes.length ? end : undefined),
  };
  test("come in order, two at a time, each told of before it is used", async () => {
    const { readers, asked, most } = fakeReaders(random(3));
    const told = [];
    const blocks = new BlockReader({ href: "" }, readers, plan, async (at, block) => {
      assert.ok(Buffer.from(block).equals(bytes.subarray(at, at + block.length)));
      told.push(at);
    });
    const read = [];
    for (let at = 0; at < bytes.length; at += 3_000_000)
      await blocks.read(at, Math.min(bytes.length, at + 3_000_000), (piece) => {
        assert.ok(told.length > 0);
        read.push(Buffer.from(piece));
      });
    assert.ok(Buffer.concat(read).equals(bytes));
    assert.deepEqual(
      told,
      [0, 1, 2, 3, 4, 5].map((i) => i * blockBytes),
    );
    assert.equal(asked.length, 6);
    assert.equal(most(), 2);
  });
  test("a reader that goes elsewhere gets what is there", async () => {
    const { readers } = fakeReaders(random(4));
    const blocks = new BlockReader({ href: "" }, readers, plan, async () => {});
    const at = async (begin, end) => {
      const read = [];
      await blocks.read(begin, end, (piece) => read.push(Buffer.from(piece)));
      assert.ok(Buffer.concat(read).equals(bytes.subarray(begin, end)), `${begin}–${end}`);
    };
    await at(0, 1000);
    await at(3 * blockBytes + 5, 4 * blockBytes);
    await at(500, 2 * blockBytes);
    await blocks.close();
    await at(blockBytes - 7, blockBytes + 7);
    await blocks.close();
    assert.equal(blocks.held(blockBytes), 0);
  });
  test("an error comes when its bytes are wanted", async () => {
    const { readers } = fakeReaders(random(5));
    const failing = {
      ...readers[1],
      read: async () => {
        throw new Error("refused");
      },
    };
    const blocks = new BlockReader({ href: "" }, [failing, readers[0]], plan, async () => {});
    await blocks.read(0, 100, () => {});
    await assert.rejects(
      blocks.read(100, 2 * blockBytes, () => {}),
      /refused/,
    );
    await blocks.close();
  });
});

test("a reader's way through the layers, which are sorted as text", () => {
  const table = {};
  let at = 0;
  const names = [
    "logit_scale",
    "text.embeddings.weight",
    ...Array.from({ length: 12 }, (_, i) => `text.layers.${i}.a`),
    ...Array.from({ length: 12 }, (_, i) => `text.layers.${i}.b`),
    "vision.stem",
  ];
  for (const name of names.sort()) {
    table[name] = { dtype: "F16", shape: [10], data_offsets: [at, at + 20] };
    at += 20;
  }
  const header = new TextEncoder().encode(JSON.stringify(table));
  const runs = new TensorRuns(header);
  const first = 8 + header.length;
  const place = (name) => table[name].data_offsets.map((offset) => first + offset);
  assert.equal(runs.endOf(first), place("text.embeddings.weight")[1]);
  assert.equal(runs.endOf(first - 1), undefined);
  const [begin, end] = [place("text.layers.1.a")[0], place("text.layers.1.b")[1]];
  assert.equal(runs.endOf(begin), end);
  assert.equal(runs.after(begin + 5), begin + 5);
  assert.equal(runs.after(end), place("text.layers.2.a")[0]);
  assert.equal(runs.after(place("text.layers.9.b")[1]), place("text.layers.10.a")[0]);
  assert.equal(runs.after(place("text.layers.11.b")[1]), undefined);
  assert.equal(runs.after(place("vision.stem")[1]), undefined);
  assert.equal(new TensorRuns(new TextEncoder().encode("no JSON")).endOf(0), undefined);
});

test("names of models on a hub", () => {
  for (const text of [
    "hf:jinaai/jina-clip-v2",
    "hf:a/b@refs/pr/1",
    "hf:gpt2",
    "hf:a/b@v1 at https://mirror.example/hub",
  ])
    assert.equal(shownHub(parseHubName(text)), text);
  assert.deepEqual(parseHubName("hf:a/b"), {
    endpoint: "https://huggingface.co",
    repo: "a/b",
    revision: "main",
  });
  for (const text of [
    "a/b",
    "hf:",
    "hf:/b",
    "hf:a//b",
    "hf:a/b/c",
    "hf:a/..",
    "hf:a/b@",
    "hf:a/b@../x",
    "hf:a/b?x",
    "hf:a/b at ftp://x",
    "hf:a/b at https://u:p@x",
    "hf:a/b at https://x at https://y",
  ])
    assert.equal(parseHubName(text), undefined, text);
});
