// Debian packages unpacked below build/ instead of installed, and scripts that start what is in them.
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { hasStamp, run, writeStamp } from "./run.mjs";

const stampOf = (place, spec) => join(place, "unpacked", spec.package);

/** Is the package `spec` (an entry of cmake/dependencies.json) unpacked somewhere below `place`? */
export const isUnpacked = (place, spec) => hasStamp(stampOf(place, spec), JSON.stringify(spec));

/** Unpacks `file`, the package `spec`, to `folder` below `place`, without documentation and what `exclude` (tar patterns) names. */
export async function unpackPackage(place, spec, file, folder, exclude = []) {
  mkdirSync(folder, { recursive: true });
  const tar = [
    "-x",
    "-C",
    folder,
    "--no-same-owner",
    ...["*/share/doc", "*/share/man", ...exclude].map((p) => `--exclude=${p}`),
  ];
  const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  await run("sh", [
    "-c",
    `dpkg-deb --fsys-tarfile ${quote(file)} | tar ${tar.map(quote).join(" ")}`,
  ]);
  writeStamp(stampOf(place, spec), JSON.stringify(spec));
}

/** Writes an executable script. */
export function writeScript(path, text) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  chmodSync(path, 0o755);
}
