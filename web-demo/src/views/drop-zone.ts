// Pictures and folders come in three ways: picked, dropped anywhere on the page, or pasted.

import { byId } from "../dom.ts";

export interface DropEvents {
  /** `folder`: the name of the one folder that was dropped; files then know their path in it. */
  onFiles(files: readonly File[], folder: string | undefined): void;
}

export function receiveFiles({ onFiles }: DropEvents): void {
  for (const id of ["own-input", "query-picture"]) {
    const input = byId(id, HTMLInputElement);
    input.addEventListener("change", () => {
      if (input.files && input.files.length > 0) onFiles(Array.from(input.files), undefined);
      input.value = ""; // so that the same file can be picked again
    });
  }

  const veil = byId("drop-veil", HTMLElement);
  const carriesFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
  document.addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    event.dataTransfer!.dropEffect = "copy";
    veil.hidden = false;
  });
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) veil.hidden = true; // left the window, not just an element
  });
  document.addEventListener("drop", (event) => {
    veil.hidden = true;
    if (!carriesFiles(event)) return;
    event.preventDefault();
    void dropped(event.dataTransfer!).then(
      ({ files, folder }) => onFiles(files, folder),
      (error: unknown) => reportError(error),
    );
  });
  document.addEventListener("paste", (event) => {
    const files = Array.from(event.clipboardData?.files ?? []);
    if (files.length > 0) onFiles(files, undefined);
  });
}

async function dropped(
  transfer: DataTransfer,
): Promise<{ files: File[]; folder: string | undefined }> {
  // The items are gone once the event is over, so all entries are taken before anything is waited for.
  const entries = Array.from(
    transfer.items,
    (item) => (item.kind === "file" ? item.webkitGetAsEntry?.() : null) ?? null,
  );
  const folders = entries.filter((entry) => entry?.isDirectory);
  if (folders.length === 0) return { files: Array.from(transfer.files), folder: undefined };
  const files = (await Promise.all(entries.map((entry) => (entry ? filesOf(entry) : [])))).flat();
  return { files, folder: folders.length === 1 ? folders[0]!.name : undefined };
}

async function filesOf(entry: FileSystemEntry): Promise<File[]> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) =>
      (entry as FileSystemFileEntry).file(resolve, reject),
    );
    // Files of a dropped folder know no path; a folder picked in a dialog would have told it here.
    Object.defineProperty(file, "webkitRelativePath", { value: entry.fullPath.replace(/^\//, "") });
    return [file];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: FileSystemEntry[] = [];
  for (;;) {
    // a folder is read some hundred entries at a time
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (some.length === 0) break;
    found.push(...some);
  }
  return (await Promise.all(found.map(filesOf))).flat();
}
