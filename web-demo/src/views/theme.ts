// Dark and light: as the system has it until the button is used; then as chosen, also next time.

import { byId } from "../dom.ts";

export function enableThemeButton(): void {
  const button = byId("theme", HTMLButtonElement);
  const system = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const isDark = () => (root.dataset["theme"] ? root.dataset["theme"] === "dark" : system.matches);
  const update = () => button.setAttribute("aria-pressed", String(isDark()));

  button.addEventListener("click", () => {
    root.dataset["theme"] = isDark() ? "light" : "dark";
    try {
      localStorage.setItem("clipglot-theme", root.dataset["theme"]);
    } catch {
      // Storage may be forbidden; the choice then lasts as long as the page.
    }
    update();
  });
  system.addEventListener("change", update);
  update();
}
