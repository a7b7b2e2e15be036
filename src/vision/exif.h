// Finds the EXIF orientation of a picture. Damaged or missing EXIF means 1, never an error: a photo
// with a broken tag is still a photo. Thread-safe: no state.
//
// Source: EXIF 2.32 (TIFF structure of section 4.6, tag 0x0112); JPEG APP1 and PNG eXIf carry the
// same TIFF block.
#pragma once

#include <cstddef>
#include <span>

namespace clipglot {

// 1 as stored, 2 mirrored, 3 turned by 180°, 4 flipped, 5 transposed, 6 to be turned clockwise by
// 90°, 7 transposed along the other diagonal, 8 to be turned anticlockwise by 90°.
inline constexpr int kOrientationUpright = 1;

// `tiff`: the TIFF block (starts with II or MM). Gives 1…8.
int TiffOrientation(std::span<const std::byte> tiff);

// `file`: a whole JPEG file; looks at the segments before the first scan. Gives 1…8.
int JpegOrientation(std::span<const std::byte> file);

}  // namespace clipglot
