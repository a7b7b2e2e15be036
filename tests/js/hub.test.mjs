// Models by their names on a hub: js/src/loading/hub-*.ts, js/src/worker/convert/. The server is as Hugging Face's
// (support/hub-server.mjs), the model is golden-a.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { deleteCached, listCached, load } from "clipglot";
import { pack } from "../../tools/pack/pack.mjs";
import { fails, identical } from "../shared/check.mjs";
import { golden } from "./support/checkpoint.mjs";
import { startHubServer } from "./support/hub-server.mjs";

const scratch = mkdtempSync(join(tmpdir(), "clipglot-hub-"));
let folders = 0;
const newFolder = () => join(scratch, `${folders++}`);
const names = [
  "config.json",
  "preprocessor_config.json",
  "tokenizer.json",
  "model.safetensors",
  "README.md",
];
const files = Object.fromEntries(
  names.map((name) => [
    name,
    existsSync(join(golden, name)) ? readFileSync(join(golden, name)) : Buffer.from(`# ${name}`),
  ]),
);
const token = "hf_secretSecretSecret";
const pixels = {
  data: Uint8Array.from({ length: 256 }, (_, i) => (i * 37) & 255),
  width: 8,
  height: 8,
};

let hub;
const wanted = {};
before(async () => {
  hub = await startHubServer({ files });
  for (const dtype of ["q8", "q4", "f32"]) {
    const out = newFolder();
    await pack({
      source: golden,
      out,
      dtype,
      modelId: hub.repo,
      revision: hub.commit,
      license: "cc-by-nc-4.0",
    });
    wanted[dtype] = { out, ...(await vectorsOf({ model: out })) };
  }
});
after(async () => {
  await hub.close();
  rmSync(scratch, { recursive: true });
});

const model = (more = {}) => ({ hub: { repo: hub.repo, endpoint: hub.endpoint, ...more } });
const options = (more = {}) => ({ model: model(), variant: "simd", maxTokens: 64, ...more });

async function vectorsOf(more) {
  const embedder = await load(options(more));
  try {
    const vectors = [];
    if (embedder.info.towers.includes("text"))
      vectors.push(...(await embedder.embedText("two cats")).vector);
    if (embedder.info.towers.includes("vision"))
      vectors.push(...(await embedder.embedImage(pixels)).vector);
    return { vectors: Float32Array.from(vectors), info: embedder.info };
  } finally {
    await embedder.dispose();
  }
}

describe("the first load converts, the second needs no network", () => {
  for (const dtype of ["q8", "q4", "f32"]) {
    test(dtype, async () => {
      hub.set({ down: false, rate: 0 });
      const cache = newFolder();
      const warnings = [];
      const first = await vectorsOf({
        dtype,
        cache,
        onWarning: (warning) => warnings.push(warning),
      });
      assert.deepEqual(warnings, []);
      identical(first.vectors, wanted[dtype].vectors);
      assert.equal(first.info.modelId, hub.repo);
      assert.equal(first.info.revision, hub.commit);
      assert.equal(first.info.license, "cc-by-nc-4.0");
      assert.equal(first.info.dtype, dtype);
      assert.equal(
        hub.bytesAsked("model.safetensors"),
        files["model.safetensors"].length,
        "each byte is asked for once",
      );
      hub.set({ down: true });
      const second = await vectorsOf({ dtype, cache });
      identical(second.vectors, wanted[dtype].vectors);
      hub.set({ down: false });
      assert.deepEqual(hub.requests, []);
      // What is kept is the converter's pack, byte for byte.
      const manifest = readFileSync(join(wanted[dtype].out, "manifest.json"), "utf8");
      const [account] = readdirSync(join(cache, "models"));
      const { versions } = JSON.parse(readFileSync(join(cache, "models", account), "utf8"));
      assert.deepEqual(versions, [manifest]);
      assert.deepEqual(
        readdirSync(cache).sort(),
        ["content", "conversions", "models"].filter((name) => existsSync(join(cache, name))),
      );
      assert.deepEqual(readdirSync(join(cache, "conversions")), []);
    });
  }

  test("one tower alone; both serve for one", async () => {
    const cache = newFolder();
    hub.set({ rate: 0 });
    const text = await vectorsOf({ towers: ["text"], cache });
    identical(text.vectors, wanted.q8.vectors.subarray(0, text.vectors.length));
    assert.ok(hub.bytesAsked("model.safetensors") <= files["model.safetensors"].length);
    const both = await vectorsOf({ cache });
    identical(both.vectors, wanted.q8.vectors);
    hub.set({ down: true });
    const vision = await vectorsOf({ towers: ["vision"], cache });
    identical(vision.vectors, wanted.q8.vectors.subarray(text.vectors.length));
    hub.set({ down: false });
  });

  test("without a cache, everything is verified all the same", async () => {
    hub.set({ rate: 0 });
    identical((await vectorsOf({})).vectors, wanted.q8.vectors);
    for (let seed = 0; seed < 4; seed++) {
      hub.set({ rate: 1, names: ["flipped"], only: "model.safetensors", seed });
      await fails(load(options()), "corrupt-model");
    }
    hub.set({ rate: 0, only: undefined });
  });
});

describe("names", () => {
  test("a revision becomes a commit", async () => {
    hub.set({ rate: 0 });
    for (const revision of ["v1", hub.commit]) {
      hub.set({});
      const { info } = await vectorsOf({ model: model({ revision }), towers: ["text"] });
      assert.equal(info.revision, hub.commit);
      const revisions = hub.requests
        .filter(({ path }) => /\/(tree|resolve|resolve-cache)\//.test(path))
        .map(({ path }) => path);
      assert.ok(
        revisions.length > 3 && revisions.every((path) => path.includes(hub.commit)),
        revisions.join(),
      );
    }
  });
  test("lists of files have pages", async () => {
    hub.set({ pageSize: 2 });
    identical((await vectorsOf({})).vectors, wanted.q8.vectors);
    hub.set({ pageSize: 1000 });
  });
  for (const name of [
    "hf:",
    "hf:a/b/c",
    "hf:../x",
    "hf:a/b@",
    "hf:a/b@c@d",
    "hf:a/..b",
    "hf:a b/c",
  ])
    test(`${JSON.stringify(name)} is refused`, () =>
      fails(load({ model: name }), "invalid-argument", /OWNER\/NAME/));
  for (const [bad, what] of [
    [{ repo: 3 }, /model\.hub\.repo/],
    [{ repo: "a/b", revision: "" }, /model\.hub\.revision/],
    [{ repo: "a/b", endpoint: "ftp://x" }, /model\.hub\.endpoint/],
    [{ repo: "a/b", endpoint: "https://a:b@x" }, /model\.hub\.endpoint/],
    [{ repo: "a/b", token: "a b" }, /model\.hub\.token/],
    [{ repo: "a/b", fetch: 3 }, /model\.hub\.fetch/],
    [{ repo: "a/b", tokn: "x" }, /tokn/],
  ])
    test(`${JSON.stringify(bad)} is refused`, () =>
      fails(load({ model: { hub: bad } }), "invalid-argument", what));
});

describe("refusals say what to do", () => {
  test("a model without tensors", async () => {
    const { "model.safetensors": tensors, ...others } = files;
    hub.set({ files: others });
    await fails(load(options()), "unsupported-model", /has no model\.safetensors/);
    hub.set({ files: { ...others, "model.safetensors": tensors } });
  });
  test("there is no such model", () =>
    fails(
      load(options({ model: model({ repo: "someone/else" }) })),
      "network",
      /no such model, or it is private/,
    ));
  test("there is no such revision", () =>
    fails(load(options({ model: model({ revision: "v9" }) })), "network", /no revision "v9"/));
  test("a gated model", async () => {
    hub.set({ gated: true, token });
    await fails(load(options()), "network", /accept them at .*someone\/golden-a.*token/);
    const { info } = await vectorsOf({ model: model({ token }), towers: ["text"] });
    assert.equal(info.modelId, hub.repo);
    hub.set({ gated: false, token: undefined });
  });
  test("what is no hub", async () => {
    await fails(load(options({ model: model({ endpoint: hub.cdn }) })), "network", /./);
  });
});

describe("a token", () => {
  test("goes to the hub and nowhere else, and no request costs a preflight for anything else", async () => {
    hub.set({ token });
    const cache = newFolder();
    const said = [];
    const embedder = await load(
      options({
        model: model({ token }),
        cache,
        towers: ["text"],
        onProgress: (event) => said.push(JSON.stringify(event)),
        onWarning: (event) => said.push(JSON.stringify(event)),
      }),
    );
    said.push(JSON.stringify(embedder.info), JSON.stringify(await listCached({ cache })));
    await embedder.dispose();
    assert.ok(hub.requests.length > 5);
    for (const { at, headers } of hub.requests)
      assert.equal(headers.authorization, at === "hub" ? `Bearer ${token}` : undefined, at);
    const walk = (folder) =>
      readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
        entry.isDirectory() ? walk(join(folder, entry.name)) : [join(folder, entry.name)],
      );
    for (const path of walk(cache))
      assert.ok(!path.includes(token) && !readFileSync(path).includes(token), path);
    assert.ok(!said.join("\n").includes(token));
    hub.set({ token: "another" });
    for (const given of [token, undefined]) {
      const error = await load(options({ model: model(given ? { token: given } : {}) })).catch(
        (reason) => reason,
      );
      assert.equal(error.code, "network");
      assert.ok(
        !`${error.stack}${error.detail}${JSON.stringify(error)}${error.cause}`.includes(token),
      );
    }
    hub.set({ token: undefined });
  });
  test("with a fetch of one's own, for the hub's files alone", async () => {
    hub.set({ token });
    const asked = [];
    const own = (url, init) => {
      asked.push([url, init.headers]);
      return fetch(url, init);
    };
    const { vectors } = await vectorsOf({ model: model({ token, fetch: own }), towers: ["text"] });
    identical(vectors, wanted.q8.vectors.subarray(0, vectors.length));
    assert.ok(asked.length > 4 && asked.every(([url]) => url.startsWith(hub.endpoint)));
    hub.set({ token: undefined });
  });
});

test("no request has If-Range, asks by HEAD or remembers a signed address", async () => {
  hub.set({ lifetimeMs: 300, throttle: 0 });
  await vectorsOf({});
  for (const { method, headers } of hub.requests) {
    assert.equal(method, "GET");
    assert.equal(headers["if-range"], undefined);
  }
  const [toHub, toCdn] = ["hub", "cdn"].map(
    (at) =>
      hub.requests.filter(
        (request) => request.at === at && /safetensors|tokenizer/.test(request.path),
      ).length,
  );
  assert.equal(toHub, toCdn, "each range goes through the hub");
  hub.set({ lifetimeMs: 60_000 });
});

describe("what is cut short goes on", () => {
  test("a load that was aborted", async () => {
    hub.set({ rate: 0, throttle: 1_500_000 });
    const cache = newFolder();
    const size = files["model.safetensors"].length;
    let total = 0;
    for (let attempt = 0; attempt < 4; attempt++) {
      const stop = new AbortController();
      const reason = await load(
        options({
          cache,
          signal: stop.signal,
          onProgress: ({ status, loaded }) =>
            status === "progress_total" &&
            loaded > ((attempt + 1) * size) / 6 &&
            stop.abort("enough"),
        }),
      ).catch((error) => error);
      assert.equal(reason, "enough");
      const [listed] = await listCached({ cache });
      assert.equal(listed.model, `hf:${hub.repo} at ${hub.endpoint}`);
      assert.deepEqual(listed.towers, []);
      assert.ok(listed.bytes > 0 && listed.bytes < listed.totalBytes * 3);
    }
    hub.set({ throttle: 0 });
    identical((await vectorsOf({ cache })).vectors, wanted.q8.vectors);
    total = hub.bytesAsked("model.safetensors");
    assert.ok(total < size / 2, `the last load asked for ${total} of ${size} bytes`);
    const [listed, ...others] = await listCached({ cache });
    assert.equal(others.length, 0);
    assert.equal(listed.bytes, listed.totalBytes);
    assert.deepEqual(listed.towers, ["text", "vision"]);
  });

  test("deleteCached removes what is kept, whole or in part", async () => {
    const cache = newFolder();
    hub.set({ throttle: 1_500_000 });
    const stop = new AbortController();
    await load(
      options({
        cache,
        signal: stop.signal,
        onProgress: ({ loaded }) => loaded > 200_000 && stop.abort(),
      }),
    ).catch(() => {});
    hub.set({ throttle: 0 });
    await vectorsOf({ cache, dtype: "q4", towers: ["text"] });
    assert.equal((await listCached({ cache })).length, 2);
    // As listCached names it; the same as { hub }.
    assert.equal(await deleteCached(`hf:${hub.repo} at ${hub.endpoint}`, { cache }), true);
    assert.deepEqual(await listCached({ cache }), []);
    for (const folder of readdirSync(cache))
      assert.deepEqual(readdirSync(join(cache, folder)), [], folder);
    assert.equal(await deleteCached(model(), { cache }), false);
  });

  test("two loads at once: one converts, the other waits", async () => {
    const cache = newFolder();
    hub.set({ throttle: 4_000_000 });
    const both = await Promise.all([vectorsOf({ cache }), vectorsOf({ cache })]);
    for (const { vectors } of both) identical(vectors, wanted.q8.vectors);
    assert.equal(hub.bytesAsked("model.safetensors"), files["model.safetensors"].length);
    hub.set({ throttle: 0 });
  });
});

describe("what is kept and damaged", () => {
  test("a byte anywhere in a kept pack is found, and the pack made anew", async () => {
    hub.set({ rate: 0 });
    const cache = newFolder();
    await vectorsOf({ cache });
    for (const name of readdirSync(join(cache, "content"))) {
      const path = join(cache, "content", name);
      const bytes = readFileSync(path);
      bytes[Math.floor(bytes.length / 2)] ^= 1;
      writeFileSync(path, bytes);
    }
    identical((await vectorsOf({ cache })).vectors, wanted.q8.vectors);
    hub.set({ down: true });
    identical((await vectorsOf({ cache })).vectors, wanted.q8.vectors);
    hub.set({ down: false });
  });
  for (const place of [0.01, 0.2, 0.5, 0.75, 0.95])
    test(`a byte of what an interrupted load left, at ${place} of each file`, async () => {
      const cache = newFolder();
      hub.set({ throttle: 3_000_000 });
      const stop = new AbortController();
      await load(
        options({
          cache,
          signal: stop.signal,
          onProgress: ({ status, loaded }) =>
            status === "progress_total" && loaded > place * 1_400_000 && stop.abort(),
        }),
      ).catch(() => {});
      hub.set({ throttle: 0 });
      for (const folder of readdirSync(cache)) {
        if (!/^(content|download-)/.test(folder)) continue;
        for (const name of readdirSync(join(cache, folder))) {
          const path = join(cache, folder, name);
          const bytes = readFileSync(path);
          if (bytes.length === 0) continue;
          bytes[Math.floor(bytes.length * place)] ^= 1;
          writeFileSync(path, bytes);
        }
      }
      // It is found at the latest by the hash over the whole; then nothing of it stays.
      const first = await vectorsOf({ cache }).catch((error) => error);
      if (first.vectors) identical(first.vectors, wanted.q8.vectors);
      else assert.equal(first.code, "corrupt-model");
      identical((await vectorsOf({ cache })).vectors, wanted.q8.vectors);
    });
});

test("progress: one scale for download and conversion, with the licence and the time that is left", async () => {
  hub.set({ throttle: 1_000_000 });
  const events = [];
  await (await load(options({ onProgress: (event) => events.push(event) }))).dispose();
  hub.set({ throttle: 0 });
  const totals = events.filter(({ status }) => status === "progress_total");
  assert.ok(totals.length > 5);
  for (const [i, { loaded, total, progress, license }] of totals.entries()) {
    assert.equal(license, "cc-by-nc-4.0");
    assert.ok(total === totals[0].total && loaded <= total && progress <= 100);
    if (i > 0) assert.ok(loaded >= totals[i - 1].loaded && progress >= totals[i - 1].progress);
  }
  assert.ok(Math.abs(totals[0].total - files["model.safetensors"].length) < 200_000);
  assert.equal(events.at(-1).status, "ready");
});
