// A private apt state below build/apt: apt's own verification (signed index, then hashes) for files
// of several Debian suites, without root and without touching the system's apt configuration.
import { createHash } from "node:crypto";
import {
  createReadStream,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { SetupError, log } from "./log.mjs";
import { aptState, downloads } from "./paths.mjs";
import { capture, hasStamp, run, which, writeStamp } from "./run.mjs";

const suites = ["bookworm", "trixie"];
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
const day = 24 * 3600 * 1000;

/** Can this machine use Debian packages at all? */
export const haveApt = () =>
  ["apt-get", "apt-cache", "apt-config", "dpkg-deb"].every((tool) => which(tool)) &&
  existsSync(keyring) &&
  mirror() !== undefined;

/** The address of Debian's main archive that this machine's apt uses, or undefined. */
export function mirror() {
  if (process.env.CLIPGLOT_DEBIAN_MIRROR)
    return process.env.CLIPGLOT_DEBIAN_MIRROR.replace(/\/$/, "");
  const counts = new Map();
  // --no-release-info: also where `apt-get update` was never called.
  for (const line of capture("apt-get", [
    "indextargets",
    "--no-release-info",
    "--format",
    "$(REPO_URI)",
  ]).stdout.split("\n")) {
    const uri = line.trim().replace(/\/$/, "");
    if (/\/debian$|\/debian\.list$/.test(uri)) counts.set(uri, (counts.get(uri) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0];
}

// The configuration of the private apt. Of the system's it keeps only how files are fetched
// (proxies, retries); its hooks, sources and pins stay out.
function configure() {
  for (const folder of ["state/lists/partial", "cache/archives/partial", "etc"]) {
    mkdirSync(join(aptState, folder), { recursive: true });
  }
  writeFileSync(join(aptState, "state/status"), "");
  const from = mirror();
  writeFileSync(
    join(aptState, "etc/sources.list"),
    suites
      .flatMap((suite) =>
        ["deb", "deb-src"].map((type) => `${type} [signed-by=${keyring}] ${from} ${suite} main\n`),
      )
      .join(""),
  );
  const fetching = capture("apt-config", ["dump"])
    .stdout.split("\n")
    .filter((line) => /^Acquire::/.test(line) && !/^Acquire::(IndexTargets|Languages)/.test(line));
  writeFileSync(
    join(aptState, "etc/apt.conf"),
    [
      ...fetching,
      `Dir::State "${join(aptState, "state")}";`,
      `Dir::State::status "${join(aptState, "state/status")}";`,
      `Dir::Cache "${join(aptState, "cache")}";`,
      `Dir::Etc::sourcelist "${join(aptState, "etc/sources.list")}";`,
      'Dir::Etc::sourceparts "/dev/null";',
      'Dir::Etc::preferences "/dev/null";',
      'Dir::Etc::preferencesparts "/dev/null";',
      'Dir::Etc::main "/dev/null";',
      'Dir::Etc::parts "/dev/null";',
      'Acquire::Languages "none";',
      'Acquire::Retries "3";',
      'APT::Sandbox::User "";', // as root, apt would else drop to a user that cannot write here
      'APT::Get::AllowUnauthenticated "false";',
      "",
    ].join("\n"),
  );
}

const environment = () => ({
  ...process.env,
  APT_CONFIG: join(aptState, "etc/apt.conf"),
  LC_ALL: "C",
});

let ready = false;

/** Fetches the signed index. Kept for a day unless `force`. */
export async function updateIndex({ force = false } = {}) {
  if (ready && !force) return;
  const stamp = join(aptState, "index.stamp");
  const text = `${mirror()} ${suites}\n`;
  configure();
  if (force || !hasStamp(stamp, text) || Date.now() - statSync(stamp).mtimeMs > day) {
    log(`fetching Debian's signed index (${suites.join(", ")}), about 39 MB`);
    await run("apt-get", ["update", "-q"], { env: environment(), quiet: true });
    writeStamp(stamp, text);
  }
  ready = true;
}

/** SHA-256 of a file, as hex. */
export async function sha256(file) {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file)) hash.update(chunk);
  return hash.digest("hex");
}

// Paragraphs of `apt-cache show` or `showsrc`, as objects with the fields named.
function paragraphs(args) {
  return capture("apt-cache", args, { env: environment() })
    .stdout.split(/\n\n+/)
    .filter(Boolean)
    .map((text) => {
      const fields = {};
      let name;
      for (const line of text.split("\n")) {
        const match = /^([A-Za-z0-9-]+):\s*(.*)$/.exec(line);
        if (match) {
          name = match[1];
          fields[name] = match[2];
        } else if (name) fields[name] += `\n${line}`;
      }
      return fields;
    });
}

/**
 * Downloads the upstream tarball of a source package.
 * spec: { package, version, sha256 }: the Debian version and the hash of its orig tarball.
 * Checked twice: by apt against its signed index and here against the pinned hash.
 * Should the exact Debian revision have left the index, any other revision with the same tarball serves.
 * Returns the path of the tarball.
 */
export async function fetchSource(spec) {
  const folder = join(downloads, "sources");
  mkdirSync(folder, { recursive: true });
  const kept = join(folder, `${spec.package}-${spec.sha256.slice(0, 16)}.tar`);
  if (existsSync(kept) && (await sha256(kept)) === spec.sha256) return kept;
  let found;
  for (const force of [false, true]) {
    await updateIndex({ force });
    const all = paragraphs(["showsrc", spec.package]).filter((p) => p.Package === spec.package);
    const same = all.filter((p) => p["Checksums-Sha256"]?.includes(spec.sha256));
    found = same.find((p) => p.Version === spec.version) ?? same[0];
    if (found) break;
  }
  if (!found) {
    throw new SetupError(
      `Debian's index no longer lists ${spec.package} ${spec.version} with the pinned tarball ` +
        `(sha256 ${spec.sha256}); renew its entry in cmake/dependencies.json`,
    );
  }
  const name = new RegExp(`${spec.sha256} \\d+ (\\S+)`).exec(found["Checksums-Sha256"])[1];
  const partial = join(folder, `${spec.package}.part`);
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial);
  // --tar-only: mirrors sometimes lack the .dsc, which is not needed.
  await run(
    "apt-get",
    ["source", "-qq", "--download-only", "--tar-only", `${spec.package}=${found.Version}`],
    { cwd: partial, env: environment(), quiet: true },
  );
  const file = join(partial, name);
  const hash = await sha256(file);
  if (hash !== spec.sha256)
    throw new SetupError(`${name}: sha256 is ${hash}, expected ${spec.sha256}`);
  renameSync(file, kept);
  rmSync(partial, { recursive: true, force: true });
  return kept;
}

/** Is version a newer than b, by Debian's rules? */
const isNewer = (a, b) => capture("dpkg", ["--compare-versions", a, "gt", b]).status === 0;

/**
 * Downloads a binary package; apt checks it against its signed index.
 * spec: { package, version?, accept }: the version wanted, and the pattern of those that serve as well
 * (point releases replace versions; the newest that matches is taken).
 * Returns { file, version }.
 */
export async function fetchPackage(spec) {
  const accept = new RegExp(spec.accept);
  let found;
  for (const force of [false, true]) {
    await updateIndex({ force });
    const versions = paragraphs(["show", "--all-versions", spec.package]).filter(
      (p) => p.Package === spec.package && accept.test(p.Version),
    );
    found =
      versions.find((p) => p.Version === spec.version) ??
      versions.sort((a, b) => (isNewer(a.Version, b.Version) ? -1 : 1))[0];
    if (found) break;
  }
  if (!found)
    throw new SetupError(
      `Debian's index lists no ${spec.package} whose version matches ${spec.accept}`,
    );
  const folder = join(downloads, "debs");
  const kept = join(folder, `${spec.package}_${found.SHA256.slice(0, 16)}.deb`);
  if (!existsSync(kept)) {
    log(`downloading ${spec.package} ${found.Version} (${(found.Size / 1e6).toFixed(1)} MB)`);
    const partial = join(folder, `${spec.package}.part`);
    rmSync(partial, { recursive: true, force: true });
    mkdirSync(partial, { recursive: true });
    await run("apt-get", ["download", "-qq", `${spec.package}=${found.Version}`], {
      cwd: partial,
      env: environment(),
      quiet: true,
    });
    const file = join(
      partial,
      readdirSync(partial).find((name) => name.endsWith(".deb")),
    );
    const hash = await sha256(file);
    if (hash !== found.SHA256)
      throw new SetupError(`${spec.package}: sha256 is ${hash}, the index says ${found.SHA256}`);
    renameSync(file, kept);
    rmSync(partial, { recursive: true, force: true });
  }
  return { file: kept, version: found.Version };
}
