// Checkpoints that tests change: golden-a, and any safetensors file by its tensors.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const golden = fileURLToPath(new URL("../../data/golden-a/", import.meta.url));

/** `change` gets a Map of name → {dtype, shape, bytes} in the order of the file, which is then written anew. */
export function changeTensors(path, change) {
  const file = readFileSync(path);
  const start = 8 + Number(file.readBigUInt64LE(0));
  const tensors = new Map(
    Object.entries(JSON.parse(file.toString("utf8", 8, start)))
      .filter(([name]) => name !== "__metadata__")
      .map(
        ([
          name,
          {
            dtype,
            shape,
            data_offsets: [from, to],
          },
        ]) => [name, { dtype, shape, bytes: Buffer.from(file.subarray(start + from, start + to)) }],
      ),
  );
  change(tensors);
  let offset = 0;
  const header = Buffer.from(
    JSON.stringify(
      Object.fromEntries(
        [...tensors].map(([name, { dtype, shape, bytes }]) => {
          const start = offset;
          offset += bytes.length;
          return [name, { dtype, shape, data_offsets: [start, offset] }];
        }),
      ),
    ),
  );
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  writeFileSync(
    path,
    Buffer.concat([length, header, ...[...tensors.values()].map(({ bytes }) => bytes)]),
  );
}
