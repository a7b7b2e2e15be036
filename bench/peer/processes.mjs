// What the kernel says of a process and those it started: memory at its highest, and processor time by thread.
import { spawnSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { nodeFlagsFor } from "../../tools/lib/direct-engine.mjs";

function read(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // it has ended
  }
}

/** The process `ancestor` and all below it. */
export function descendants(ancestor) {
  const parents = new Map();
  for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    parents.set(Number(name), Number(/^PPid:\s*(\d+)/m.exec(read(`/proc/${name}/status`))?.[1]));
  }
  const found = new Set([ancestor]);
  for (let size = 0; size !== found.size; ) {
    size = found.size;
    for (const [pid, parent] of parents) if (found.has(parent)) found.add(pid);
  }
  return [...found];
}

/** The renderers below `ancestor` that are not in `known`, the one that held most memory first. */
export function renderersOf(ancestor, known = new Set()) {
  const renderers = descendants(ancestor).filter(
    (pid) => !known.has(pid) && read(`/proc/${pid}/cmdline`).includes("--type=renderer"),
  );
  return renderers.sort((a, b) => highWater(b) - highWater(a));
}

const kilobytes = (pid, field) =>
  1024 *
  Number(new RegExp(`^${field}:\\s*(\\d+) kB`, "m").exec(read(`/proc/${pid}/status`))?.[1] ?? 0);

/** Resident memory in bytes: the most there ever was, and now. */
export const highWater = (pid) => kilobytes(pid, "VmHWM");
export const residentNow = (pid) => kilobytes(pid, "VmRSS");

const POLL_MS = 50;

/** The most memory of one of `pids` from now on, looked at again and again: where the kernel takes pages back its own mark can sink. */
export function watchMemory(...pids) {
  let peak = 0;
  const look = () => (peak = Math.max(peak, ...pids.map(highWater)));
  const timer = setInterval(look, POLL_MS);
  timer.unref();
  return { peak: look, stop: () => clearInterval(timer) };
}

/** Map of thread → milliseconds of processor time. */
export function threadTimes(pid) {
  const times = new Map();
  let threads;
  try {
    threads = readdirSync(`/proc/${pid}/task`);
  } catch {
    return times;
  }
  for (const thread of threads)
    times.set(thread, Number(read(`/proc/${pid}/task/${thread}/schedstat`).split(" ")[0]) / 1e6);
  return times;
}

/** { version, flags }: of the Node at `path`, and what it must be started with to run `variant`. */
export function nodeAt(path, variant = "simd") {
  const version = spawnSync(path, ["--version"], { encoding: "utf8" }).stdout.trim();
  // Newer ones have relaxed SIMD and no such flag.
  return { version, flags: Number(/^v(\d+)/.exec(version)?.[1]) < 21 ? nodeFlagsFor(variant) : [] };
}

/** Keeps this process, and what it starts from now on, on the processors of `list`. Gives whether that could be. */
export function pin(list) {
  return (
    spawnSync("taskset", ["-a", "-cp", list.join(), String(process.pid)], { stdio: "ignore" })
      .status === 0
  );
}

/** Between two of `threadTimes`: of the thread that worked most, and of all together. */
export function spent(before, after) {
  let busiest = 0,
    all = 0;
  for (const [thread, time] of after) {
    const more = time - (before.get(thread) ?? 0);
    busiest = Math.max(busiest, more);
    all += more;
  }
  return { busiest, all };
}
