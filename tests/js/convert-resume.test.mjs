// A conversion that is killed, whose disk is full or whose server goes away, leaves nothing valid behind and goes on where it was; the pack has the
// same bytes as one that was made at once.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createServer } from "node:http";
import {
  cpSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { convertModel } from "../../dist/js/convert/convert.js";
import { golden } from "./support/checkpoint.mjs";

const scratch = mkdtempSync(join(tmpdir(), "clipglot-resume-"));
after(() => rmSync(scratch, { recursive: true }));
const source = join(scratch, "source");
const about = { source, modelId: "golden-a", revision: "7", license: "none" };
const convert = (out, options = {}) => convertModel({ ...about, out, ...options });
const killed = fileURLToPath(new URL("support/killed-convert.mjs", import.meta.url));
const state = ".clipglot-convert.state";

let whole, written;
before(async () => {
  cpSync(golden, source, { recursive: true });
  whole = join(scratch, "whole");
  written = 0;
  await convert(whole, {
    write(file, bytes, offset, length) {
      written += length;
      return writeSync(file, bytes, offset, length);
    },
  });
});

function assertWhole(out) {
  assert.deepEqual(readdirSync(out).sort(), readdirSync(whole).sort());
  for (const name of readdirSync(whole))
    assert.ok(readFileSync(join(out, name)).equals(readFileSync(join(whole, name))), name);
}
/** What a run leaves that is killed when it has written so many bytes. */
const folderAfterKill = (name, bytes) => {
  const out = join(scratch, name);
  rmSync(out, { recursive: true, force: true });
  const { signal, status, stderr } = spawnSync(
    process.execPath,
    [killed, JSON.stringify({ ...about, out }), String(bytes)],
    { encoding: "utf8" },
  );
  assert.equal(signal, "SIGKILL", `${status} ${stderr}`);
  return out;
};

test("killed anywhere, it goes on and gives the same bytes", async () => {
  const resumed = [];
  for (const share of [0.001, 0.1, 0.25, 0.45, 0.6, 0.75, 0.9, 0.995, 0.9999]) {
    const out = folderAfterKill("killed", Math.floor(written * share));
    assert.ok(!readdirSync(out).includes("manifest.json"), `valid after ${share}`);
    const { resumedShards } = await convert(out);
    resumed.push(resumedShards);
    assertWhole(out);
  }
  assert.deepEqual(resumed, [...resumed].sort(), "the later it was killed, the more is left");
  assert.deepEqual([resumed[0], resumed.at(-1)], [0, 3]);
});

test("what is finished is not read again", async () => {
  const out = folderAfterKill("read", Math.floor(written * 0.9));
  const seen = [];
  const { resumedShards } = await convert(out, { onProgress: (progress) => seen.push(progress) });
  assert.ok(resumedShards >= 2);
  const [first, last] = [seen.find(({ total }) => total > 0), seen.at(-1)];
  assert.ok(first.resumed > first.total / 3, JSON.stringify(first));
  assert.equal(last.done, last.total);
  assertWhole(out);
});

test("a state of another conversion, or with damaged files, is not used", async () => {
  const otherwise = {
    "other options": async (out) =>
      assert.equal((await convert(out, { dtype: "f32" })).resumedShards, 0),
    "other towers": async (out) =>
      assert.equal((await convert(out, { towers: ["vision"] })).resumedShards, 0),
  };
  for (const [name, check] of Object.entries(otherwise)) {
    const out = folderAfterKill("other", Math.floor(written * 0.9));
    await check(out);
    const { tokenizer, shards } = JSON.parse(readFileSync(join(out, "manifest.json"), "utf8"));
    assert.deepEqual(
      readdirSync(out).sort(),
      ["manifest.json", ...[tokenizer, ...shards].flatMap((entry) => entry?.path ?? [])].sort(),
      name,
    );
  }
  const spoil = {
    "a shard of other bytes": (out) => {
      const path = join(out, "text-layers-00.safetensors");
      const file = readFileSync(path);
      file[file.length - 100] ^= 1;
      writeFileSync(path, file);
    },
    "a shard that is gone": (out) => rmSync(join(out, "text-embeddings-00.safetensors")),
    "a state of other bytes": (out) => {
      const file = readFileSync(join(out, state));
      file[file.length - 9] ^= 1;
      writeFileSync(join(out, state), file);
    },
    "a state that is cut off": (out) =>
      writeFileSync(join(out, state), readFileSync(join(out, state)).subarray(0, 300)),
    "another source": () => utimesSync(join(source, "model.safetensors"), 1, 1),
  };
  for (const [name, change] of Object.entries(spoil)) {
    const out = folderAfterKill("spoilt", Math.floor(written * 0.9));
    change(out);
    assert.equal((await convert(out)).resumedShards, 0, name);
    assertWhole(out);
  }
});

test("a full disk is named, leaves nothing valid, and is gone on from", async () => {
  for (const share of [0, 0.2, 0.4, 0.7, 0.95, 0.9999]) {
    const out = join(scratch, "full");
    rmSync(out, { recursive: true, force: true });
    let room = Math.floor(written * share);
    const write = (file, bytes, offset, length) => {
      if (room === 0)
        throw Object.assign(new Error("ENOSPC: no space left on device, write"), {
          code: "ENOSPC",
        });
      const count = Math.min(room, length); // a disk takes what still fits
      room -= count;
      return writeSync(file, bytes, offset, count);
    };
    await assert.rejects(
      convert(out, { write }),
      (error) => error.code === "disk-full" && /no space/.test(error.message),
      `full at ${share}`,
    );
    assert.deepEqual(
      readdirSync(out).filter((file) => /manifest|partial/.test(file)),
      [],
    );
    await convert(out);
    assertWhole(out);
  }
  const out = join(scratch, "broken");
  await assert.rejects(
    convert(out, {
      write: () => {
        throw Object.assign(new Error("EIO: i/o error"), { code: "EIO" });
      },
    }),
    { code: "disk" },
  );
});

test("a server that goes away, and comes back", async () => {
  let most = Infinity,
    asked = [];
  const server = createServer((request, response) => {
    let file;
    try {
      file = readFileSync(join(source, new URL(request.url, "http://localhost").pathname));
    } catch {
      return response.writeHead(404).end();
    }
    const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
    response.writeHead(from > 0 ? 206 : 200, {
      ETag: '"1"',
      "Content-Length": file.length - from,
      "Content-Range": `bytes ${from}-${file.length - 1}/${file.length}`,
    });
    if (request.method === "HEAD") return response.end();
    const [piece, cut] = [
      file.subarray(from, Math.max(from, Math.min(file.length, most))),
      file.length > most,
    ];
    asked.push(from);
    response.write(piece, () => (cut ? response.destroy() : response.end()));
    if (piece.length === 0) response.destroy();
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const remote = {
      ...about,
      source: `http://127.0.0.1:${server.address().port}`,
      out: join(scratch, "gone"),
      retry: { backoffMs: [1, 1], idleTimeoutMs: 10_000 },
    };
    most = 1_000_000; // of model.safetensors; the other files are smaller
    await assert.rejects(convertModel(remote), { code: "network" });
    assert.deepEqual(
      readdirSync(remote.out).filter((file) => /manifest|partial/.test(file)),
      [],
    );
    [most, asked] = [Infinity, []];
    const { resumedShards } = await convertModel(remote);
    assert.equal(resumedShards, 2);
    assertWhole(remote.out);
    // Behind the header, nothing of the text tower is asked for again.
    assert.deepEqual(
      asked.filter((from) => from > 100_000 && from < 800_000),
      [],
    );
    assert.ok(asked.some((from) => from >= 800_000));
  } finally {
    server.close();
    server.closeAllConnections();
  }
});

test("a new conversion into the folder of an older one: the old one ends with the first byte of the new one", async () => {
  const out = join(scratch, "older");
  await convert(out, { dtype: "f32" });
  const write = () => {
    throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
  };
  await assert.rejects(convert(out, { write }), { code: "disk-full" });
  assert.ok(!readdirSync(out).includes("manifest.json"));
  await convert(out, { towers: ["vision"] });
  assert.deepEqual(readdirSync(out).sort(), ["manifest.json", "vision-00.safetensors"]);
  // The manifest was written, and the run killed before it took its state away.
  const again = folderAfterKill("again", Math.floor(written * 0.9));
  const left = readFileSync(join(again, state));
  await convert(again);
  writeFileSync(join(again, state), left);
  assert.ok((await convert(again)).resumedShards > 0);
  assertWhole(again);
});
