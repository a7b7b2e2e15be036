// Extended grapheme clusters (Unicode Standard Annex 29), as the Rust crate unicode-segmentation
// finds them.
#pragma once

#include <string_view>

namespace clipglot {

// The end of the cluster that starts at `begin` (a byte offset below text.size(), at a cluster's
// start). `text`: well-formed UTF-8. Linear in the length of the cluster.
size_t GraphemeEnd(std::string_view text, size_t begin);

}  // namespace clipglot
