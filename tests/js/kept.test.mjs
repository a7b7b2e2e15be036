// One model under many addresses, and its versions: js/src/loading/{cache-accounts,cache-entry,model-key}.ts and what load() says
// when nothing can be kept.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { deleteCached, listCached, load } from "clipglot";
import { openUrlSource } from "../../dist/js/loading/url-source.js";
import { nodeStore } from "../../dist/js/platform/node/store.js";
import { fails, identical } from "../shared/check.mjs";
import { emojiPack, plainPack, sealed } from "./support/model-pack.mjs";
import { serveModel } from "./support/model-server.mjs";

const scratch = mkdtempSync(join(tmpdir(), "clipglot-kept-"));
after(() => rmSync(scratch, { recursive: true }));
let folders = 0;
const newFolder = () => join(scratch, `${folders++}`);
const noise = (length, seed) =>
  Uint8Array.from({ length }, (_, i) => (Math.imul(i + seed, 2654435761) >>> 13) & 255);
const [one, two] = [
  plainPack({ "a.safetensors": noise(5000, 1), "b.safetensors": noise(100, 2) }),
  plainPack({ "a.safetensors": noise(6000, 3), "b.safetensors": noise(100, 2) }),
];
const under = (prefix, files) =>
  Object.fromEntries(Object.entries(files).map(([path, bytes]) => [prefix + path, bytes]));
const retry = { backoffMs: [2, 2], idleTimeoutMs: 20_000, fallbackTimeoutMs: 20_000 };

/** Reads a model to its end; gives the paths that came over the network. */
async function readAll(address, root) {
  const source = await openUrlSource(address, { store: nodeStore(root), retry });
  const sent = new Set();
  for (const file of source.files)
    await source.read(file, 0, file.byteLength, (_, fromCache) => fromCache || sent.add(file.path));
  await source.finished();
  await source.close();
  return [...sent].sort();
}
async function serve(files, use, habits = {}) {
  const server = await serveModel(files, habits);
  try {
    return await use(server);
  } finally {
    await server.close();
  }
}
const contents = (root) => readdirSync(join(root, "content")).length;

describe("the same content under another address is not fetched again", () => {
  const files = {
    ...under("v1/", one),
    ...under("v2/", one),
    "manifest-3f2a.json": one["manifest.json"],
    "a-77.bin": one["a.safetensors"],
    "b-78.bin": one["b.safetensors"],
  };
  for (const [what, other] of Object.entries({
    "another signature": (url) => `${url}v1/?sig=two`,
    "a folder for each release": (url) => `${url}v2/`,
    "names with hashes": (url) => ({
      "manifest.json": `${url}manifest-3f2a.json`,
      "a.safetensors": `${url}a-77.bin`,
      "b.safetensors": `${url}b-78.bin`,
    }),
  })) {
    test(what, () =>
      serve(files, async ({ url }) => {
        const root = newFolder();
        assert.deepEqual(await readAll(`${url}v1/?sig=one`, root), [
          "a.safetensors",
          "b.safetensors",
          "manifest.json",
        ]);
        const sent = await readAll(other(url), root);
        assert.deepEqual(
          sent.filter((path) => path !== "manifest.json"),
          [],
        );
        assert.equal(contents(root), 2);
      }),
    );
  }

  test("of a release that changes a part, only that part is fetched", () =>
    serve({ ...under("v1/", one), ...under("v2/", two) }, async ({ url }) => {
      const root = newFolder();
      await readAll(`${url}v1/`, root);
      assert.deepEqual(await readAll(`${url}v2/`, root), ["a.safetensors", "manifest.json"]);
    }));
});

describe("queries", () => {
  test("that of a folder's address goes with each file, and is never written down", () =>
    serve(one, async ({ url }) => {
      const asked = [];
      const server = await serveModel(one, {
        answer: (_, request) => void asked.push(request.url),
      });
      const root = newFolder();
      await readAll(`${server.url}?sig=secret&v=1`, root);
      assert.ok(
        asked.length === 3 && asked.every((address) => address.endsWith("?sig=secret&v=1")),
        asked.join(),
      );
      const [kept] = await listCached({ cache: root });
      assert.equal(kept.model, server.url);
      for (const name of readdirSync(join(root, "models")))
        assert.doesNotMatch(readFileSync(join(root, "models", name), "utf8"), /secret/);
      await server.close();
      assert.deepEqual(
        await readAll(`${server.url}?sig=later&v=1`, root),
        [],
        "without a network, under another signature",
      );
      await fails(
        openUrlSource(`${server.url}?sig=later&v=2`, { store: nodeStore(root), retry }),
        "network",
      );
      assert.equal(await deleteCached(kept.model, { cache: root }), true);
      assert.ok(url);
    }));

  test("load() sends it too, in Node", () =>
    serve(emojiPack(), async ({ url, habits }) => {
      const asked = [];
      habits.answer = (_, request) => void asked.push(request.url);
      await load({ model: `${url}?sig=1#x`, variant: "simd", towers: ["text"] }).then((embedder) =>
        embedder.dispose(),
      );
      assert.ok(
        asked.length >= 3 && asked.every((address) => address.endsWith("?sig=1")),
        asked.join(),
      );
      await fails(
        load({ model: url.replace("://", "://user:word@") }),
        "invalid-argument",
        /headers/,
      );
    }));
});

describe("what goes", () => {
  test("a release that two loads in a row did without", () =>
    serve({ ...under("v1/", one), ...under("v2/", two) }, async ({ url }) => {
      const root = newFolder();
      await readAll(`${url}v1/`, root);
      await readAll(`${url}v2/`, root);
      assert.equal((await listCached({ cache: root })).length, 2);
      await readAll(`${url}v2/`, root);
      assert.deepEqual(
        (await listCached({ cache: root })).map(({ model }) => model),
        [`${url}v2/`],
      );
      assert.equal(contents(root), 2);
    }));

  test("two revisions that are both in use stay", () =>
    serve({ ...under("v1/", one), ...under("v2/", two) }, async ({ url }) => {
      const root = newFolder();
      await readAll(`${url}v1/`, root);
      await readAll(`${url}v2/`, root);
      for (let i = 0; i < 3; i++)
        for (const version of ["v1/", "v2/"])
          assert.deepEqual(await readAll(url + version, root), []);
    }));

  test("deleting one address leaves what another one shares", () =>
    serve({ ...under("v1/", one), ...under("v2/", two) }, async ({ url }) => {
      const root = newFolder();
      await readAll(`${url}v1/`, root);
      await readAll(`${url}v2/`, root);
      assert.equal(await deleteCached(`${url}v1/`, { cache: root }), true);
      assert.deepEqual(await readAll(`${url}v2/`, root), []);
      assert.equal(await deleteCached(`${url}v2/`, { cache: root }), true);
      assert.equal(contents(root), 0);
    }));

  test("copies of the layout before this one", () =>
    serve(one, async ({ url }) => {
      const root = newFolder();
      const old = join(root, "0123456789abcdef0123456789abcdef");
      mkdirSync(old, { recursive: true });
      writeFileSync(join(old, "model.json"), "{}");
      mkdirSync(join(root, "fedcba9876543210fedcba9876543210"));
      await readAll(url, root);
      assert.equal(existsSync(old), false);
      assert.ok(existsSync(join(root, "fedcba9876543210fedcba9876543210")), "somebody else's");
    }));
});

describe("versions never mix", () => {
  const emoji = emojiPack();
  const manifest = JSON.parse(emoji["manifest.json"]);
  const renamed = { ...emoji, "manifest.json": sealed({ ...manifest, revision: "next" }) };
  const vectorOf = async (options) => {
    const embedder = await load({ variant: "simd", towers: ["text"], ...options });
    const { vector } = await embedder.embedText("two cats");
    const { revision } = embedder.info;
    await embedder.dispose();
    return { vector, revision };
  };
  // The newer version: as another one, its shard is padded by a changed header, so that every hash is another.
  const shard = "text.safetensors";
  const length = Number(emoji[shard].readBigUInt64LE(0));
  const grown = Buffer.concat([
    emoji[shard].subarray(0, 8),
    emoji[shard].subarray(8, 8 + length),
    Buffer.from("        "),
    emoji[shard].subarray(8 + length),
  ]);
  grown.writeBigUInt64LE(BigInt(length + 8));
  const newer = { ...emoji, [shard]: grown };
  newer["manifest.json"] = sealed({
    ...manifest,
    revision: "next",
    shards: manifest.shards.map((entry) =>
      entry.path === shard ? described(entry, grown) : entry,
    ),
  });

  test("an old manifest of some cache beside new shards: it is asked for anew, and the load begins anew", () => {
    let asked = 0;
    const answer = (path, _, response) => {
      if (path !== "manifest.json" || asked++ > 0) return false;
      response.writeHead(200).end(emoji["manifest.json"]);
      return true;
    };
    return serve(
      newer,
      async ({ url }) => {
        const events = [];
        const { revision, vector } = await vectorOf({
          model: url,
          onProgress: (event) => events.push(event),
        });
        assert.equal(revision, "next");
        identical(vector, (await vectorOf({ model: url })).vector, "vector");
        for (const path of Object.keys(newer)) {
          const loaded = events
            .filter(({ file, status }) => file === path && status === "progress")
            .map((event) => event.loaded);
          assert.ok(
            loaded.every((bytes, i) => i === 0 || bytes >= loaded[i - 1]),
            `${path}: numbers go down`,
          );
        }
      },
      { answer },
    );
  });

  test("a manifest that is always the old one ends in an error", () =>
    serve({ ...newer, "manifest.json": emoji["manifest.json"] }, async ({ url, requests }) => {
      await fails(vectorOf({ model: url }), "corrupt-model", /text\.safetensors/);
      assert.ok(
        requests.filter((request) => request === "GET manifest.json").length <= 3,
        requests.join(),
      );
    }));

  for (const [what, habits] of Object.entries({
    "whose shards are gone": {
      answer(path, _, response) {
        if (path !== shard) return false;
        response.writeHead(404).end();
        return true;
      },
    },
    "whose shards are damaged": { flip: { path: shard, at: 1000, times: Infinity } },
    "that breaks off in the middle": { only: /text\.saf/, breakAfter: 100_000 },
  })) {
    test(`a new version ${what}: the kept one is taken as a whole, and the new one when it can be had`, () => {
      const files = { ...emoji };
      return serve(files, async ({ url, habits: now }) => {
        const cache = newFolder();
        const old = await vectorOf({ model: url, cache });
        Object.assign(files, newer);
        Object.assign(now, habits);
        for (const _ of [1, 2]) {
          const kept = await vectorOf({ model: url, cache });
          assert.equal(kept.revision, manifest.revision);
          identical(kept.vector, old.vector, "vector");
        }
        Object.assign(now, { answer: undefined, flip: undefined, breakAfter: undefined });
        assert.equal((await vectorOf({ model: url, cache })).revision, "next");
        assert.equal(contents(cache), 2, "the old shard is gone");
      });
    });
  }

  test("a new version of a format that this package does not know", () => {
    const files = { ...emoji };
    return serve(files, async ({ url }) => {
      const cache = newFolder();
      await vectorOf({ model: url, cache });
      files["manifest.json"] = sealed({ ...manifest, formatVersion: 99 });
      assert.equal((await vectorOf({ model: url, cache })).revision, manifest.revision);
      await fails(vectorOf({ model: url }), "unsupported-version", /99/);
    });
  });

  test("a manifest that changed, its shards did not: nothing else is fetched", () => {
    const files = { ...emoji };
    return serve(files, async ({ url, requests }) => {
      const cache = newFolder();
      await vectorOf({ model: url, cache });
      Object.assign(files, renamed);
      requests.length = 0;
      assert.equal((await vectorOf({ model: url, cache })).revision, "next");
      assert.deepEqual(requests, ["GET manifest.json"]);
    });
  });

  test("a cache that cannot be written says so once, and the load goes on", () =>
    serve(emoji, async ({ url }) => {
      const file = newFolder();
      writeFileSync(file, "not a folder");
      const warnings = [];
      const { vector } = await vectorOf({
        model: url,
        cache: file,
        onWarning: (warning) => warnings.push(warning),
      });
      identical(vector, (await vectorOf({ model: url })).vector, "vector");
      assert.deepEqual(
        warnings.map(({ code }) => code),
        ["not-kept"],
      );
      assert.match(warnings[0].detail, /ENOTDIR|EEXIST/);
      await fails(listCached({ cache: file }), "unreadable", /cache cannot be read/);
      const good = [];
      await vectorOf({
        model: url,
        cache: newFolder(),
        onWarning: (warning) => good.push(warning),
      });
      assert.deepEqual(good, []);
    }));

  test("what somebody else has put into the cache's folder does not matter", () =>
    serve(emoji, async ({ url }) => {
      const cache = newFolder();
      const { vector } = await vectorOf({ model: url, cache });
      for (const folder of [cache, join(cache, "content"), join(cache, "models")]) {
        mkdirSync(join(folder, "a folder"));
        writeFileSync(join(folder, "a file"), "x");
        symlinkSync("nowhere", join(folder, "a link"));
        execFileSync("mkfifo", [join(folder, "a pipe")]);
      }
      execFileSync("mkfifo", [join(cache, "models", `${"0".repeat(32)}.json`)]);
      identical((await vectorOf({ model: url, cache })).vector, vector, "vector");
      assert.equal((await listCached({ cache })).length, 1);
      assert.equal(await deleteCached(url, { cache }), true);
    }));

  function described(entry, bytes) {
    const [only] = JSON.parse(plainPack({ [entry.path]: bytes })["manifest.json"]).shards;
    return { ...entry, bytes: only.bytes, sha256: only.sha256 };
  }
});
