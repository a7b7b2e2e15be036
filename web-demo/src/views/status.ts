// What the last search took, and the top result for screen readers.

import type { Answer } from "../data/search.ts";
import { byId } from "../dom.ts";
import { count, milliseconds, score } from "../format.ts";

const announceAfterMs = 700; // once the typing pauses, or a screen reader would talk without end

export class StatusLine {
  readonly #status = byId("search-status", HTMLElement);
  readonly #live = byId("live", HTMLElement);
  #timer: ReturnType<typeof setTimeout> | undefined;

  say(text: string): void {
    this.#status.classList.remove("status-error");
    this.#status.textContent = text || " ";
    clearTimeout(this.#timer);
  }

  fail(text: string): void {
    this.#status.classList.add("status-error");
    this.#status.textContent = text;
    this.#announce(text);
  }

  answer(answer: Answer, noun: string, topName: string | undefined): void {
    this.#status.classList.remove("status-error");
    const parts: string[] = [];
    if (answer.embedMs !== undefined && answer.tokens === undefined)
      parts.push(`Drawing read in ${milliseconds(answer.embedMs)}`);
    else if (answer.embedMs !== undefined)
      parts.push(
        `${answer.tokens} tokens${answer.truncated ? " (cut)" : ""} read in ${milliseconds(answer.embedMs)}`,
      );
    else parts.push("Vector at hand");
    parts.push(
      `${count(answer.searched)} ${answer.searched === 1 ? noun.slice(0, -1) : noun} searched in ${milliseconds(answer.searchMs)}`,
    );
    const ignorance = unknown(answer);
    if (ignorance) parts.unshift(ignorance);
    this.#status.textContent = parts.join(" · ");
    const best = answer.hits[0];
    if (best && topName)
      this.#announce(
        `${ignorance ? `${ignorance}. ` : ""}Best match: ${topName}, score ${score(best.score)}`,
      );
  }

  #announce(text: string): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => (this.#live.textContent = text), announceAfterMs);
  }
}

// A word of nothing but unknown letters still has a token for its beginning, so half is as good as all. Every text has two
// tokens for its beginning and its end.
function unknown({ tokens = 0, unknownTokens = 0 }: Answer): string | undefined {
  if (unknownTokens === 0) return undefined;
  return unknownTokens * 2 >= tokens - 2
    ? "The model does not know these characters: what is found is chance"
    : "The model does not know a part of this text";
}
