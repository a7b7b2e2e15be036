// A conversion in a process of its own that is killed when so many bytes are written: node killed-convert.mjs OPTIONS BYTES
import { writeSync } from "node:fs";
import { convertModel } from "../../../dist/js/convert/convert.js";

const [options, bytes] = process.argv.slice(2).map((text) => JSON.parse(text));
let left = bytes;
await convertModel({
  ...options,
  write(file, piece, offset, length) {
    const count = writeSync(file, piece, offset, Math.max(1, Math.min(left, length)));
    left -= count;
    if (left <= 0) process.kill(process.pid, "SIGKILL");
    return count;
  },
});
