// The protocol of loading: the reader of the format says which bytes come next, the owner of
// the source (a URL, a file, a Blob) fetches them. Bytes never travel in the other direction.
#pragma once

#include <cstdint>
#include <string>

namespace clipglot {

// One file that the source can give. `path` is relative to the model's folder, with '/' between
// names.
struct FileEntry {
  std::string path;
  uint64_t bytes = 0;
};

// A wanted range of the file with this place in the list given at the start.
struct ByteRange {
  size_t file = 0;
  uint64_t offset = 0;
  uint64_t length = 0;
  bool hashed = false;  // its SHA-256 is compared before it is used
};

}  // namespace clipglot
