# CLIPGLOT_SANITIZE for our code and for the libraries that read data from outside (sentencepiece,
# libjpeg-turbo, utf8proc, zlib). XNNPACK stays out: its kernels read past the end of rows by
# design, and its speed is what keeps the tests short.
#
# "fuzzer" (clang) only counts coverage here; tests/fuzz/native links libFuzzer's main function.
add_library(clipglot_sanitizers INTERFACE)
add_library(clipglot_third_party_sanitizers INTERFACE)
if(CLIPGLOT_SANITIZE)
  list(TRANSFORM CLIPGLOT_SANITIZE REPLACE "^fuzzer$" "fuzzer-no-link" OUTPUT_VARIABLE _sanitize)
  list(JOIN _sanitize "," _sanitize)
  target_compile_options(clipglot_sanitizers INTERFACE
    -fsanitize=${_sanitize} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(clipglot_sanitizers INTERFACE -fsanitize=${_sanitize})
  # For third-party code: memory errors and races matter to us there, its undefined arithmetic is
  # theirs.
  set(_theirs ${CLIPGLOT_SANITIZE})
  list(TRANSFORM _theirs REPLACE "^fuzzer$" "fuzzer-no-link")
  list(REMOVE_ITEM _theirs undefined)
  if(_theirs)
    list(JOIN _theirs "," _theirs)
    target_compile_options(clipglot_third_party_sanitizers INTERFACE -fsanitize=${_theirs} -fno-omit-frame-pointer)
    target_link_options(clipglot_third_party_sanitizers INTERFACE -fsanitize=${_theirs})
  endif()
endif()
