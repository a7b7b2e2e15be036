// A checkpoint on a hub, verified: small files by the hub's hash before anything else is done, the tensors by one hash over the
// whole file, which goes through it in order while the reader takes what it needs first. Bytes that came too early for the hash, and
// all that a later load would have to ask for again, are kept in a journal.
import { EmbedError } from "../errors.js";
import { shownHub, type HubAddress } from "../shared/hub-address.js";
import { textBytes } from "../shared/limits.js";
import { checkpointTexts } from "../shared/model-files.js";
import { reasonOf } from "../shared/reason.js";
import type { OpenSource, SourceFile, Take } from "../shared/source.js";
import { networkError } from "./answers.js";
import {
  readRevision,
  refusal,
  resolveAddress,
  type HubFile,
  type HubRevision,
} from "./hub-api.js";
import { HttpReader, type HttpOptions, type RemoteFile } from "./http-reader.js";
import { IncrementalSha256, type HashBlocks, type HashState } from "./incremental-sha256.js";
import { BlockReader } from "./block-reader.js";
import { Intervals } from "./intervals.js";
import { Journal } from "./journal.js";
import { defaultRetryPolicy, type RetryPolicy } from "./retry.js";
import { canHash, hexSha256 } from "./sha256.js";
import { TensorRuns } from "./tensor-runs.js";

const tensorFile = "model.safetensors";
/** Of a safetensors file: before its header. */
const prefixBytes = 8;
/** About as long as the header of a file with a thousand tensors. */
const headBytes = 128 << 10;
/** Bytes from the journal are hashed in such pieces. */
const pieceBytes = 1 << 20;
/** What lies between two wanted ranges is hashed before it is wanted, and waits in memory, up to this size in all. */
const maxGapBytes = 4 << 20;

/** For the tensors: minutes of a limited server or a lost network are outlasted. */
const longRetryPolicy: RetryPolicy = {
  backoffMs: [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 60_000, 60_000],
  idleTimeoutMs: 30_000,
  maxBackoffMs: 60_000,
};

export interface HubSourceOptions {
  /** Sent to the hub as a bearer token. Never part of a message or a name. */
  readonly token?: string | undefined;
  readonly headers?: HttpOptions["headers"];
  readonly fetch?: HttpOptions["fetch"];
  /** Default: of `retry.ts` for questions, longer for the tensors. */
  readonly retry?: RetryPolicy | undefined;
}

/** What a later load needs to go on. Plain values, for JSON. */
export interface HubState {
  readonly hash: HashState;
  /** Ranges of the tensors that the reader has had. */
  readonly had: readonly (readonly [number, number])[];
  /** SHA-256 of what every reader begins with: the header of the tensors. */
  readonly head: string;
  /** Ranges that were hashed before the reader had them, with their SHA-256. */
  readonly ahead: readonly (readonly [begin: number, end: number, sha256: string])[];
}

/** Errors: EmbedError "network", "corrupt-model", and "start-failed" where the platform has no hashes. */
export async function openHubSource(
  hub: HubAddress,
  options: HubSourceOptions,
): Promise<HubSource> {
  if (!canHash())
    throw new EmbedError(
      "start-failed",
      `${shownHub(hub)}: this page has no WebCrypto to verify the download with; serve it by https`,
    );
  const { token, headers = [], fetch, retry = defaultRetryPolicy } = options;
  const http: HttpOptions = {
    retry,
    fetch,
    headers: token === undefined ? headers : [...headers, ["Authorization", `Bearer ${token}`]],
    signs: true,
  };
  const revision = await readRevision(new HttpReader(http), hub);
  return new HubSource(hub, revision, { ...http, retry: options.retry ?? longRetryPolicy });
}

interface Listed extends SourceFile {
  readonly hub: HubFile;
  readonly remote: RemoteFile;
}

export class HubSource implements OpenSource {
  readonly files: Listed[];
  readonly failureCode = "network";
  readonly hub: HubAddress;
  readonly revision: HubRevision;
  readonly #http: HttpReader;
  readonly #blocks: BlockReader;
  /** Files that were read whole. */
  readonly #whole = new Map<string, Promise<Uint8Array>>();
  /** Called as bytes of the tensors come; `waiting` has changed then. */
  onBytes: () => void = () => {};
  #journal = new Journal();
  #hash = new IncrementalSha256();
  #hashBlocks: HashBlocks | undefined;
  #had = new Intervals();
  #head = "";
  /** Hashed, but not read yet: what lay between two ranges that the reader wanted. Ascending. */
  #ahead: { readonly begin: number; readonly bytes: Uint8Array }[] = [];
  #prefix = new Uint8Array(0);
  #headEnd = prefixBytes;
  #runs: TensorRuns | undefined;

  constructor(hub: HubAddress, revision: HubRevision, http: HttpOptions) {
    this.hub = hub;
    this.revision = revision;
    this.#http = new HttpReader(http);
    const wanted = new Set<string>([...checkpointTexts, tensorFile, "sentencepiece.bpe.model"]);
    this.files = revision.files
      .filter(({ path }) => wanted.has(path))
      .map((file) => ({
        path: file.path,
        byteLength: file.byteLength,
        hub: file,
        remote: {
          href: resolveAddress(hub, revision.commit, file.path),
          byteLength: file.byteLength,
        },
      }));
    const tensors = this.files.find(({ path }) => path === tensorFile);
    if (tensors?.hub.sha256 === undefined)
      throw new EmbedError(
        "unsupported-model",
        tensors
          ? `${shownHub(hub)}: the hub gives no SHA-256 of ${tensorFile}`
          : `${shownHub(hub)}: has no ${tensorFile}`,
      );
    this.#blocks = new BlockReader(
      this.#tensors.remote,
      [new HttpReader(http), new HttpReader(http)],
      {
        endOf: (at) => {
          const { byteLength } = this.#tensors;
          // The header tells how the rest is read, so it comes first, by itself.
          const end = this.#runs ? (this.#runs.endOf(at) ?? byteLength) : at + headBytes;
          return Math.min(this.#journal.next(at), end, byteLength);
        },
        after: (end) => {
          const next = this.#runs?.after(end);
          return next === undefined || this.#journal.available(next) > 0 ? undefined : next;
        },
      },
      (at, bytes) => this.#keep(at, bytes),
      () => this.onBytes(),
    );
  }

  /** What tells this content from any other: the hub's hashes of the files. */
  get identity(): string {
    return JSON.stringify(
      this.files.map(({ path, hub }) => [path, hub.byteLength, hub.sha256 ?? hub.gitOid]).sort(),
    );
  }

  /** Bytes of the tensors that have come and were not read yet. */
  get waiting(): number {
    return this.#blocks.waiting;
  }

  /** Bytes of the tensors. */
  get byteLength(): number {
    return this.#tensors.byteLength;
  }

  /**
   * Keeps what comes in `journal`, until `release`. `state`: of `save` of an earlier load, whose journal it is. Before the first
   * read of tensors. Errors: those of the store.
   */
  async keepIn(journal: Journal, state: HubState | undefined): Promise<void> {
    await journal.resume(this.identity);
    this.#journal = journal;
    this.#hash = (state && IncrementalSha256.restore(state.hash)) ?? new IncrementalSha256();
    if (this.#hashBlocks) this.#hash.hashBlocks = this.#hashBlocks;
    this.#had = new Intervals(state?.had);
    this.#head = state?.head ?? "";
    this.#ahead = [];
    for (const [begin, end, sha256] of state?.ahead ?? []) {
      const bytes = await this.#collect(begin, end);
      if (this.#digest(bytes) !== sha256) throw this.#damaged("what an earlier load read");
      this.#ahead.push({ begin, bytes });
    }
  }

  /** Hashes faster from now on. */
  hashWith(hashBlocks: HashBlocks): void {
    this.#hashBlocks = hashBlocks;
    this.#hash.hashBlocks = hashBlocks;
  }

  save(): HubState {
    return {
      hash: this.#hash.save(),
      had: this.#had.save(),
      head: this.#head,
      ahead: this.#ahead.map(({ begin, bytes }) => [
        begin,
        begin + bytes.length,
        this.#digest(bytes),
      ]),
    };
  }

  /** Everything that was read is used up and `save`d: lets go of what no later load needs. */
  async release(): Promise<void> {
    const { bytes } = this.#hash;
    await this.#journal.release((begin, end) => end > bytes || !this.#had.has(begin, end));
  }

  /** A small file, whole and verified. Errors: "network". */
  readSmall(path: string): Promise<Uint8Array> {
    const file = this.files.find((listed) => listed.path === path);
    if (!file) throw new EmbedError("unsupported-model", `${shownHub(this.hub)}: has no ${path}`);
    return this.#readWhole(file);
  }

  async readJson(path: string): Promise<unknown> {
    const bytes = await this.readSmall(path);
    try {
      return JSON.parse(new TextDecoder().decode(bytes)) as unknown;
    } catch (cause) {
      throw new EmbedError("corrupt-model", `${path}: ${reasonOf(cause)}`, { cause });
    }
  }

  async read(listed: SourceFile, offset: number, length: number, take: Take): Promise<void> {
    const file = listed as Listed;
    if (file.path !== tensorFile) {
      const bytes = await this.#readWhole(file);
      return take(bytes.subarray(offset, offset + length), false);
    }
    const end = offset + length;
    const isHead = end <= this.#headEnd || !this.#runs;
    const whole = isHead ? new Uint8Array(length) : undefined;
    await this.#hashUpTo(offset);
    await this.#walk(offset, end, (at, piece, from) => {
      // What is read twice, or after it was hashed, is not what was hashed. The header is compared by itself.
      if (!isHead && from !== "ahead" && at < this.#hash.bytes)
        throw this.#damaged("what is read again");
      this.#hashNext(at, piece);
      // What comes too early for the hash waits for it.
      if (!this.#journal.keeps && at > this.#hash.bytes) this.#journal.remember(at, piece);
      whole?.set(piece, at - offset);
      take(piece, from === "journal");
    });
    this.#had.add(offset, end);
    this.#ahead = this.#ahead.filter(
      ({ begin, bytes }) => !this.#had.has(begin, begin + bytes.length),
    );
    await this.#catchUp();
    if (whole) this.#readHead(offset, whole);
  }

  /**
   * The reader has all it wants. Reads what is left of the file if that is little, and compares the whole file's hash. Resolves to
   * whether the whole file was verified: one tower alone leaves too much unread. Errors: "corrupt-model", "network".
   */
  async finished(): Promise<void> {
    await this.verify();
  }

  async verify(): Promise<boolean> {
    const { byteLength, hub } = this.#tensors;
    for (;;) {
      await this.#catchUp();
      const at = this.#hash.bytes;
      if (at === byteLength) break;
      // Asked for again, it would be hashed, but it is not what the reader has had.
      if (this.#had.endOf(at) > at) throw this.#damaged("what was kept of the download");
      const next = Math.min(byteLength, this.#had.next(at));
      if (next - at > maxGapBytes) return false;
      await this.#walk(at, next, (from, piece) => this.#hashNext(from, piece));
    }
    const found = IncrementalSha256.restore(this.#hash.save())?.digest();
    if (found !== hub.sha256)
      throw new EmbedError(
        "corrupt-model",
        `${shownHub(this.hub)}: ${tensorFile}: its SHA-256 is ${found}, the hub says ${hub.sha256} (damaged on its way; load again)`,
      );
    return true;
  }

  async close(): Promise<void> {
    await this.#http.close();
    await this.#blocks.close();
    await this.#journal.close();
  }

  get #tensors(): Listed {
    return this.files.find(({ path }) => path === tensorFile) as Listed;
  }

  // Hashes what lies between, if it is little, and keeps it for the reader, who may want it later.
  async #hashUpTo(offset: number): Promise<void> {
    const begin = this.#hash.bytes;
    const waiting = this.#ahead.reduce((sum, { bytes }) => sum + bytes.length, 0);
    const gap = offset - begin;
    if (gap <= 0 || gap + waiting > maxGapBytes || this.#had.next(begin) < offset) return;
    const bytes = await this.#collect(begin, offset);
    this.#hashNext(begin, bytes);
    this.#ahead.push({ begin, bytes });
  }

  async #collect(begin: number, end: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(end - begin);
    await this.#walk(begin, end, (at, piece) => bytes.set(piece, at - begin));
    return bytes;
  }

  #digest(...pieces: readonly Uint8Array[]): string {
    const hash = new IncrementalSha256();
    if (this.#hashBlocks) hash.hashBlocks = this.#hashBlocks;
    for (const piece of pieces) hash.update(piece);
    return hash.digest();
  }

  #damaged(what: string): EmbedError {
    return new EmbedError(
      "corrupt-model",
      `${shownHub(this.hub)}: ${tensorFile}: ${what} is gone or damaged, so the download cannot be verified; load again`,
    );
  }

  // Gives the bytes from `begin` to `end` in order, from wherever they are to be had.
  async #walk(
    begin: number,
    end: number,
    give: (at: number, piece: Uint8Array, from: "ahead" | "journal" | "network") => void,
  ): Promise<void> {
    for (let at = begin; at < end; ) {
      const hashed = this.#ahead.find(
        (range) => range.begin <= at && at < range.begin + range.bytes.length,
      );
      if (hashed) {
        const piece = hashed.bytes.subarray(at - hashed.begin, end - hashed.begin);
        give(at, piece, "ahead");
        at += piece.length;
        continue;
      }
      const held = this.#blocks.held(at);
      const kept = held > 0 ? 0 : this.#journal.available(at);
      const piece = kept > 0 && (await this.#journal.read(at, Math.min(pieceBytes, end - at)));
      if (piece) {
        give(at, piece, "journal");
        at += piece.length;
        continue;
      }
      const next = held > 0 ? at + held : this.#journal.next(at);
      await this.#blocks.read(at, Math.min(end, next), (bytes) => {
        give(at, bytes, "network");
        at += bytes.length;
      });
    }
  }

  async #keep(at: number, bytes: Uint8Array): Promise<void> {
    if (!this.#journal.keeps) return;
    await this.#journal.prepare(at);
    this.#journal.append(bytes);
  }

  // Hashed is what the reader is given, not what came: in between it may have lain on a disk.
  #hashNext(at: number, piece: Uint8Array): void {
    const skip = this.#hash.bytes - at;
    if (skip >= 0 && skip < piece.length) this.#hash.update(piece.subarray(skip));
  }

  // Hashes what the reader had too early, as far as there is no gap.
  async #catchUp(): Promise<void> {
    for (;;) {
      const at = this.#hash.bytes;
      const end = Math.min(this.#had.endOf(at), at + this.#journal.available(at));
      const piece = at < end && (await this.#journal.read(at, Math.min(pieceBytes, end - at)));
      if (!piece) return;
      this.#hashNext(at, piece);
    }
  }

  // Every reader reads the header anew. It is what the hash over the file was told once.
  #readHead(offset: number, bytes: Uint8Array): void {
    if (offset === 0) this.#prefix = bytes.slice(0, prefixBytes);
    if (offset !== prefixBytes) return;
    const head = this.#digest(this.#prefix, bytes);
    if (this.#head !== "" && this.#head !== head) throw this.#damaged("its header");
    this.#head = head;
    this.#headEnd = prefixBytes + bytes.length;
    this.#runs = new TensorRuns(bytes);
  }

  #readWhole(file: Listed): Promise<Uint8Array> {
    const known = this.#whole.get(file.path) ?? this.#fetchWhole(file);
    this.#whole.set(file.path, known);
    return known;
  }

  // A damaged answer is asked for once more, past every cache.
  async #fetchWhole({ path, hub, remote }: Listed): Promise<Uint8Array> {
    const name = hub.sha256 ?? hub.gitOid ?? "";
    const kept = await this.#journal.readWhole(name);
    if (kept && (await isOf(hub, kept))) return kept;
    for (const cache of ["no-cache", "reload"] as const) {
      const came = await this.#http.whole(remote.href, textBytes, cache);
      if (!came.bytes) throw refusal(this.hub, { ...came, why: `${path}: ${came.why}` });
      if (!(await isOf(hub, came.bytes))) continue;
      await this.#journal.keepWhole(name, came.bytes);
      return came.bytes;
    }
    throw networkError(
      `${shownHub(this.hub)}: ${path}`,
      "is not the file that the hub's list names (its hash differs)",
    );
  }
}

async function isOf(
  { byteLength, sha256, gitOid }: HubFile,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  if (bytes.length !== byteLength) return false;
  if (sha256 !== undefined) return (await hexSha256(bytes)) === sha256;
  const head = new TextEncoder().encode(`blob ${bytes.length}\0`);
  const object = new Uint8Array(head.length + bytes.length);
  object.set(head);
  object.set(bytes, head.length);
  const digest = await crypto.subtle.digest("SHA-1", object);
  return (
    Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("") ===
    gitOid
  );
}
