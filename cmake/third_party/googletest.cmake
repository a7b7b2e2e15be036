# GoogleTest with its main function.
clipglot_third_party_source(googletest _gtest)
add_library(third_party_googletest STATIC
  ${_gtest}/googletest/src/gtest-all.cc ${_gtest}/googletest/src/gtest_main.cc)
target_include_directories(third_party_googletest SYSTEM PUBLIC ${_gtest}/googletest/include)
target_include_directories(third_party_googletest PRIVATE ${_gtest}/googletest)
if(CLIPGLOT_THREADS)
  target_link_libraries(third_party_googletest PUBLIC Threads::Threads)
endif()
target_link_libraries(third_party_googletest PUBLIC clipglot_third_party_sanitizers)
clipglot_third_party_defaults(third_party_googletest)
