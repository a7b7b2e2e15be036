// node bench/peer/table.mjs [FILE…]: the tables of docs/PERFORMANCE.md, in Markdown, of what bench/peer wrote (build/bench/peer.json).
// Several files are read one after the other; of two meetings of the same kind the later one counts.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "../../tools/setup/paths.mjs";
import { median, ratiosOf } from "./cases.mjs";

const time = (ms) => (ms < 100 ? ms.toFixed(1) : ms.toFixed(0));
const mebi = (bytes) => (bytes / 2 ** 20).toFixed(0);
const row = (cells) => `| ${cells.join(" | ")} |`;
const table = (head, rows) => [
  row(head),
  row(head.map((_, i) => (i === 0 ? "---" : "---:"))),
  ...rows.map(row),
];

const seriesOf = (meeting, system, name) =>
  meeting.results[system].cases[name][`${meeting.clock}Ms`];
const placeNames = { chromium: "Chromium", node: "Node", native: "native code" };

/** Meetings of one place, dtype and number of threads (text and image together): a row a case. */
export function meetingTable(meetings) {
  const systems = meetings[0].results.map(({ system }) => system),
    ours = systems.slice(0, -1),
    peer = systems.length - 1;
  const head = [
    "tokens",
    `${systems[peer]}, ms`,
    ...ours.flatMap((name) => [`${name}, ms`, "times as fast [least … most]"]),
  ];
  const rows = meetings.flatMap((meeting) =>
    Object.keys(meeting.results[peer].cases).map((name) => {
      const theirs = seriesOf(meeting, peer, name);
      const cells = ours.flatMap((_, i) => {
        const mine = seriesOf(meeting, i, name),
          ratio = ratiosOf(mine, theirs);
        return [
          time(median(mine)),
          `**${ratio.median.toFixed(2)}** [${ratio.least.toFixed(2)} … ${ratio.most.toFixed(2)}]`,
        ];
      });
      return [name.replace(/^(\d+)x/, "$1 × "), time(median(theirs)), ...cells];
    }),
  );
  return table(head, rows);
}

/** What a second thread gives: our time on one thread over that on `threads`. */
export function threadTable(one, many) {
  const systems = one[0].results.map(({ system }) => system);
  const rows = one.flatMap((meeting, m) =>
    Object.keys(meeting.results[0].cases).map((name) => [
      name.replace(/^(\d+)x/, "$1 × "),
      ...systems.map((_, i) => {
        // Time that passed on both sides: the processor time of one thread says nothing here.
        const at = (from) => median(from.results[i].cases[name].wallMs);
        return (at(meeting) / at(many[m])).toFixed(2);
      }),
    ]),
  );
  return table(["tokens", ...systems], rows);
}

export function loadTable(loads) {
  return table(
    ["place, towers, dtype", "system", "s", "times as fast", "peak MiB", "of the peer's"],
    loads.flatMap(({ place, towers, dtype, threads, results }) => {
      const peer = results.at(-1);
      return results.map((result) => [
        `${placeNames[place]}, ${towers.join(" + ")} ${dtype}, ${threads} thread${threads > 1 ? "s" : ""}`,
        result.system,
        (median(result.loadMs) / 1000).toFixed(2),
        ratiosOf(result.loadMs, peer.loadMs).median.toFixed(2),
        mebi(median(result.peakBytes)),
        (median(result.peakBytes) / median(peer.peakBytes)).toFixed(2),
      ]);
    }),
  );
}

/** All tables of `report`, as lines. */
export function markdown(report) {
  const { machine, date, peer, layers, meetings, loads } = report;
  const out = [
    `${machine.cpu}, ${machine.cores} processors, ${(machine.memoryBytes / 2 ** 30).toFixed(0)} GiB; Node ${machine.node}; ${peer}; ${layers} layers a tower; ${date.slice(0, 10)}.`,
  ];
  const groups = group(meetings);
  for (const list of groups.values()) {
    const { place, dtype, threads, clock, rounds } = list[0];
    const said = clock === "cpu" ? "processor time of the busiest thread" : "time that passed";
    out.push(
      "",
      `**${placeNames[place]}, ${dtype}, ${threads} thread${threads > 1 ? "s" : ""}**: ${said}, medians of ${rounds} turns`,
      "",
      ...meetingTable(list),
    );
  }
  for (const list of groups.values()) {
    const { place, dtype, threads } = list[0];
    const one = groups.get(`${place} ${dtype} 1`);
    if (threads === 1 || one?.length !== list.length) continue;
    out.push(
      "",
      `**${placeNames[place]}, ${dtype}: ${threads} threads against one**, time that passed`,
      "",
      ...threadTable(one, list),
    );
  }
  if (loads.length)
    out.push(
      "",
      "**Cold load**: new process, empty cache, from a server on the same machine; memory of the page's process at its highest",
      "",
      ...loadTable(loads),
    );
  return out;
}

function group(meetings) {
  const groups = new Map();
  for (const meeting of meetings) {
    const key = `${meeting.place} ${meeting.dtype} ${meeting.threads}`;
    groups.set(key, [...(groups.get(key) ?? []), meeting]);
  }
  return groups;
}

/** Reports one after the other as one: machine and date of the last. */
export function together(reports) {
  const last = reports.at(-1);
  const latest = (lists, keyOf) => [
    ...new Map(lists.flat().map((entry) => [keyOf(entry), entry])).values(),
  ];
  return {
    ...last,
    meetings: latest(
      reports.map(({ meetings }) => meetings),
      ({ place, dtype, tower, threads }) => `${place} ${dtype} ${tower} ${threads}`,
    ),
    loads: latest(
      reports.map(({ loads }) => loads),
      ({ place, dtype, towers, threads }) => `${place} ${dtype} ${towers} ${threads}`,
    ),
  };
}

if (process.argv[1] === import.meta.filename) {
  const files = process.argv.length > 2 ? process.argv.slice(2) : [join(build, "bench/peer.json")];
  console.log(
    markdown(together(files.map((file) => JSON.parse(readFileSync(file, "utf8"))))).join("\n"),
  );
}
