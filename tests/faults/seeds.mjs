// What is tried for each seed. `client`: {load(options), clear()}, of Node or of a browser (clients.mjs).
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pack } from "../../tools/pack/pack.mjs";
import { golden } from "../js/support/checkpoint.mjs";
import { faults, random, startFaultServer, unfindable } from "../js/support/fault-server.mjs";

/** No load may take so long, however busy the machine is. */
const watchdog = 60_000;
const codes = new Set(["network", "corrupt-model"]);

const read = (folder, names) =>
  Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, name))]));

/** Two versions of a pack whose files have the same names, and a checkpoint. */
async function models() {
  const packed = async (dtype) => {
    const out = mkdtempSync(join(tmpdir(), "clipglot-faults-"));
    await pack({
      source: golden,
      out,
      dtype,
      modelId: "golden-a",
      revision: dtype,
      license: "none",
    });
    const files = read(out, readdirSync(out));
    rmSync(out, { recursive: true });
    return files;
  };
  const checkpoint = read(golden, [
    "config.json",
    "preprocessor_config.json",
    "tokenizer.json",
    "model.safetensors",
    "sentencepiece.bpe.model",
  ]);
  return { one: await packed("q8"), two: await packed("q4"), checkpoint };
}

/** Tries seeds `first` … `first + count - 1`. Gives how loads ended: {right, errors, old}. Throws for the first seed that fails. */
export async function trySeeds(client, first, count, log = () => {}) {
  const { one, two, checkpoint } = await models();
  const server = await startFaultServer();
  const ends = { right: 0, errors: 0, old: 0 };
  const load = async (options) => {
    let timer;
    const late = new Promise(
      (_, reject) => (timer = setTimeout(() => reject(new Error("a load did not end")), watchdog)),
    );
    const result = await Promise.race([client.load({ address: server.url, ...options }), late]);
    clearTimeout(timer);
    return result;
  };
  const same = (a, b) =>
    a !== undefined && a.length === b.length && a.every((value, i) => value === b[i]);
  const names = Object.keys(faults);
  const findable = names.filter((name) => !unfindable.has(name));
  try {
    const wanted = new Map();
    for (const files of [one, two, checkpoint]) {
      for (const towers of [["text"], ["text", "vision"]]) {
        server.set({ files, rate: 0 });
        const { vectors, error } = await load({ towers, isCalm: true });
        assert.equal(error, undefined);
        wanted.set(`${[one, two, checkpoint].indexOf(files)} ${towers}`, vectors);
      }
    }
    for (let seed = first; seed < first + count; seed++) {
      const chance = random(seed + 1_000_000);
      const towers = chance() < 0.3 ? ["text", "vision"] : ["text"];
      const rate = [0.15, 0.4, 0.7, 1][Math.floor(chance() * 4)];
      const right = (which, result, what) =>
        assert.ok(
          same(result.vectors, wanted.get(`${which} ${towers}`)),
          `${what}: ${JSON.stringify(result.error ?? "other vectors")}`,
        );
      const rightOrError = (which, result, what) => {
        if (!result.error) {
          ends.right++;
          return right(which, result, what);
        }
        ends.errors++;
        assert.ok(
          result.error.name === "EmbedError" && codes.has(result.error.code) && result.error.detail,
          `${what}: ${JSON.stringify(result.error)}`,
        );
      };
      try {
        if (seed % 3 === 0) {
          server.set({ files: checkpoint, older: {}, rate, seed, names: findable });
          rightOrError(2, await load({ towers }), "a checkpoint");
          server.set({ files: one, older: two, rate, seed, names });
          // An old version that is whole is as right as the new one; a mixture is not.
          const result = await load({ towers });
          if (same(result.vectors, wanted.get(`1 ${towers}`))) ends.old++;
          else rightOrError(0, result, "a pack");
        } else if (seed % 3 === 1) {
          await client.clear();
          server.set({ files: one, older: {}, rate, seed, names });
          rightOrError(0, await load({ towers, keep: true }), "a pack to be kept");
          server.set({ rate: 0 });
          right(0, await load({ towers, keep: true, isCalm: true }), "the same without faults");
          server.set({ rate: Math.max(rate, 0.7), seed, names });
          right(0, await load({ towers, keep: true }), "with a kept copy");
          assert.ok(
            server.requests.length <= 3 &&
              server.requests.every((request) => request.includes("manifest.json")),
            `asked for ${server.requests.join(", ")}`,
          );
        } else {
          await client.clear();
          server.set({ files: one, older: {}, rate: 0 });
          right(0, await load({ towers, keep: true, isCalm: true }), "the first version");
          server.set({ files: two, older: one, rate, seed, names });
          const result = await load({ towers, keep: true });
          const isOld = same(result.vectors, wanted.get(`0 ${towers}`));
          if (isOld) ends.old++;
          else right(1, result, "a new version, with a kept copy of the old one");
          server.set({ rate: 0 });
          right(
            1,
            await load({ towers, keep: true, isCalm: true }),
            "the new version without faults",
          );
        }
      } catch (error) {
        throw new Error(
          `seed ${seed} (${towers}, rate ${rate}): ${error.message}\n  requests: ${server.requests.slice(0, 40).join("; ")}`,
          { cause: error },
        );
      }
      log(seed);
    }
  } finally {
    await server.close();
  }
  return ends;
}
