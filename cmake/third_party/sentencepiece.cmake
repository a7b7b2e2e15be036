# sentencepiece, the part that reads models and encodes: bundled protobuf-lite and absl shims, no
# trainer, no command line tools. It needs exceptions to compile (darts.h throws on a bad allocation
# size); with Emscripten's default a throw ends the module.
clipglot_third_party_source(sentencepiece _spm)
set(_protobuf
  arena arenastring bytestream coded_stream common extension_set generated_enum_util
  generated_message_table_driven_lite generated_message_util implicit_weak_message int128 message_lite
  parse_context repeated_field status statusor stringpiece stringprintf structurally_valid strutil time
  wire_format_lite zero_copy_stream zero_copy_stream_impl zero_copy_stream_impl_lite)
list(TRANSFORM _protobuf PREPEND ${_spm}/third_party/protobuf-lite/)
set(_encoder
  bpe_model char_model error filesystem model_factory model_interface normalizer
  sentencepiece_processor unigram_model util word_model builtin_pb/sentencepiece.pb
  builtin_pb/sentencepiece_model.pb)
list(TRANSFORM _encoder PREPEND ${_spm}/src/)
set(_absl ${_spm}/third_party/absl/flags/flag ${_spm}/third_party/absl/strings/string_view)
set(_sources ${_protobuf} ${_encoder} ${_absl})
list(TRANSFORM _sources APPEND .cc)
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/third_party/sentencepiece/config.h CONTENT
  "#define VERSION \"0.1.97\"\n#define PACKAGE \"sentencepiece\"\n#define PACKAGE_STRING \"sentencepiece\"\n")
add_library(third_party_sentencepiece STATIC ${_sources})
target_include_directories(third_party_sentencepiece SYSTEM PUBLIC
  ${_spm}/src ${_spm}/src/builtin_pb ${_spm}/third_party/protobuf-lite ${_spm} ${_spm}/third_party
  ${CMAKE_BINARY_DIR}/third_party/sentencepiece)
target_compile_definitions(third_party_sentencepiece
  PUBLIC _USE_INTERNAL_STRING_VIEW PRIVATE _USE_INTERNAL_ABSL HAVE_PTHREAD=1)
set_target_properties(third_party_sentencepiece PROPERTIES CXX_STANDARD 17 UNITY_BUILD OFF)
target_link_libraries(third_party_sentencepiece PUBLIC clipglot_third_party_sanitizers)
if(CLIPGLOT_THREADS AND NOT EMSCRIPTEN)
  target_link_libraries(third_party_sentencepiece PUBLIC Threads::Threads)
endif()
clipglot_third_party_defaults(third_party_sentencepiece)
