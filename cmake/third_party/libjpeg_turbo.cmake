# libjpeg-turbo: the JPEG decoder that PIL uses, without its assembler, its encoder and its messages (src/vision has an
# error handler of its own).
clipglot_third_party_source(libjpeg-turbo _jpeg)
set(_decoder
  jaricom jcomapi jdapimin jdapistd jdarith jdcoefct jdcolor jddctmgr jdhuff jdinput jdmainct jdmarker jdmaster jdphuff
  jdpostct jdsample jidctint jmemmgr jmemnobs jsimd_none jutils)
list(TRANSFORM _decoder PREPEND ${_jpeg}/)
list(TRANSFORM _decoder APPEND .c)
add_library(third_party_libjpeg_turbo STATIC ${_decoder})
# Ours first: the sources bring no jconfig.h.
target_include_directories(third_party_libjpeg_turbo SYSTEM PUBLIC
  ${PROJECT_SOURCE_DIR}/cmake/third_party/include/libjpeg-turbo ${_jpeg})
target_compile_definitions(third_party_libjpeg_turbo PRIVATE NO_GETENV NO_PUTENV)
# Damaged files hold coefficients of any size: what does not fit wraps around instead of being undefined.
target_compile_options(third_party_libjpeg_turbo PRIVATE -O3 -fwrapv)
# What is never asked for is not linked: pictures of another size or with a palette, the quick and rough ways.
set(_unused 1x1 2x2 3x3 4x4 5x5 6x6 7x7 9x9 10x10 11x11 12x12 13x13 14x14 15x15 16x16 ifast float)
list(TRANSFORM _unused REPLACE "(.+)" "jpeg_idct_\\1=jpeg_idct_islow")
set_source_files_properties(${_jpeg}/jddctmgr.c PROPERTIES COMPILE_DEFINITIONS "${_unused}")
set_source_files_properties(${_jpeg}/jdmaster.c PROPERTIES COMPILE_DEFINITIONS
  "jinit_merged_upsampler=jinit_upsampler;jinit_1pass_quantizer=jinit_upsampler;jinit_2pass_quantizer=jinit_upsampler")
target_link_libraries(third_party_libjpeg_turbo PUBLIC clipglot_third_party_sanitizers)
clipglot_third_party_defaults(third_party_libjpeg_turbo)
