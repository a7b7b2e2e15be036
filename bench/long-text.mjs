// node bench/long-text.mjs DIR [--dtype q8] [--variant simd] [--threads 1] [--tokens 8192]
//
// Memory and time of long texts: loads the text tower of DIR (a pack or a checkpoint) in this process with room for --tokens, embeds a
// short text and one of that many tokens, and prints the heap after loading and after embedding, what the room for activations
// is (against a load with room for 512 tokens), and the largest resident memory. Needs a built dist/.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { load } from "../dist/js/node/index.js";

const {
  positionals: [folder],
  values,
} = parseArgs({
  allowPositionals: true,
  options: {
    dtype: { type: "string", default: "q8" },
    variant: { type: "string", default: "simd" },
    threads: { type: "string", default: "1" },
    tokens: { type: "string", default: "8192" },
  },
});
if (!folder) throw new Error("a folder is expected");
const mebi = (bytes) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
const peak = () =>
  1024 * Number(/^VmHWM:\s*(\d+) kB/m.exec(readFileSync("/proc/self/status", "utf8"))[1]);

async function run(maxTokens, use) {
  const embedder = await load({
    model: resolve(folder),
    towers: ["text"],
    dtype: values.dtype,
    variant: values.variant,
    threads: Number(values.threads),
    maxTokens,
  });
  try {
    const { heapBytes, allocatedBytes } = await embedder.diagnostics();
    return {
      heapBytes,
      allocatedBytes,
      residentBytes: embedder.info.residentBytes,
      ...(await use?.(embedder)),
    };
  } finally {
    await embedder.dispose();
  }
}

const tokens = Number(values.tokens);
const small = await run(512);
const long = await run(tokens, async (embedder) => {
  const short = await embedder.embedText("one two three");
  const { tokens: read, milliseconds } = await embedder.embedText(
    Array.from({ length: tokens }, (_, i) => `w${i % 97}`).join(" "),
  );
  const after = await embedder.diagnostics();
  return { read, milliseconds, short: short.milliseconds, heapAfter: after.heapBytes };
});
console.log(`${resolve(folder)}, ${values.dtype}, ${values.variant}, ${values.threads} thread(s)`);
console.log(
  `weights resident ${mebi(long.residentBytes)}; allocated with room for 512 tokens ${mebi(small.allocatedBytes)}, for ${tokens} tokens ${mebi(long.allocatedBytes)}`,
);
console.log(
  `heap after loading ${mebi(long.heapBytes)}, after ${long.read} tokens ${mebi(long.heapAfter)}: ${long.heapAfter === long.heapBytes ? "not grown" : "GROWN"}`,
);
console.log(
  `${long.read} tokens ${(long.milliseconds / 1000).toFixed(1)} s, 3 words ${long.short.toFixed(0)} ms; largest resident memory of the process ${mebi(peak())}`,
);
