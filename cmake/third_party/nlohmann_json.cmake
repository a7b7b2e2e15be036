# nlohmann/json: tests write and change model files with it. Headers only.
clipglot_third_party_source(nlohmann-json _json)
add_library(third_party_nlohmann_json INTERFACE)
target_include_directories(third_party_nlohmann_json SYSTEM INTERFACE ${_json}/single_include)
