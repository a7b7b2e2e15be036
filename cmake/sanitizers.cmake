# CLIPGLOT_SANITIZE for our code and for the libraries that read data from outside (sentencepiece,
# libjpeg-turbo, utf8proc, zlib). XNNPACK stays out: its kernels read past the end of rows by
# design, and its speed is what keeps the tests short.
add_library(clipglot_sanitizers INTERFACE)
add_library(clipglot_address_sanitizer INTERFACE)
if(CLIPGLOT_SANITIZE)
  list(JOIN CLIPGLOT_SANITIZE "," _sanitize)
  target_compile_options(clipglot_sanitizers INTERFACE
    -fsanitize=${_sanitize} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(clipglot_sanitizers INTERFACE -fsanitize=${_sanitize})
  if("address" IN_LIST CLIPGLOT_SANITIZE)
    # For third-party code: memory errors matter to us there, its undefined arithmetic is theirs.
    target_compile_options(clipglot_address_sanitizer INTERFACE -fsanitize=address -fno-omit-frame-pointer)
    target_link_options(clipglot_address_sanitizer INTERFACE -fsanitize=address)
  endif()
endif()
