// Numbers as people read them.

export function milliseconds(value: number): string {
  if (value < 0.1) return "under 0.1 ms";
  if (value < 10) return `${value.toFixed(1)} ms`;
  if (value < 1000) return `${Math.round(value)} ms`;
  return `${(value / 1000).toFixed(value < 10_000 ? 1 : 0)} s`;
}

/** Sizes in powers of ten, as file managers and networks count them. */
export function byteSize(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(0)} kB`;
  if (bytes < 1e9) return `${(bytes / 1e6).toFixed(1)} MB`;
  return `${(bytes / 1e9).toFixed(2)} GB`;
}

export function score(value: number): string {
  return value.toFixed(2).replace("-0.00", "0.00").replace("-", "−");
}

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** A count as people write it: 1,922. */
export function count(value: number): string {
  return value.toLocaleString("en");
}

/** A wait as people speak of it. */
export function duration(ms: number): string {
  if (ms < 90_000) return `${Math.max(1, Math.round(ms / 1000))} s`;
  return `${Math.round(ms / 60_000)} min`;
}

/** What is left of a wait; not to the second, which nobody can know. */
export function timeLeft(seconds: number): string {
  if (seconds < 60) return "less than a minute left";
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `about ${plural(minutes, "minute")} left`;
  return `about ${plural(Math.round(seconds / 3600), "hour")} left`;
}
