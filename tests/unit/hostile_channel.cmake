# The scene is shared with the fuzzer, which wants clang: the preset fuzz.
add_library(hostile_channel STATIC EXCLUDE_FROM_ALL ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/hostile_channel.cc)
target_link_libraries(hostile_channel PUBLIC consort_collect consort_gather GTest::gtest)
consort_test(hostile_channel_test OPTIMISED SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/hostile_channel_test.cc DEPENDS hostile_channel)

if(CONSORT_FUZZ)
  add_executable(channel_fuzzer EXCLUDE_FROM_ALL ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/channel_fuzzer.cc)
  target_link_libraries(channel_fuzzer PRIVATE hostile_channel -fsanitize=fuzzer)
endif()
