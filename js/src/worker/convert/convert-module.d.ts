// What the converter's module binds (wasm/convert_bindings.cc), as types. A test compares them with those that Emscripten writes.
import type { DType } from "../../shared/engine-types.js";
import type { BaseModule, Handle, Memory, Range, Status } from "../engine-module.js";

export interface PackOptions {
  text: boolean;
  vision: boolean;
  dtype: DType;
  threads: number;
}
export interface PackTensor {
  name: string;
  dtype: string;
  shape: number[];
  group: string;
  unit: number;
  pointer: number;
  bytes: number;
}
export interface Text extends Status {
  text: string;
}
export interface PackWriter extends Handle {
  create(options: PackOptions): Status;
  addFile(path: string, bytes: number): void;
  begin(state: number, bytes: number): Status;
  want(): Range;
  reserve(): Memory;
  commit(): Status;
  totalBytes(): number;
  readBytes(): number;
  plannedCount(): number;
  planned(index: number): PackTensor;
  tensorCount(): number;
  tensor(index: number): PackTensor;
  done(): boolean;
  saveState(): Memory;
  tokenizerFile(): string;
  selfTestJson(): Text;
}

export interface ConvertModule extends BaseModule {
  readonly PackWriter: new () => PackWriter;
  hashBlocks(words: number, data: number, bytes: number): void;
}
