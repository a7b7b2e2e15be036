// Which bytes of a file: disjoint ranges, ascending.

export class Intervals {
  #ranges: [begin: number, end: number][];

  /** `ranges`: of `save`. */
  constructor(ranges: readonly (readonly [number, number])[] = []) {
    this.#ranges = [];
    for (const [begin, end] of ranges) this.add(begin, end);
  }

  add(begin: number, end: number): void {
    if (end <= begin) return;
    const before = this.#ranges.filter((range) => range[1] < begin);
    const after = this.#ranges.filter((range) => range[0] > end);
    const touching = this.#ranges.slice(before.length, this.#ranges.length - after.length);
    const merged: [number, number] = [
      Math.min(begin, ...touching.map((range) => range[0])),
      Math.max(end, ...touching.map((range) => range[1])),
    ];
    this.#ranges = [...before, merged, ...after];
  }

  /** Whether all of it is in. */
  has(begin: number, end: number): boolean {
    return end <= begin || this.#ranges.some((range) => range[0] <= begin && end <= range[1]);
  }

  /** Up to where everything from `at` on is in; `at` itself when it is not. */
  endOf(at: number): number {
    return this.#ranges.find(([begin, end]) => begin <= at && at < end)?.[1] ?? at;
  }

  /** Where the next bytes from `at` on are that are in; Infinity when there are none. */
  next(at: number): number {
    const range = this.#ranges.find(([, end]) => end > at);
    return range ? Math.max(at, range[0]) : Infinity;
  }

  save(): readonly (readonly [number, number])[] {
    return this.#ranges;
  }
}
