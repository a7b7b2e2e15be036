// Addresses of pictures for <img>: made when a picture is first seen, the same from then on.

import type { Picture } from "./gallery.ts";

const urls = new Map<string, string>();

/** Shows a picture in an <img>, now or when its file has come. What the image was asked to show last wins. */
export function showPicture(image: HTMLImageElement, picture: Picture): void {
  image.dataset["picture"] = picture.id;
  const known = urls.get(picture.id);
  if (known) {
    image.src = known;
    return;
  }
  image.removeAttribute("src");
  picture.file().then(
    (file) => {
      const url = urls.get(picture.id) ?? URL.createObjectURL(file);
      urls.set(picture.id, url);
      if (image.dataset["picture"] === picture.id) image.src = url;
    },
    () => image.classList.add("picture-missing"),
  );
}

/** The user removed a picture: its memory goes, too. */
export function forgetPicture(id: string): void {
  const url = urls.get(id);
  if (url) URL.revokeObjectURL(url);
  urls.delete(id);
}
