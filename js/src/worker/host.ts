// The worker's side of one engine: takes messages, loads, answers. One call at a time; the page sends no second one before
// the answer. After a trap it says so and answers nothing more.
import { EmbedError } from "../errors.js";
import { openRemoteSource } from "../loading/remote-source.js";
import { RemoteFetch } from "../loading/remote-fetch.js";
import { ProgressMeter } from "../loading/progress-meter.js";
import { load } from "../loading/transfer.js";
import { openUrlSource } from "../loading/url-source.js";
import type { ModelAddress } from "../loading/model-key.js";
import type { EngineInfo } from "../shared/engine-types.js";
import type { WorkerPlatform } from "../shared/platforms.js";
import type {
  AnswerOf,
  Call,
  CallKind,
  CancelFlag,
  FetchAnswer,
  LoadRequest,
  SourceDescription,
  WireError,
} from "../shared/protocol.js";
import { isErrorLike, nameOf, reasonOf } from "../shared/reason.js";
import type { OpenSource } from "../shared/source.js";
import type { ModelStore } from "../shared/store.js";
import { variants } from "../shared/variants.js";
import { Converter } from "./convert/converter.js";
import { openHubPack, type HubPackOptions } from "./convert/hub-pack.js";
import { EngineAdapter } from "./engine-adapter.js";
import { Cancelled } from "./module-calls.js";
import { embedPicture, timed } from "./image-road.js";
import { EngineLost } from "./module.js";
import { startEngineModule, type StartedEngineModule } from "./start-engine.js";

export function serve(platform: WorkerPlatform): void {
  const host = new Host(platform);
  platform.listen((message) => {
    switch (message.type) {
      case "load":
        return void host.load(message.request);
      case "call":
        return void host.call(message.id, message.call);
      case "source-bytes":
        return host.onSourceBytes(message.read, message.bytes);
      case "source-error":
        return host.onSourceError(message.read, message.message);
      case "fetch-opened":
      case "fetch-bytes":
      case "fetch-failed":
        return host.fetched(message);
    }
  });
  platform.post({ type: "hello" }, []);
}

interface Answer {
  readonly answer: AnswerOf<CallKind>;
  readonly transfer: ArrayBuffer[];
}

class Host {
  readonly #platform: WorkerPlatform;
  readonly #reads = new Map<
    number,
    { resolve(bytes: Uint8Array): void; reject(error: Error): void }
  >();
  readonly #fetches: RemoteFetch;
  #nextRead = 1;
  #engine: EngineAdapter | undefined;
  #maxPixels = 0;
  /** The call that runs, if its caller wants to hear of the layers. */
  #reporting: number | undefined;
  readonly #cancelFlag = makeCancelFlag();

  constructor(platform: WorkerPlatform) {
    this.#platform = platform;
    this.#fetches = new RemoteFetch((question) => platform.post(question, []));
  }

  async load(request: LoadRequest): Promise<void> {
    let source: OpenSource | undefined;
    try {
      // The engine starts, with its threads, while the source is asked what it has.
      const starting = this.#start(request);
      starting.catch(() => {}); // it is heard below
      const meter = new ProgressMeter(request.sourceName, (progress) =>
        this.#platform.post({ type: "progress", progress }, []),
      );
      const test = async (selfTest: unknown) => {
        if (request.selfTest) (await adapter).testSelf(selfTest);
      };
      const adapter = starting.then(({ module }) => new EngineAdapter(module));
      adapter.catch(() => {}); // it is heard below
      source = await this.#open(request, meter, test);
      const { build, fallbacks } = await starting;
      const engine = await adapter;
      const options = {
        text: request.towers.includes("text"),
        vision: request.towers.includes("vision"),
        dtype: request.dtype,
        threads: build.threads,
        maxTokens: request.maxTokens,
        maxPixels: request.maxPixels,
        selfTest: request.selfTest,
      };
      const begin = (files: OpenSource["files"]) => {
        meter.license = source?.license;
        engine.create({ ...options, unfinishedPack: source?.isUnfinished ?? false });
        return engine.beginLoad(files);
      };
      await load(source, begin, (pointer, piece) => engine.heap.copyIn(pointer, piece), meter);
      if (!engine.ready)
        throw new EmbedError("internal", "the engine wants nothing more and is not ready");
      if (request.profile) engine.startProfile();
      this.#maxPixels = request.maxPixels;
      this.#engine = engine;
      const info: EngineInfo = {
        ...engine.info(),
        variant: build.variant,
        numerics: variants[build.variant].relaxedSimd ? "relaxed-simd" : "simd",
        fallbacks,
      };
      this.#platform.post({ type: "ready", info, cancelFlag: this.#cancelFlag }, []);
    } catch (error) {
      if (error instanceof EngineLost)
        this.#platform.post({ type: "lost", detail: error.message }, []);
      else this.#platform.post({ type: "load-failed", error: toWire(error) }, []);
    } finally {
      await source?.close();
    }
  }

  async call(id: number, call: Call): Promise<void> {
    this.#reporting = "report" in call && call.report ? id : undefined;
    try {
      const { answer, transfer } = await this.#perform(call);
      this.#platform.post({ type: "answer", id, answer }, transfer);
    } catch (error) {
      if (error instanceof EngineLost)
        return this.#platform.post({ type: "lost", detail: error.message }, []);
      this.#platform.post({ type: "failed", id, error: toWire(error) }, []);
    }
  }

  // Runs inside a call, with this thread deep in the engine: messages go out, none comes in.
  #layer(done: number, total: number): void {
    if (this.#reporting !== undefined)
      this.#platform.post({ type: "layer", id: this.#reporting, done, total }, []);
  }

  #start({ builds, startTimeout }: LoadRequest): Promise<StartedEngineModule> {
    return startEngineModule({
      builds,
      startTimeout,
      files: this.#platform.engineFiles(startTimeout),
      hooks: {
        onLayer: (done, total) => this.#layer(done, total),
        cancelFlag: this.#cancelFlag && new Int32Array(this.#cancelFlag),
      },
      onLost: (detail) => this.#platform.post({ type: "lost", detail }, []),
      onWarning: (warning) => this.#platform.post({ type: "warning", warning }, []),
    });
  }

  onSourceBytes(read: number, bytes: Uint8Array): void {
    this.#reads.get(read)?.resolve(bytes);
    this.#reads.delete(read);
  }

  onSourceError(read: number, message: string): void {
    this.#reads.get(read)?.reject(new Error(message));
    this.#reads.delete(read);
  }

  fetched(answer: FetchAnswer): void {
    this.#fetches.receive(answer);
  }

  async #open(
    request: LoadRequest,
    meter: ProgressMeter,
    test: HubPackOptions["test"],
  ): Promise<OpenSource> {
    const { source } = request;
    switch (source.kind) {
      case "hub":
        return this.#openHub(source, request, meter, test);
      case "url":
        return this.#openUrl(source.href, request);
      case "addresses":
        return this.#openUrl(source.addresses, request);
      case "custom":
        return openRemoteSource(source.files, (path, offset, length) =>
          this.#ask(path, offset, length),
        );
      case "path":
        if (!this.#platform.openPath)
          throw new EmbedError("invalid-argument", "model: there are no files on disk here");
        return this.#platform.openPath(source.path, source.hint);
      case "paths":
        if (!this.#platform.openPaths)
          throw new EmbedError("invalid-argument", "model: there are no files on disk here");
        return this.#platform.openPaths(source.paths);
    }
  }

  async #openUrl(
    address: ModelAddress,
    { cache, headers, fetches, towers }: LoadRequest,
  ): Promise<OpenSource> {
    return openUrlSource(address, {
      store: await this.#openStore(cache),
      headers,
      fetch: fetches ? this.#fetches.fetch : undefined,
      towers,
      onNotKept: (why) => this.#notKept(why),
    });
  }

  async #openHub(
    { hub, token, converter }: SourceDescription & { kind: "hub" },
    { cache, headers, fetches, towers, dtype, startTimeout }: LoadRequest,
    meter: ProgressMeter,
    test: HubPackOptions["test"],
  ): Promise<OpenSource> {
    return openHubPack(hub, {
      store: await this.#openStore(cache),
      token,
      headers,
      fetch: fetches ? this.#fetches.fetch : undefined,
      towers,
      dtype,
      startConverter: () =>
        Converter.start({
          ...converter,
          threads: 1,
          files: this.#platform.engineFiles(startTimeout),
          onLost: (detail) => this.#platform.post({ type: "lost", detail }, []),
        }),
      test,
      onNotKept: (why) => this.#notKept(why),
      onDownload: (progress) => meter.download(progress),
    });
  }

  async #openStore(cache: boolean | string): Promise<ModelStore | undefined> {
    if (cache === false) return undefined;
    try {
      const store = await this.#platform.openStore(cache);
      if (!store)
        this.#notKept(
          "there is no private file system here (no https, a private window, or an older browser)",
        );
      return store;
    } catch (error) {
      this.#notKept(reasonOf(error));
      return undefined;
    }
  }

  #notKept(why: string): void {
    const detail = `the model is not kept: ${why}`;
    this.#platform.post({ type: "warning", warning: { code: "not-kept", detail } }, []);
  }

  #ask(path: string, offset: number, length: number): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const read = this.#nextRead++;
      this.#reads.set(read, { resolve, reject });
      this.#platform.post({ type: "source-read", read, path, offset, length }, []);
    });
  }

  async #perform(call: Call): Promise<Answer> {
    const engine = this.#engine;
    if (!engine) throw new EmbedError("internal", "a call before the engine was loaded");
    const plain = (answer: AnswerOf<CallKind>): Answer => ({ answer, transfer: [] });
    switch (call.kind) {
      case "embed-text":
        return timed(() => engine.embedText(call.text, call.settings), undefined);
      case "embed-texts": {
        const answer = engine.embedTexts(call.texts, call.settings);
        return { answer, transfer: [answer.vectors.buffer] };
      }
      case "embed-image":
        return embedPicture(engine, this.#platform, this.#maxPixels, call.image, call.settings);
      case "count-tokens":
        return plain(engine.countTokens(call.text, call.settings));
      case "index-create":
        return plain({ index: engine.indexes.create(call.dimensions) });
      case "index-add":
        return plain({ firstRow: engine.indexes.add(call.index, call.rows) });
      case "index-search": {
        const hits = engine.indexes.search(call.index, call.query, call.k);
        return { answer: hits, transfer: [hits.rows.buffer, hits.scores.buffer] };
      }
      case "index-clear":
        engine.indexes.clear(call.index);
        return plain({});
      case "index-dispose":
        engine.indexes.delete(call.index);
        return plain({});
      case "profile":
        return plain(engine.profile());
      case "diagnostics":
        return plain({
          heapBytes: engine.heap.bytes,
          allocatedBytes: engine.allocatedBytes(),
          threadsSeen: engine.threadsSeen(),
          indexes: engine.indexes.count,
        });
    }
  }
}

function makeCancelFlag(): CancelFlag | undefined {
  try {
    return new SharedArrayBuffer(4);
  } catch {
    return undefined; // a page that is not isolated has no such memory
  }
}

function toWire(error: unknown): WireError {
  if (error instanceof Cancelled) return { code: "cancelled", detail: error.message };
  if (!(error instanceof EmbedError))
    return { code: "internal", detail: `${nameOf(error)}: ${reasonOf(error)}` };
  const { code, detail, cause } = error;
  return isErrorLike(cause)
    ? { code, detail, cause: { name: nameOf(cause), message: reasonOf(cause) } }
    : { code, detail };
}
