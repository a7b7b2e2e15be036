// Where the tensors of one layer lie together in a safetensors file. A reader that takes layer after layer goes on from one tensor to
// the next inside of such a run, and after it with the next layer, which lies elsewhere: names are sorted as text, and "10" comes before
// "2".

/** Bytes of a safetensors file before its header. */
const prefixBytes = 8;

interface Run {
  readonly begin: number;
  readonly end: number;
  /** Of the names of its tensors; empty where they are of no layer. */
  readonly layer: string;
}

export class TensorRuns {
  /** Ascending. */
  readonly #runs: Run[] = [];

  /** A header that makes no sense gives no runs: the engine says what is wrong with it. */
  constructor(header: Uint8Array) {
    const first = prefixBytes + header.length;
    const tensors: { name: string; begin: number; end: number }[] = [];
    try {
      const table = JSON.parse(new TextDecoder().decode(header)) as {
        readonly [name: string]: { readonly data_offsets?: readonly number[] };
      };
      for (const [name, { data_offsets: [begin, end] = [] }] of Object.entries(table))
        if (Number.isSafeInteger(begin) && Number.isSafeInteger(end))
          tensors.push({ name, begin: first + (begin as number), end: first + (end as number) });
    } catch {
      return;
    }
    tensors.sort((a, b) => a.begin - b.begin);
    for (const { name, begin, end } of tensors) {
      const layer = /^.*?\.\d+\./.exec(name)?.[0] ?? "";
      const last = this.#runs.at(-1);
      if (last?.layer === layer && last.end === begin) this.#runs.splice(-1, 1, { ...last, end });
      else this.#runs.push({ begin, end, layer });
    }
  }

  /** The end of the run that `at` lies in; nothing when it lies in none. */
  endOf(at: number): number | undefined {
    return this.#runs.find(({ begin, end }) => begin <= at && at < end)?.end;
  }

  /** Where a reader goes on after `end`; nothing when nobody knows. */
  after(end: number): number | undefined {
    const run = this.#runs.find((each) => each.begin < end && end <= each.end);
    if (!run) return undefined;
    if (end < run.end) return end;
    const next = run.layer.replace(/\d+(?=\.$)/, (number) => String(Number(number) + 1));
    return run.layer === "" ? undefined : this.#runs.find(({ layer }) => layer === next)?.begin;
  }
}
