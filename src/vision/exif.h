// Finds the orientation of a picture in its EXIF and XMP data, as PIL's exif_transpose does.
// Damaged or missing data means 1, never an error: a photo with a broken tag is still a photo.
// Thread-safe: no state.
//
// Source: EXIF 2.32 (TIFF structure of section 4.6, tag 0x0112); PIL's Image.getexif and
// ImageFileDirectory_v2.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace clipglot {

// 1 as stored, 2 mirrored, 3 turned by 180°, 4 flipped, 5 transposed, 6 to be turned clockwise by
// 90°, 7 transposed along the other diagonal, 8 to be turned anticlockwise by 90°.
inline constexpr int kOrientationUpright = 1;

// `tiff`: the TIFF block (starts with II or MM). The tag may have any type that PIL reads as a
// number (integers of either sign, fractions, floats; not BYTE, which PIL takes for text), its
// first value counts, and of several tags the last one. Gives 1…8.
int TiffOrientation(std::span<const std::byte> tiff);

// The first tiff:Orientation of an XMP packet, as attribute or element. Gives 1…8.
int XmpOrientation(std::string_view xmp);

// What a file with both says: `exif` (a TIFF block, with or without "Exif\0\0" before it) unless it
// is empty or has no orientation tag, then `xmp`. Either may be empty. Gives 1…8.
int OrientationOf(std::span<const std::byte> exif, std::string_view xmp);

}  // namespace clipglot
