// A field for the user's own texts, one a line, and a file of them.

import { byId } from "../dom.ts";

export function receiveTexts(onTexts: (lines: string) => void): void {
  const form = byId("own-texts", HTMLFormElement);
  const field = byId("own-texts-field", HTMLTextAreaElement);
  const file = byId("own-texts-file", HTMLInputElement);
  const toggle = byId("own-texts-toggle", HTMLButtonElement);

  const show = (open: boolean) => {
    form.hidden = !open;
    toggle.setAttribute("aria-expanded", String(open));
  };
  toggle.addEventListener("click", () => {
    show(form.hidden === true);
    if (!form.hidden) field.focus();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (field.value.trim() === "") return field.focus();
    onTexts(field.value);
    field.value = "";
    show(false);
    toggle.focus();
  });
  file.addEventListener("change", async () => {
    const chosen = file.files?.[0];
    file.value = "";
    if (chosen) field.value = [field.value, await chosen.text()].filter(Boolean).join("\n");
  });
}
