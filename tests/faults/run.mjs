// node tests/faults/run.mjs [--seeds 500] [--first 0] [--browser] [--hub] — loads from a server whose answers go wrong by chance: right
// vectors or a typed error; with a kept copy always right vectors. Needs dist/.
import { parseArgs } from "node:util";
import { browserClient, nodeClient } from "./clients.mjs";
import { tryHubSeeds } from "./hub-seeds.mjs";
import { trySeeds } from "./seeds.mjs";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "500" },
    first: { type: "string", default: "0" },
    hub: { type: "boolean", default: false },
    browser: { type: "boolean", default: false },
  },
});
const client = await (values.browser ? browserClient() : nodeClient());
const start = performance.now();
try {
  const ends = await (values.hub ? tryHubSeeds : trySeeds)(
    client,
    Number(values.first),
    Number(values.seeds),
    (seed) => seed % 50 === 49 && console.log(`seed ${seed}`),
  );
  console.log(
    `${values.seeds} seeds in ${Math.round((performance.now() - start) / 1000)} s: ${JSON.stringify(ends)}`,
  );
} finally {
  await client.close();
}
