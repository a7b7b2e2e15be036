// Which tensor goes into which shard (docs/FORMAT.md). All of it is known before the first number, so that a shard can be
// written as a stream: its header comes first.
import { EmbedError } from "../../errors.js";
import type { PackedTensor } from "./converter.js";

/**
 * Readers take twice as much. But a browser that gets bytes faster than they are used keeps all that is left of a response in
 * memory, and this bounds it.
 */
export const shardBytes = 32 << 20;

export interface PlannedShard {
  readonly path: string;
  readonly tower: "text" | "vision";
  readonly tensors: readonly PackedTensor[];
  /** Length prefix and header. */
  readonly head: Uint8Array;
  /** Of the whole file. */
  readonly bytes: number;
  /** It ends where a conversion can go on: no unit is cut in two. */
  readonly complete: boolean;
}

/** `tensors`: all of the pack, in their order. A shard holds tensors of one group, whole units where they fit. */
export function planShards(tensors: readonly PackedTensor[]): PlannedShard[] {
  const shards: PlannedShard[] = [];
  const numbers = new Map<string, number>();
  let pending: PackedTensor[] = [];
  const close = (next: PackedTensor | undefined) => {
    const [first] = pending;
    if (!first) return;
    const number = numbers.get(first.group) ?? 0;
    numbers.set(first.group, number + 1);
    const head = safetensorsHead(pending);
    const bytes = head.length + sum(pending);
    const path = `${first.group}-${String(number).padStart(2, "0")}.safetensors`;
    if (bytes > shardBytes)
      throw new EmbedError("internal", `${path}: ${bytes} bytes, more than a shard may have`);
    const complete = next === undefined || next.unit !== pending.at(-1)?.unit;
    shards.push({
      path,
      tower: first.group.startsWith("text") ? "text" : "vision",
      tensors: pending,
      head,
      bytes,
      complete,
    });
    pending = [];
  };
  // The header takes less than this for each tensor.
  const fits = (more: readonly PackedTensor[]) =>
    sum(pending) + sum(more) + (pending.length + more.length + 1) * 512 <= shardBytes;
  for (let at = 0; at < tensors.length; ) {
    const first = tensors[at] as PackedTensor;
    let end = at;
    while (end < tensors.length && tensors[end]?.unit === first.unit) ++end;
    const unit = tensors.slice(at, end);
    if (pending[0] && (pending[0].group !== first.group || !fits(unit))) close(first);
    for (const tensor of unit) {
      if (!fits([tensor])) close(tensor);
      pending.push(tensor);
    }
    at = end;
  }
  close(undefined);
  return shards;
}

const sum = (tensors: readonly PackedTensor[]) =>
  tensors.reduce((bytes, tensor) => bytes + tensor.bytes, 0);

/** Length prefix and header of a safetensors file with these tensors, concatenated. */
function safetensorsHead(tensors: readonly PackedTensor[]): Uint8Array {
  const header: Record<string, unknown> = {};
  let offset = 0;
  for (const { name, dtype, shape, bytes } of tensors) {
    header[name] = { dtype, shape, data_offsets: [offset, offset + bytes] };
    offset += bytes;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  // Spaces up to a multiple of 8, so that the numbers are aligned for whoever maps the file.
  const head = new Uint8Array(8 + Math.ceil(text.length / 8) * 8).fill(0x20);
  new DataView(head.buffer).setBigUint64(0, BigInt(head.length - 8), true);
  head.set(text, 8);
  return head;
}
