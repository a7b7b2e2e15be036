// A model by its name on a hub whose answers go wrong by chance: right vectors or a typed error, never a wrong byte kept. For each seed
// a load or several with faults, then one without, then one with the hub switched off.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { golden } from "../js/support/checkpoint.mjs";
import { random } from "../js/support/fault-server.mjs";
import { hubFaults, startHubServer } from "../js/support/hub-server.mjs";

/** No load may take so long, however busy the machine is. */
const watchdog = 60_000;
const codes = new Set(["network", "corrupt-model"]);
const names = ["config.json", "preprocessor_config.json", "tokenizer.json", "model.safetensors"];

/** As `trySeeds` of seeds.mjs. The first seeds have one fault each, the others a mixture. */
export async function tryHubSeeds(client, first, count, log = () => {}) {
  const files = Object.fromEntries(names.map((name) => [name, readFileSync(join(golden, name))]));
  const server = await startHubServer({ files });
  const hub = { endpoint: server.endpoint, repo: server.repo, revision: "main" };
  const ends = { right: 0, errors: 0 };
  const load = async (options) => {
    let timer;
    const late = new Promise(
      (_, reject) => (timer = setTimeout(() => reject(new Error("a load did not end")), watchdog)),
    );
    const result = await Promise.race([client.load({ hub, ...options }), late]);
    clearTimeout(timer);
    return result;
  };
  const wanted = new Map();
  const right = (towers, result, what) =>
    assert.deepEqual(
      result.vectors,
      wanted.get(`${towers}`),
      `${what}: ${JSON.stringify(result.error)}`,
    );
  try {
    for (const towers of [["text"], ["text", "vision"]]) {
      server.set({ rate: 0 });
      wanted.set(`${towers}`, (await load({ towers, isCalm: true })).vectors);
    }
    for (let seed = first; seed < first + count; seed++) {
      const chance = random(seed + 2_000_000);
      const towers = chance() < 0.3 ? ["text"] : ["text", "vision"];
      const alone = hubFaults[seed];
      const rate = alone ? 0.5 : [0.1, 0.3, 0.6, 1][Math.floor(chance() * 4)];
      const keep = chance() < 0.8;
      try {
        await client.clear();
        server.set({ down: false, rate, seed, names: alone ? [alone] : hubFaults });
        for (let attempt = 0; attempt < 3; attempt++) {
          const result = await load({ towers, keep });
          if (!result.error) {
            ends.right++;
            right(towers, result, "with faults");
            break;
          }
          ends.errors++;
          assert.ok(
            result.error.name === "EmbedError" &&
              codes.has(result.error.code) &&
              result.error.detail,
            `with faults: ${JSON.stringify(result.error)}`,
          );
        }
        server.set({ rate: 0 });
        right(towers, await load({ towers, keep: true, isCalm: true }), "without faults");
        server.set({ down: true });
        right(towers, await load({ towers, keep: true }), "with the hub switched off");
      } catch (error) {
        throw new Error(
          `seed ${seed} (${alone ?? "a mixture"}, ${towers}, rate ${rate}): ${error.message}`,
          {
            cause: error,
          },
        );
      }
      log(seed);
    }
  } finally {
    await server.close();
  }
  return ends;
}
