// What the package relies on in the engine's module: the types of what wasm/bindings.cc binds and wasm/result_objects.h
// describes. Checked against those that Emscripten writes from the bindings (tests/js/generated-types.test.mjs).
import type { DType } from "../shared/engine-types.js";
import type { ImageSettings, ProfileCategory, TextSettings } from "../shared/protocol.js";

export interface Status {
  code: number;
  detail: string;
}
export interface Memory extends Status {
  pointer: number;
  bytes: number;
}
export interface Range {
  wanted: boolean;
  file: number;
  offset: number;
  length: number;
  hashed: boolean;
}
export interface EngineOptions {
  text: boolean;
  vision: boolean;
  dtype: DType;
  threads: number;
  maxTokens: number;
  maxPixels: number;
  selfTest: boolean;
  unfinishedPack: boolean;
}
export interface EngineInfo {
  modelId: string;
  revision: string;
  license: string;
  text: boolean;
  vision: boolean;
  dtype: DType;
  dimensions: number[];
  fullDimensions: number;
  maxTokens: number;
  threads: number;
  imageSize: number;
  imageGrid: number;
  residentBytes: number;
}
export interface ProfileEntry {
  kind: ProfileCategory;
  calls: number;
  nanoseconds: number;
}
export interface Embedding extends Status {
  pointer: number;
  count: number;
  tokens: number;
  totalTokens: number;
  truncated: boolean;
  unknownTokens: number;
  warnings: string[];
}
export interface Embeddings extends Status {
  pointer: number;
  count: number;
  texts: number;
  truncated: number;
  unknownTokens: number;
}
export interface TokenCount extends Status {
  tokens: number;
  maxTokens: number;
}
export interface Stage {
  name: string;
  dtype: string;
  shape: number[];
  pointer: number;
  bytes: number;
}
export interface Hits extends Status {
  rows: number;
  scores: number;
  count: number;
}

/** An object of the module; `delete` gives its memory back. */
export interface Handle {
  delete(): void;
}
export interface Engine extends Handle {
  create(options: EngineOptions): Status;
  addFile(path: string, bytes: number): void;
  beginLoad(): Status;
  want(): Range;
  reserve(): Memory;
  commit(sha256: string): Status;
  totalBytes(): number;
  readBytes(): number;
  testSelf(json: string): Status;
  ready(): boolean;
  info(): EngineInfo;
  embedText(text: number, bytes: number, options: TextSettings): Embedding;
  embedTexts(texts: number, count: number, options: TextSettings): Embeddings;
  embedEncodedImage(file: number, bytes: number, options: ImageSettings): Embedding;
  embedPixels(
    rgba: number,
    bytes: number,
    width: number,
    height: number,
    options: ImageSettings,
  ): Embedding;
  truncate(vector: number, count: number, dimensions: number): Embedding;
  countTokens(text: number, bytes: number, options: TextSettings): TokenCount;
  threadsSeen(): number;
  startProfile(): void;
  takeProfile(): ProfileEntry[];
  setTracing(on: boolean): void;
  stageCount(): number;
  stage(index: number): Stage;
}
export interface Index extends Handle {
  create(dimensions: number): Status;
  add(rows: number, count: number): Status;
  search(query: number, count: number, k: number): Hits;
  clear(): void;
  size(): number;
}
/** What every module of the package has. */
export interface BaseModule {
  readonly wasmMemory: { readonly buffer: ArrayBuffer | SharedArrayBuffer };
  allocate(bytes: number): number;
  release(pointer: number): void;
  allocatedBytes(): number;
}
export interface EngineModule extends BaseModule {
  readonly Engine: new () => Engine;
  readonly Index: new () => Index;
}

/** What the module's factory takes. */
export interface ModuleSettings {
  locateFile(name: string): string;
  print(line: string): void;
  printErr(line: string): void;
  onAbort(reason: unknown): void;
  /** Threads of the engine, its caller included. */
  clipglotThreads: number;
  /** Called before the first layer of a running call (`done` 0) and after each of its `total` layers. */
  clipglotLayer?(done: number, total: number): void;
  /**
   * Its first number is read between layers, and every few milliseconds while a picture is decoded; not 0 stops the call. Left
   * out: no call can be stopped.
   */
  clipglotCancelFlag?: Int32Array;
  /** Supplies the instance: calls `done` with it later. Left out: the module fetches the .wasm itself. */
  instantiateWasm?(
    imports: WebAssembly.Imports,
    done: (instance: WebAssembly.Instance, module: WebAssembly.Module) => void,
  ): object;
  /** Makes the worker of a thread; left out: `new Worker(url, options)`. Builds with threads only. */
  clipglotWorker?(url: URL, options: object): object;
  /** The heap of builds with threads; left out: the module makes its own. */
  wasmMemory?: WebAssembly.Memory;
}
export type ModuleFactory<Module extends BaseModule> = (
  settings: ModuleSettings,
) => Promise<Module>;
