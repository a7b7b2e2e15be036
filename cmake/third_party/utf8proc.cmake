# utf8proc: grapheme boundaries and Unicode normal forms for the tokenizer.
clipglot_third_party_source(utf8proc _utf8proc)
add_library(third_party_utf8proc STATIC ${_utf8proc}/utf8proc.c)
target_include_directories(third_party_utf8proc SYSTEM PUBLIC ${_utf8proc})
target_compile_definitions(third_party_utf8proc PUBLIC UTF8PROC_STATIC)
target_link_libraries(third_party_utf8proc PUBLIC clipglot_third_party_sanitizers)
clipglot_third_party_defaults(third_party_utf8proc)
