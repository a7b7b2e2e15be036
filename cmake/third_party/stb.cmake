# stb: headers only; src/vision holds the one file that compiles stb_image.
clipglot_third_party_source(stb _stb)
add_library(third_party_stb INTERFACE)
target_include_directories(third_party_stb SYSTEM INTERFACE ${_stb})
