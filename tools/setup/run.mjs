// Child processes and stamps: the few things every set-up step needs.
import { spawn, spawnSync } from "node:child_process";
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { SetupError } from "./log.mjs";

/** Runs a command with its output shown (on stderr, with the progress); rejects when it fails. */
export function run(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ["ignore", options.quiet ? "ignore" : 2, 2],
      ...options,
    });
    child.on("error", (error) =>
      reject(new SetupError(`cannot start ${command}: ${error.message}`)),
    );
    child.on("exit", (code, signal) =>
      code === 0
        ? resolve()
        : reject(
            new SetupError(`${command} ${args.join(" ")} failed (${signal ?? `exit ${code}`})`),
          ),
    );
  });
}

/** Runs a command and returns { status, stdout, stderr }; never throws for a failing command. */
export function capture(command, args, options = {}) {
  const result = spawnSync(command, args, { encoding: "utf8", maxBuffer: 256 << 20, ...options });
  return {
    status: result.error ? 127 : (result.status ?? 1),
    stdout: result.stdout ?? "",
    stderr: result.stderr ?? "",
  };
}

/** The full path of a program on PATH, or undefined. */
export function which(name, path = process.env.PATH ?? "") {
  for (const folder of path.split(delimiter)) {
    const file = join(folder || ".", name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      /* look further */
    }
  }
  return undefined;
}

/** A stamp records what a finished step was made from; the step is skipped while it says the same. */
export const hasStamp = (file, text) => existsSync(file) && readFileSync(file, "utf8") === text;

/** Written last and by renaming, so that an interrupted step never looks finished. */
export function writeStamp(file, text) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.part`, text);
  renameSync(`${file}.part`, file);
}
