"""Makes the pictures of this folder and expected.json: what PIL gives for them (9.4.0, with libwebp 1.2.4 and libtiff 4.5.0).

    python3 make.py            in this folder; the AVIF files are made by make-avif.mjs from source.png

"upright" is the hash of the RGB pixels behind ImageOps.exif_transpose, "stored" without it.
"""
import hashlib
import json
import random

from PIL import Image, ImageOps

random.seed(5)
WIDTH, HEIGHT = 37, 23
alphas = [0, 255, 128, 1, 64, 254]
source = Image.new("RGBA", (WIDTH, HEIGHT))
source.putdata([(x * 6, y * 11, random.randrange(256), alphas[(x + y) % 6]) for y in range(HEIGHT) for x in range(WIDTH)])
rgb = source.convert("RGB")


def exif(orientation):
    tags = Image.Exif()
    tags[0x112] = orientation
    return tags.tobytes()


smooth = Image.linear_gradient("L").resize((80, 60))
photo = Image.merge("RGB", [smooth, smooth.rotate(180), Image.radial_gradient("L").resize((80, 60))])
photo.save("source.png")
made = {}


def save(name, image, **options):
    image.save(name, **options)
    opened = Image.open(name)
    opened.load()
    # Of TIFF, PIL has turned the picture already when it is loaded (and would turn it twice); as stored it is what went in.
    turned, opened = (opened, image) if name.endswith(".tif") else (ImageOps.exif_transpose(opened), opened)
    digest = lambda picture: hashlib.sha256(picture.convert("RGB").tobytes()).hexdigest()
    made[name] = {"size": list(turned.size), "upright": digest(turned), "stored": digest(opened)}


save("opaque.webp", rgb, lossless=True)
save("hidden.webp", source, lossless=True, exact=True)
save("lossy.webp", photo, quality=80)
save("lossy_alpha.webp", source, quality=80, exact=True)
for orientation in range(2, 9):
    save(f"exif{orientation}.webp", rgb, lossless=True, exif=exif(orientation))
save("hidden_exif6.webp", source, lossless=True, exact=True, exif=exif(6))
save("rgb.tif", rgb)
save("rgba.tif", source)
save("gray.tif", rgb.convert("L"))
save("bilevel.tif", rgb.convert("1"))
save("palette.tif", rgb.quantize(16))
save("lzw.tif", rgb, compression="tiff_lzw")
save("exif6.tif", rgb, tiffinfo={274: 6})
animation = [rgb, ImageOps.invert(rgb)]
save("animated.webp", animation[0], save_all=True, append_images=animation[1:], lossless=True, duration=100)
with open("expected.json", "w") as file:
    json.dump(made, file, indent=1)
    file.write("\n")
