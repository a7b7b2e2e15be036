// Pictures come in three ways: picked, dropped anywhere on the page, or pasted.

import { byId } from "../dom.ts";

export function receiveFiles(onFiles: (files: readonly File[]) => void): void {
  const input = byId("own-input", HTMLInputElement);
  input.addEventListener("change", () => {
    if (input.files) onFiles(Array.from(input.files));
    input.value = ""; // so that the same file can be picked again
  });

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
    onFiles(Array.from(event.dataTransfer!.files));
  });
  document.addEventListener("paste", (event) => {
    const files = Array.from(event.clipboardData?.files ?? []);
    if (files.length > 0) onFiles(files);
  });
}
