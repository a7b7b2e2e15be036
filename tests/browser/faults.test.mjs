// The short form of tests/faults/run.mjs --browser: some seeds in Chromium, with its private file system as the cache.
import { after, test } from "node:test";
import { browserClient } from "../faults/clients.mjs";
import { trySeeds } from "../faults/seeds.mjs";

const client = await browserClient();
after(() => client.close());

test("loads from a server whose answers go wrong by chance: right vectors or a typed error; with a kept copy always right", async () => {
  await trySeeds(client, 1000, 6);
});
