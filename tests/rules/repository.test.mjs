// What may be in the repository, and what may not.
import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { isText, read, repositoryFiles, root } from "./files.mjs";

const files = repositoryFiles().filter((path) => existsSync(join(root, path)));
const texts = files.filter(
  (path) => !path.startsWith("tests/data/") && !path.startsWith("models/") && isText(path),
);

test("no file names a package registry or a mirror", () => {
  // Written in parts, so that this file does not name them either.
  const hosts = [
    ["npmjs", "org"],
    ["npmjs", "com"],
    ["yarnpkg", "com"],
    ["debian", "org/debian"],
    ["deb.debian", "org"],
    ["security.debian", "org"],
    ["snapshot.debian", "org"],
    ["pypi", "org"],
    ["pythonhosted", "org"],
    ["crates", "io"],
    ["jsdelivr", "net"],
    ["unpkg", "com"],
  ].map((parts) => parts.join("."));
  const wrong = texts.flatMap((path) => {
    const text = read(path);
    return hosts.filter((host) => text.includes(host)).map((host) => `${path}: ${host}`);
  });
  assert.deepEqual(wrong, []);
});

test("the lock file says where nothing was fetched from", () => {
  for (const [name, entry] of Object.entries(JSON.parse(read("package-lock.json")).packages)) {
    assert.equal(entry.resolved, undefined, name);
  }
});

test("no file names a path of somebody's machine", () => {
  const wrong = texts.flatMap((path) =>
    read(path)
      .split("\n")
      .flatMap((line, index) =>
        /(^|[\s"'`=(])\/(root|home|work|Users)\//.test(line)
          ? [`${path}:${index + 1}: ${line.trim()}`]
          : [],
      ),
  );
  assert.deepEqual(wrong, []);
});

test("no build output and no large file", () => {
  const wrong = files.filter((path) => {
    if (/\.(wasm|o|a|tgz|tsbuildinfo)$/.test(path)) return true;
    const limit = /^(models|tests\/data)\//.test(path) ? 32 << 20 : 1 << 20;
    return statSync(join(root, path)).size > limit;
  });
  assert.deepEqual(wrong, []);
});

test("source files can be read in one sitting", () => {
  const wrong = files
    .filter((path) => /^(src|wasm|js\/src|tools|cmake)\/.*\.(h|cc|ts|mjs|cmake)$/.test(path))
    .map((path) => [path, read(path).split("\n").length])
    .filter(([, lines]) => lines > 500);
  assert.deepEqual(wrong, []);
});

test("names: snake_case in C++, kebab-case in TypeScript", () => {
  const wrong = files.filter(
    (path) =>
      (/^(src|wasm|tests\/native)\/.*\.(h|cc)$/.test(path) &&
        !/\/[a-z0-9_]+\.(h|cc)$/.test(path)) ||
      (/^(js\/src|web-demo\/src)\/.*\.ts$/.test(path) &&
        !/\/[a-z0-9-]+(\.(d|node|browser))?\.ts$/.test(path)),
  );
  assert.deepEqual(wrong, []);
});

test("every third-party source is pinned by hash and by full commit", () => {
  const { sources } = JSON.parse(read("cmake/dependencies.json"));
  for (const [name, { debian, git, license }] of Object.entries(sources)) {
    assert.match(debian.sha256, /^[0-9a-f]{64}$/, name);
    assert.match(git.commit, /^[0-9a-f]{40}$/, name);
    assert.ok(license, name);
    assert.ok(
      read("THIRD-PARTY-NOTICES.md").includes(`## ${name}\n`),
      `THIRD-PARTY-NOTICES.md has no section ${name}`,
    );
  }
});
