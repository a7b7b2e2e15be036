// Figures as lines for people.
import { median, ratiosOf } from "./cases.mjs";

const mebi = (bytes) => (bytes / 2 ** 20).toFixed(0);
const time = (ms) => (ms < 100 ? ms.toFixed(1) : ms.toFixed(0));
const seriesOf = (result, name, clock) => result.cases[name][`${clock}Ms`];

/** One meeting: a line a case with the peer's time, and for each of ours its time and the ratios. */
export function meetingLines({ place, dtype, tower, threads, clock, results }) {
  const ours = results.slice(0, -1),
    peer = results.at(-1);
  const said = { cpu: "processor time", wall: "time passed" }[clock];
  const lines = [
    "",
    `${place}, ${tower} ${dtype}, ${threads} thread${threads > 1 ? "s" : ""}, ${said}: median, and peer / ours: median [least … most] of pairs`,
    `${"case".padEnd(7)} ${peer.system.padStart(16)}${ours.map(({ system }) => `   ${system.padStart(12)} ${"ratio".padEnd(20)}`).join("")}`,
  ];
  for (const name of Object.keys(peer.cases)) {
    const theirs = seriesOf(peer, name, clock);
    const cells = ours.map((result) => {
      const { median: middle, least, most } = ratiosOf(seriesOf(result, name, clock), theirs);
      return `   ${time(median(seriesOf(result, name, clock))).padStart(12)} ${`${middle.toFixed(2)} [${least.toFixed(2)} … ${most.toFixed(2)}]`.padEnd(20)}`;
    });
    lines.push(`${name.padEnd(7)} ${time(median(theirs)).padStart(16)}${cells.join("")}`.trimEnd());
  }
  lines.push(
    `peak MiB, load / runs: ${results.map((r) => `${r.system} ${mebi(r.peakAfterLoad)} / ${mebi(r.peakAfterRuns)}`).join(", ")}`,
  );
  return lines;
}

/** Loads of one kind: medians, and the peer's over ours. */
export function loadLines({ place, dtype, towers, threads, results }) {
  const peer = results.at(-1);
  const lines = [
    "",
    `${place}, cold load of ${towers.join(" and ")}, ${dtype}, ${threads} thread${threads > 1 ? "s" : ""}: median of ${peer.loadMs.length}`,
  ];
  for (const result of results) {
    const speed = ratiosOf(result.loadMs, peer.loadMs),
      share = median(result.peakBytes) / median(peer.peakBytes);
    const compared =
      result === peer
        ? ""
        : `   ${speed.median.toFixed(2)} [${speed.least.toFixed(2)} … ${speed.most.toFixed(2)}] times as fast, ${share.toFixed(2)} of the memory`;
    lines.push(
      `${result.system.padEnd(16)} ${(median(result.loadMs) / 1000).toFixed(2).padStart(7)} s, peak ${mebi(median(result.peakBytes)).padStart(5)} MiB${compared}`,
    );
  }
  return lines;
}

/** Where our time went: a line a case and system, shares in percent. */
export function profileLines({ results }) {
  const lines = [];
  for (const { system, cases } of results) {
    for (const [name, { profile }] of Object.entries(cases)) {
      if (!profile?.length) continue;
      const sum = profile.reduce((total, { milliseconds }) => total + milliseconds, 0);
      const parts = profile
        .filter(({ calls }) => calls > 0)
        .map(({ kind, milliseconds }) => `${kind} ${((100 * milliseconds) / sum).toFixed(1)} %`);
      lines.push(`${system.padEnd(14)} ${name.padEnd(6)} ${parts.join(", ")}`);
    }
  }
  return lines.length ? ["where the time goes:", ...lines] : [];
}
