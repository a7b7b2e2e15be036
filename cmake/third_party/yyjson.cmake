# yyjson: the JSON parser behind base/json.h. Its writer is left out.
clipglot_third_party_source(yyjson _yyjson)
add_library(third_party_yyjson STATIC ${_yyjson}/src/yyjson.c)
target_include_directories(third_party_yyjson SYSTEM PUBLIC ${_yyjson}/src)
target_compile_definitions(third_party_yyjson PUBLIC YYJSON_DISABLE_WRITER=1 YYJSON_DISABLE_UTILS=1 YYJSON_DISABLE_NON_STANDARD=1)
target_link_libraries(third_party_yyjson PUBLIC clipglot_third_party_sanitizers)
clipglot_third_party_defaults(third_party_yyjson)
