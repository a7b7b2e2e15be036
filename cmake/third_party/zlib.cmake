# zlib: only what inflates a zlib stream, without gzip. src/vision/inflate.cc gives it memory, so it asks for none itself.
clipglot_third_party_source(zlib _zlib)
add_library(third_party_zlib STATIC ${_zlib}/adler32.c ${_zlib}/inffast.c ${_zlib}/inflate.c ${_zlib}/inftrees.c ${_zlib}/zutil.c)
target_include_directories(third_party_zlib SYSTEM PUBLIC ${_zlib})
target_compile_definitions(third_party_zlib PRIVATE NO_GZIP)
target_link_libraries(third_party_zlib PUBLIC clipglot_third_party_sanitizers)
clipglot_third_party_defaults(third_party_zlib)
