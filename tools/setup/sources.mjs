// Third-party sources: unpacked to build/third_party/<name>, pinned by cmake/dependencies.json.
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { SetupError, log } from "./log.mjs";
import { dependencies, thirdParty } from "./paths.mjs";
import { fetchSource, haveApt } from "./private-apt.mjs";
import { hasStamp, run, writeStamp } from "./run.mjs";

const stampOf = (name) => join(thirdParty, `${name}.stamp`);
const stampText = (source) =>
  `${source.debian.package} ${source.debian.version} ${source.debian.sha256}\n`;

/** Names of the sources that are not unpacked yet. */
export const missingSources = () =>
  Object.entries(dependencies.sources)
    .filter(
      ([name, source]) =>
        !hasStamp(stampOf(name), stampText(source)) || !existsSync(join(thirdParty, name)),
    )
    .map(([name]) => name);

/** Fetches and unpacks what is missing. Outside Debian it does nothing: CMake then fetches from git. */
export async function setUpSources() {
  const missing = missingSources();
  if (missing.length === 0) return;
  if (!haveApt()) {
    log("no Debian packages on this machine: CMake will fetch the third-party sources from git");
    return;
  }
  for (const [index, name] of missing.entries()) {
    const source = dependencies.sources[name];
    log(
      `third-party source ${index + 1}/${missing.length}: ${name} (${source.debian.package} ${source.debian.version})`,
    );
    await unpack(name, await fetchSource(source.debian));
    writeStamp(stampOf(name), stampText(source));
  }
}

// Unpacks beside the target and renames, so that a half unpacked folder never looks whole. Tarballs
// with a single folder at the top lose it; XNNPACK's has none.
async function unpack(name, tarball) {
  const target = join(thirdParty, name);
  const partial = `${target}.part`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  await run("tar", ["-xf", tarball, "-C", partial, "--no-same-owner"]);
  const entries = readdirSync(partial);
  if (entries.length === 0) throw new SetupError(`${tarball} is empty`);
  const single = entries.length === 1 && statSync(join(partial, entries[0])).isDirectory();
  rmSync(target, { recursive: true, force: true });
  renameSync(single ? join(partial, entries[0]) : partial, target);
  rmSync(partial, { recursive: true, force: true });
}
