// How far the conversion is: a bar on a terminal, a line for each tenth elsewhere.
import type { ConvertProgress } from "./convert.js";

export interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const megabytes = (bytes: number) => Math.round(bytes / 1e6);

export function progressDisplay(
  screen: Screen,
  now: () => number = Date.now,
): { report(progress: ConvertProgress): void; end(): void } {
  const began = now();
  let shown = "";
  let drawn = -Infinity;
  let tenth = -1;
  return {
    report({ total, done, resumed, file }) {
      if (total === 0) return;
      const share = Math.min(1, done / total);
      const seconds = (now() - began) / 1000;
      const speed = seconds > 0.5 ? `${((done - resumed) / 1e6 / seconds).toFixed(1)} MB/s` : "";
      const words = `${String(Math.floor(share * 100)).padStart(3)} %  ${megabytes(done)} of ${megabytes(total)} MB  ${speed}`;
      if (screen.isTTY) {
        if (now() - drawn < 100 && done < total) return;
        drawn = now();
        const width = 24;
        const bar = "#".repeat(Math.round(share * width)).padEnd(width, ".");
        const line = `[${bar}] ${words}  ${file}`.slice(
          0,
          Math.max(20, (screen.columns ?? 80) - 1),
        );
        screen.write(`\r${line.padEnd(shown.length)}`);
        shown = line;
        return;
      }
      const reached = Math.floor(share * 10);
      if (tenth < 0 && resumed > 0)
        screen.write(`continues after ${megabytes(resumed)} MB of an earlier run\n`);
      if (reached <= tenth) return;
      tenth = reached;
      screen.write(`${words.trim()}\n`);
    },
    end() {
      if (shown) screen.write("\n");
      shown = "";
    },
  };
}
