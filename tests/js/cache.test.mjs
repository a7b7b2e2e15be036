// The cache of packs that come from a URL, on a disk: js/src/loading/{url-source,kept-model,cached-models}.ts with a real
// server and a real folder. What browsers do of their own is in tests/browser/cache.test.mjs.
import assert from "node:assert/strict";
import {
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { deleteCached, listCached, load } from "clipglot";
import { openUrlSource } from "../../dist/js/loading/url-source.js";
import { nodeStore } from "../../dist/js/platform/node/store.js";
import { fails, identical } from "../shared/check.mjs";
import { emojiPack, plainPack, sealed } from "./support/model-pack.mjs";
import { serveModel } from "./support/model-server.mjs";

const chunk = 4 << 20;
const scratch = mkdtempSync(join(tmpdir(), "clipglot-cache-"));
after(() => rmSync(scratch, { recursive: true }));
let folders = 0;
const newFolder = () => join(scratch, `${folders++}`);

const noise = (length, seed) =>
  Uint8Array.from({ length }, (_, i) => (Math.imul(i + seed, 2654435761) >>> 13) & 255);
const [one, two] = [noise(2 * chunk + 1000, 1), noise(100, 2)];
const pack = plainPack({ "a.safetensors": one, "b/c.safetensors": two });

/** A server, and a function that reads a model from it to the end: path → bytes, and whether all came from the cache. */
async function place(files, habits, use) {
  const server = await serveModel(files, habits);
  const root = newFolder();
  const open = (retry = { backoffMs: [5, 5], idleTimeoutMs: 300 }, store = nodeStore(root)) =>
    openUrlSource(server.url, { store, retry });
  const readAll = async (...options) => {
    const source = await open(...options);
    server.requests.length = 0;
    const read = { kept: true };
    try {
      for (const file of source.files) {
        const pieces = [];
        for (let at = 0; at < file.byteLength; at += 3 * chunk) {
          await source.read(
            file,
            at,
            Math.min(3 * chunk, file.byteLength - at),
            (piece, fromCache) => {
              read.kept &&= fromCache;
              pieces.push(Buffer.from(piece));
            },
          );
        }
        read[file.path] = Buffer.concat(pieces);
      }
      await source.finished();
    } finally {
      await source.close();
    }
    return read;
  };
  try {
    await use({ server, root, open, readAll });
  } finally {
    await server.close();
  }
}
const complete = (read, files = pack) => {
  for (const [path, bytes] of Object.entries(files))
    assert.ok(Buffer.from(bytes).equals(read[path]), path);
};
const fileOf = (root, bytes) => {
  const name = readdirSync(join(root, "content")).find(
    (entry) => readFileSync(join(root, "content", entry)).length === bytes,
  );
  return name && join(root, "content", name);
};
const accounts = (root) => readdirSync(join(root, "models"));

describe("bytes", () => {
  test("the second load asks for the manifest only", () =>
    place(pack, {}, async ({ server, readAll, open }) => {
      const first = await readAll();
      complete(first);
      assert.equal(first.kept, false);
      assert.deepEqual(server.requests, ["GET a.safetensors", "GET b/c.safetensors"]);
      const again = await readAll();
      complete(again);
      assert.equal(again.kept, true);
      assert.deepEqual(server.requests, []);
      const source = await open();
      assert.ok(source.files.every(({ fromCache }) => fromCache));
      await source.close();
    }));

  test("without a network, what is kept is enough", () =>
    place(pack, {}, async ({ server, readAll }) => {
      await readAll();
      await server.close();
      const offline = await readAll();
      complete(offline);
      assert.equal(offline.kept, true);
    }));

  for (const [what, habits] of Object.entries({
    "that is down": { down: true },
    "that answers with a page": { page: true },
  })) {
    test(`a server ${what} is as good as no network`, () =>
      place({ ...pack }, {}, async ({ server, readAll }) => {
        await readAll();
        Object.assign(server.habits, habits);
        assert.equal((await readAll()).kept, true);
      }));
  }

  test("a server that has the model no more: what is kept is enough, and without it the address is named", () => {
    const files = { ...pack };
    return place(files, {}, async ({ server, readAll }) => {
      await readAll();
      delete files["manifest.json"];
      assert.equal((await readAll()).kept, true);
      await fails(openUrlSource(server.url), "network", /manifest\.json: 404/);
    });
  });

  test("a broken-off download goes on at the last whole chunk", () =>
    place(pack, { breaks: [chunk + 5000], only: /^a/ }, async ({ server, readAll }) => {
      await fails(readAll({ backoffMs: [], idleTimeoutMs: 300 }), "network", /a\.safetensors/);
      complete(await readAll());
      assert.deepEqual(server.requests, [
        `GET a.safetensors bytes=${chunk}-`,
        "GET b/c.safetensors",
      ]);
      assert.equal((await readAll()).kept, true);
    }));

  test("the same with a server that ignores ranges", () =>
    place(
      pack,
      { ranges: false, breaks: [chunk + 5000], only: /^a/ },
      async ({ server, readAll }) => {
        await fails(readAll({ backoffMs: [], idleTimeoutMs: 300 }), "network", /a\.safetensors/);
        complete(await readAll());
        assert.equal(server.requests[0], `GET a.safetensors bytes=${chunk}-`);
        assert.equal((await readAll()).kept, true);
      },
    ));

  test("offline with half a model: the file that is missing is named", () =>
    place(pack, { breaks: [chunk + 5000], only: /^a/ }, async ({ server, readAll }) => {
      await fails(readAll({ backoffMs: [], idleTimeoutMs: 300 }), "network");
      await server.close();
      await fails(readAll(), "network", /a\.safetensors: cannot be fetched/);
    }));

  test("a changed pack: nothing of the old one is used, what did not change is kept", () => {
    const files = { ...pack };
    return place(files, {}, async ({ server, root, readAll }) => {
      await readAll();
      const changed = plainPack({ "a.safetensors": noise(one.length, 7), "b/c.safetensors": two });
      Object.assign(files, changed);
      complete(await readAll(), changed);
      assert.deepEqual(server.requests, ["GET a.safetensors"]);
      assert.equal(readdirSync(join(root, "content")).length, 2, "the old shard is gone");
      await server.close();
      complete(await readAll(), changed);
    });
  });

  test("a stored file that is too long, or cannot be read", () =>
    place(pack, {}, async ({ server, root, readAll }) => {
      await readAll();
      const path = fileOf(root, one.length);
      writeFileSync(path, Buffer.concat([one, two]));
      complete(await readAll());
      assert.deepEqual(server.requests, []);
      truncateSync(path, 10);
      complete(await readAll());
      const store = nodeStore(root);
      const broken = {
        ...store,
        open: async (...given) =>
          Object.assign(await store.open(...given), {
            read: async () => {
              throw new Error("gone");
            },
          }),
      };
      complete(await readAll(undefined, broken));
    }));

  test("a full disk ends the keeping, not the load", () =>
    place(pack, {}, async ({ root, readAll }) => {
      const store = nodeStore(root);
      const full = (space) => ({
        ...store,
        async open(...given) {
          let room = space;
          const file = await store.open(...given);
          const append = file.append.bind(file);
          file.append = (bytes) => {
            room -= bytes.length;
            if (room < 0) throw new Error("no room");
            append(bytes);
          };
          return file;
        },
      });
      complete(await readAll(undefined, full(chunk + 100_000)));
      complete(await readAll(undefined, full(0)));
      complete(
        await readAll(undefined, {
          ...store,
          writeWhole: async () => {
            throw new Error("no room");
          },
        }),
      );
      complete(await readAll());
      assert.equal((await readAll()).kept, true);
    }));

  test("a damaged account of a model is made anew; offline there is none", () =>
    place(pack, {}, async ({ server, root, readAll }) => {
      await readAll();
      const about = join(root, "models", accounts(root)[0]);
      writeFileSync(about, readFileSync(about, "utf8").replace("plain", "plane"));
      await readAll();
      assert.deepEqual(server.requests, [], "the shards are still good");
      writeFileSync(about, "{");
      await server.close();
      await fails(readAll(), "network", /manifest\.json: cannot be fetched/);
    }));

  test("a manifest whose hash does not fit is not kept, nor anything of that load", () =>
    place(
      {
        ...pack,
        "manifest.json": Buffer.from(String(pack["manifest.json"]).replace("plain", "plane")),
      },
      {},
      async ({ root, readAll }) => {
        await readAll();
        assert.throws(() => readdirSync(root), /ENOENT/);
      },
    ));

  test("many loads at once", () =>
    place(pack, { slow: 300_000 }, async ({ readAll }) => {
      for (const read of await Promise.all([readAll(), readAll(), readAll()])) complete(read);
      const again = await readAll();
      complete(again);
      assert.equal(again.kept, true);
    }));
});

describe("models", () => {
  const emoji = emojiPack();
  const shard = "text.safetensors";

  async function served(habits, use) {
    const server = await serveModel({ ...emoji }, habits);
    const cache = newFolder();
    const events = [];
    const open = (options = {}) =>
      load({
        model: server.url,
        variant: "simd",
        towers: ["text"],
        cache,
        onProgress: (event) => events.push(event),
        ...options,
      });
    const vector = async (options) => {
      events.length = 0;
      server.requests.length = 0;
      const embedder = await open(options);
      const { vector } = await embedder.embedText("two cats");
      await embedder.dispose();
      return vector;
    };
    try {
      await use({ server, cache, events, vector });
    } finally {
      await server.close();
    }
  }

  test("from the cache, online and offline: the same vector, and the events say so", () =>
    served({}, async ({ server, cache, events, vector }) => {
      const wanted = await vector();
      assert.ok(events.some(({ file, fromCache }) => file === shard && !fromCache));
      assert.equal(events.at(-1).fromCache, false);
      for (const offline of [false, true]) {
        if (offline) await server.close();
        identical(await vector(), wanted, "vector");
        assert.ok(
          events.length > 5 && events.every(({ fromCache }) => fromCache),
          JSON.stringify(events.find(({ fromCache }) => !fromCache)),
        );
        assert.equal(events.at(-1).progress, 100);
      }
      assert.equal(accounts(cache).length, 1);
    }));

  test("without the option nothing is kept", () =>
    served({}, async ({ server, vector }) => {
      await vector({ cache: undefined });
      await vector({ cache: false });
      assert.ok(server.requests.includes(`GET ${shard}`));
      await fails(vector({ cache: true }), "invalid-argument", /cache must be a folder/);
      await fails(vector({ cache: "https://example.org/" }), "invalid-argument", /not a path/);
    }));

  for (const [name, at] of [
    ["the first chunk", 100_000],
    ["the last chunk", chunk + 5],
  ]) {
    test(`a damaged shard in the cache, in ${name}: it is fetched again, and mended`, () =>
      served({}, async ({ server, cache, events, vector }) => {
        const wanted = await vector();
        const path = fileOf(cache, emoji[shard].length);
        const stored = readFileSync(path);
        stored[at] ^= 1;
        writeFileSync(path, stored);
        identical(await vector(), wanted, "vector");
        assert.deepEqual(server.requests.slice(1), [
          at < chunk ? `GET ${shard}` : `GET ${shard} bytes=${chunk}-`,
        ]);
        assert.ok(Buffer.from(emoji[shard]).equals(readFileSync(path)), "mended");
        const loaded = events
          .filter(({ file, status }) => file === shard && status === "progress")
          .map((event) => event.loaded);
        assert.ok(
          loaded.every((bytes, i) => i === 0 || bytes >= loaded[i - 1]) &&
            loaded.at(-1) === emoji[shard].length,
          "numbers go down",
        );
        await vector();
        assert.deepEqual(server.requests.slice(1), []);
      }));
  }

  for (const cached of [true, false]) {
    test(`a byte that is flipped on its way is noticed, and its chunk fetched again: ${cached ? "with" : "without"} a cache`, () =>
      served({ flip: { path: shard, at: chunk + 77, times: 1 } }, async ({ server, vector }) => {
        await vector(cached ? {} : { cache: false });
        assert.deepEqual(
          server.requests.filter((request) => request.includes(shard)),
          [`GET ${shard}`, `GET ${shard} bytes=${chunk}-`],
        );
      }));

    test(`if it is flipped each time, the file is named, and nothing of it is kept: ${cached ? "with" : "without"} a cache`, () =>
      served(
        { flip: { path: shard, at: chunk + 77, times: Infinity } },
        async ({ server, vector }) => {
          const options = cached ? {} : { cache: false };
          await fails(vector(options), "corrupt-model", /text\.safetensors: sha256/);
          assert.equal(server.requests.filter((request) => request.includes(shard)).length, 2);
          server.habits.flip = undefined;
          await vector(options);
        },
      ));
  }

  test("a cached shard is damaged, and so is what comes for it", () =>
    served({}, async ({ server, cache, vector }) => {
      await vector();
      writeFileSync(fileOf(cache, emoji[shard].length), noise(emoji[shard].length, 3));
      server.habits.flip = { path: shard, at: 77, times: Infinity };
      await fails(vector(), "corrupt-model", /text\.safetensors/);
      assert.equal(server.requests.filter((request) => request.includes(shard)).length, 2);
    }));

  test("several loads of one model at once", () =>
    served({ slow: 400_000 }, async ({ vector }) => {
      const [a, b, c] = await Promise.all([vector(), vector(), vector()]);
      identical(a, b, "vectors");
      identical(a, c, "vectors");
      identical(await vector(), a, "vector from the cache");
    }));

  test("an abort in the middle; the next load goes on from there", () =>
    served({ slow: 300_000, only: /text/ }, async ({ server, vector }) => {
      const abort = new AbortController();
      const onProgress = ({ file, loaded }) =>
        file === shard && loaded > chunk + 100_000 && abort.abort("enough");
      assert.equal(
        await vector({ signal: abort.signal, onProgress }).catch((reason) => reason),
        "enough",
      );
      await vector();
      assert.deepEqual(server.requests.slice(1), [`GET ${shard} bytes=${chunk}-`]);
    }));

  test("an address for each file: on disk, and at URLs with the cache", () =>
    served({}, async ({ server, cache, vector }) => {
      const on = (base) => ({
        files: Object.fromEntries(Object.keys(emoji).map((path) => [path, new URL(path, base)])),
      });
      const wanted = await vector();
      const folder = newFolder();
      await load({ model: server.url, variant: "simd", cache: folder }).then((embedder) =>
        embedder.dispose(),
      );
      // The emoji model of the repository has other shards, and the same weights.
      const disk = on(new URL("../../models/emoji/", import.meta.url));
      delete disk.files[shard];
      const { shards } = JSON.parse(readFileSync(disk.files["manifest.json"]));
      for (const { path } of shards)
        disk.files[path] = new URL(path, disk.files["manifest.json"]).href;
      identical(await vector({ model: disk }), wanted, "vector");
      identical(await vector({ model: on(server.url) }), wanted, "vector");
      identical(await vector({ model: on(server.url) }), wanted, "vector");
      assert.deepEqual(server.requests, ["GET manifest.json"]);
      assert.equal((await listCached({ cache })).length, 2);
      assert.equal(await deleteCached(on(server.url), { cache }), true);
      await fails(
        vector({ model: { files: { "manifest.json": 7 } } }),
        "invalid-argument",
        /model\.files\["manifest\.json"\]/,
      );
      await fails(
        vector({ model: { files: {} } }),
        "invalid-argument",
        /neither manifest\.json nor config\.json/,
      );
      const missing = on(server.url);
      delete missing.files[shard];
      await fails(vector({ model: missing }), "corrupt-model", /text\.safetensors: missing/);
      await fails(
        vector({ model: { files: { ...missing.files, x: pathToFileURL(folder) } } }),
        "invalid-argument",
        /some are on disk/,
      );
    }));

  test("listing and deleting", () =>
    served({}, async ({ server, cache, vector }) => {
      assert.deepEqual(await listCached({ cache }), []);
      await vector();
      const sum = (paths) => paths.reduce((total, path) => total + emoji[path].length, 0);
      const [entry, ...others] = await listCached({ cache });
      assert.deepEqual(others, []);
      const { modelId, license } = JSON.parse(emoji["manifest.json"]);
      assert.deepEqual(
        [entry.model, entry.modelId, entry.license, entry.bytes, entry.totalBytes, entry.towers],
        [
          server.url,
          modelId,
          license,
          sum(["manifest.json", "tokenizer.json", shard]),
          sum(Object.keys(emoji)),
          ["text"],
        ],
      );
      assert.equal(await deleteCached(entry.model, { cache }), true);
      assert.equal(await deleteCached(server.url.slice(0, -1), { cache }), false);
      assert.deepEqual(await listCached({ cache: pathToFileURL(cache) }), []);
      await vector();
      assert.equal(await deleteCached(new URL(server.url), { cache }), true);
      await fails(listCached(), "invalid-argument", /cache must be the folder/);
      await fails(deleteCached("", { cache }), "invalid-argument", /model must be a URL/);
    }));

  test("a manifest of another version of the format is refused, from the cache as from the network", () =>
    served({}, async ({ server, vector }) => {
      await server.close();
      const other = await serveModel({
        ...emoji,
        "manifest.json": sealed({ ...JSON.parse(emoji["manifest.json"]), formatVersion: 99 }),
      });
      try {
        for (const _ of [1, 2])
          await fails(vector({ model: other.url }), "unsupported-version", /99/);
      } finally {
        await other.close();
      }
    }));
});
