"""Makes the two photographs of 40 megapixels, large_baseline.jpg and large_progressive.jpg: soft shapes, so that the files stay
small. Needs Debian's python3-pil and python3-numpy. Run: /usr/bin/python3 tests/data/images/make_large.py"""
from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 8000, 5000
x = np.linspace(0, 1, WIDTH)[None, :]
y = np.linspace(0, 1, HEIGHT)[:, None]
sun = np.clip(1 - 6 * np.hypot((x - 0.7) * WIDTH / HEIGHT, y - 0.3), 0, 1)
pixels = np.stack([90 + 120 * (1 - y) + 60 * sun, 110 + 60 * x * (1 - y) + 80 * sun, 190 - 140 * y + 0 * x], axis=2)
image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
folder = Path(__file__).parent
image.save(folder / "large_baseline.jpg", quality=20, optimize=True)
image.save(folder / "large_progressive.jpg", quality=20, optimize=True, progressive=True)
