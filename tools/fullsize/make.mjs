// Makes a stand-in: a folder that looks to a reader like upstream's, with random numbers.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeCheckpoint } from "./checkpoint.mjs";
import { configJson, preprocessorJson } from "./shape.mjs";
import { listTensors, loudChannels } from "./tensors.mjs";
import { tokenizerJson, tokenizerSideFiles } from "./tokenizer.mjs";

/** Everything random comes from this number. Another one makes another model. */
export const SEED = 20241121;

/** Writes the model of `shape` into `folder`. Gives { tensors, parameters, bytes, loud }; parameters without logit_scale, as hubs count. */
export function makeStandIn(folder, shape, { onProgress } = {}) {
  mkdirSync(folder, { recursive: true });
  const json = (name, value) =>
    writeFileSync(join(folder, name), `${JSON.stringify(value, null, 2)}\n`);
  json("config.json", configJson(shape));
  json("preprocessor_config.json", preprocessorJson(shape));
  json("modules.json", [
    { idx: 0, name: "0", path: "", type: "custom_st.Transformer" },
    { idx: 1, name: "1", path: "1_Normalize", type: "sentence_transformers.models.Normalize" },
  ]);
  for (const [name, value] of Object.entries(tokenizerSideFiles(shape.vocab))) json(name, value);
  writeFileSync(join(folder, "tokenizer.json"), tokenizerJson(shape.vocab, SEED));
  const made = writeCheckpoint(join(folder, "model.safetensors"), listTensors(shape, SEED), {
    seed: SEED,
    onProgress,
  });
  return { ...made, parameters: made.parameters - 1, loud: loudChannels(shape, SEED) };
}
