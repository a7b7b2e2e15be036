// The short form of tests/faults/run.mjs: some seeds in this process.
import { after, test } from "node:test";
import { nodeClient } from "../faults/clients.mjs";
import { trySeeds } from "../faults/seeds.mjs";

const client = await nodeClient();
after(() => client.close());

test("loads from a server whose answers go wrong by chance: right vectors or a typed error; with a kept copy always right", async () => {
  await trySeeds(client, 0, 24);
});
