// What a shorter vector does to a ranking.

import type { Ranked } from "./corpus.ts";

export const topCount = 10;

export interface RankedHit extends Ranked {
  /**
   * Places won (positive) or lost against the full-length ranking; 0 at full length, and 0 for what is
   * in the top of neither ranking: far down, neighbours differ by so little that moves mean nothing.
   */
  readonly move: number;
}

export interface Comparison {
  readonly hits: readonly RankedHit[];
  /** How many of the full-length top are still in the top. */
  readonly kept: number;
  readonly of: number;
}

export function compareRankings(full: readonly Ranked[], short: readonly Ranked[]): Comparison {
  const fullRank = new Map(full.map((hit, rank) => [hit.id, rank]));
  const of = Math.min(topCount, full.length);
  const hits = short.map((hit, rank) => {
    const before = fullRank.get(hit.id) ?? rank;
    return { ...hit, move: Math.min(before, rank) < of ? before - rank : 0 };
  });
  const kept = short.slice(0, of).filter((hit) => (fullRank.get(hit.id) ?? of) < of).length;
  return { hits, kept, of };
}
