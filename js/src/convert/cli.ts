#!/usr/bin/env node
// npx clipglot convert SOURCE --out DIR …: the command of the package.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { EmbedError } from "../errors.js";
import { readEndpoint } from "../shared/hub-address.js";
import type { Tower } from "../shared/engine-types.js";
import { convertModel, type ConvertOptions } from "./convert.js";
import { ConvertError } from "./disk.js";
import { progressDisplay } from "./progress.js";
import { reasonOf } from "../shared/reason.js";

const usage = `usage: clipglot convert SOURCE --out DIR [options]

Makes a pack for clipglot of a checkpoint of jina-clip-v2 (config.json, preprocessor_config.json, tokenizer.json or
sentencepiece.bpe.model, model.safetensors). A run that was cut short goes on where it was.

  SOURCE               folder, http(s) address of one, or a model on Hugging Face: hf:OWNER/NAME[@REVISION]. What Hugging Face's
                       own tools have downloaded is used. A token for models that are not public: variable HF_TOKEN
  --out DIR            folder of the pack
  --dtype q8|q4|f32    number format of the weights (q8)
  --towers LIST        text, vision or text,vision (both)
  --model-id NAME      name in the manifest (the folder's)
  --revision TEXT      revision of the source (unknown)
  --license SPDX       licence of the weights (unknown)
  --parameters N       refuse a source of another number of parameters
  --endpoint URL       another hub than https://huggingface.co (HF_ENDPOINT)
  --threads N          threads for the self-test's vectors, 1 to 64 (1)
  --quiet              no progress
`;

function fail(problem: string): never {
  throw new ConvertError("usage", `${problem}\n\n${usage}`);
}

function integer(
  name: string,
  text: string | undefined,
  lowest: number,
  highest: number,
): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (!/^\d+$/.test(text) || number < lowest || number > highest)
    fail(`--${name} ${text}: an integer from ${lowest} to ${highest} is expected`);
  return number;
}

function endpoint(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  return readEndpoint(text) ?? fail(`--endpoint ${text}: an http(s) address is expected`);
}

function readArguments(args: string[]): { options: ConvertOptions; quiet: boolean } {
  const texts = [
    "out",
    "dtype",
    "towers",
    "model-id",
    "revision",
    "license",
    "endpoint",
    "parameters",
    "threads",
  ] as const;
  const parse = () =>
    parseArgs({
      args,
      allowPositionals: true,
      options: {
        quiet: { type: "boolean" },
        ...(Object.fromEntries(texts.map((name) => [name, { type: "string" }])) as Record<
          (typeof texts)[number],
          { type: "string" }
        >),
      },
    });
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse();
  } catch (error) {
    return fail(reasonOf(error));
  }
  const {
    positionals: [source, ...more],
    values,
  } = parsed;
  if (source === undefined || more.length > 0) fail("one source is expected");
  const { out, dtype = "q8" } = values;
  if (out === undefined) fail("--out is missing");
  if (dtype !== "f32" && dtype !== "q8" && dtype !== "q4") fail(`--dtype ${dtype}: q8, q4 or f32`);
  const towers = (values.towers ?? "text,vision").split(",");
  if (!towers.every((tower): tower is Tower => tower === "text" || tower === "vision"))
    fail(`--towers ${values.towers}: text, vision or both`);
  const optional = {
    modelId: values["model-id"],
    revision: values.revision,
    license: values.license,
    endpoint: endpoint(values.endpoint ?? (process.env.HF_ENDPOINT || undefined)),
    token: process.env.HF_TOKEN || undefined,
    parameters: integer("parameters", values.parameters, 1, 2 ** 53),
    threads: integer("threads", values.threads, 1, 64),
  };
  const given = Object.fromEntries(
    Object.entries(optional).filter(([, value]) => value !== undefined),
  ) as Partial<ConvertOptions>;
  return { options: { source, out, dtype, towers, ...given }, quiet: values.quiet === true };
}

async function convert(args: string[]): Promise<void> {
  const { options, quiet } = readArguments(args);
  const display = progressDisplay(process.stderr);
  const { files, parameters, resumedShards, selfTest } = await convertModel({
    ...options,
    ...(quiet ? {} : { onProgress: display.report }),
  }).finally(() => display.end());
  const line = (bytes: number, text: string) =>
    console.log(`${String(bytes).padStart(12)}  ${text}`);
  for (const { path, bytes } of files) line(bytes, path);
  line(
    files.reduce((sum, { bytes }) => sum + bytes, 0),
    `in all, ${options.out}`,
  );
  const reached =
    options.dtype === "f32"
      ? ""
      : `, cosine of ${options.dtype} to f32 at least ${selfTest.reached.toFixed(4)} in the self-test`;
  const earlier = resumedShards > 0 ? `, ${resumedShards} files of an earlier run` : "";
  console.log(
    `${parameters} parameters${reached}${earlier}, peak memory ${Math.round(process.resourceUsage().maxRSS / 1000)} MB`,
  );
}

async function main([command, ...args]: string[]): Promise<number> {
  try {
    if (command === "convert" && !args.includes("--help")) await convert(args);
    else if (command === "--version")
      console.log(
        (
          JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8")) as {
            version: string;
          }
        ).version,
      );
    else if (command === "--help" || command === "convert") console.log(usage);
    else fail(command === undefined ? "a command is expected" : `there is no command ${command}`);
    return 0;
  } catch (error) {
    const known = error instanceof EmbedError || error instanceof ConvertError;
    console.error(known ? `clipglot: ${error.message}` : error);
    return error instanceof ConvertError && error.code === "usage" ? 2 : 1;
  }
}

// Threads of the engine would keep the process alive; what was printed goes out first.
const code = await main(process.argv.slice(2));
process.stdout.write("", () => process.exit(code));
