// The models of both sides, made when they are missing: the stand-in of npm run fullsize and its packs, and the peer's graphs.
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { log } from "../../tools/setup/log.mjs";
import { build, root } from "../../tools/setup/paths.mjs";
import { run } from "../../tools/setup/run.mjs";
import { makeStandIn } from "../../tools/fullsize/make.mjs";
import { FULL } from "../../tools/fullsize/shape.mjs";
import { makeModel } from "./onnx/towers.mjs";

const LAYERS = FULL.textLayers;
const modelsFolder = join(build, "peer/models");

/** Folder of our pack. `packs`: a folder that holds <dtype>/ or fullsize-<dtype>/ already, or undefined. */
export async function packOf(dtype, layers, packs) {
  for (const name of packs ? [dtype, `fullsize-${dtype}`] : [])
    if (existsSync(join(packs, name, "manifest.json"))) return join(packs, name);
  if (packs) throw new Error(`${packs}: neither ${dtype}/ nor fullsize-${dtype}/ is a pack`);
  const pack = join(modelsFolder, `pack-${layers}-${dtype}`);
  if (existsSync(join(pack, "manifest.json"))) return pack;
  const source =
    layers === LAYERS ? join(build, "fullsize") : join(modelsFolder, `source-${layers}`);
  if (!existsSync(join(source, "model.safetensors"))) {
    log(`making a stand-in of ${layers} layers`, "peer");
    makeStandIn(source, { ...FULL, textLayers: layers, visionLayers: layers });
  }
  log(`converting it to ${dtype}`, "peer");
  await run(process.execPath, [
    join(root, "dist/js/convert/cli.js"),
    "convert",
    source,
    "--out",
    pack,
    "--dtype",
    dtype,
    "--quiet",
  ]);
  return pack;
}

/** The peer's file: `towers` in one graph. */
export function onnxOf(dtype, layers, towers) {
  const path = join(modelsFolder, `${towers.join("-")}-${layers}-${dtype}.onnx`);
  if (!existsSync(path)) {
    mkdirSync(modelsFolder, { recursive: true });
    log(`writing the graph of ${towers.join(" and ")}, ${layers} layers, ${dtype}`, "peer");
    makeModel({ ...FULL, textLayers: layers, visionLayers: layers }, towers, dtype).write(path);
  }
  return path;
}

export { LAYERS, modelsFolder };
