consort_test(read_test THREADS
  SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/read_test.cc
          ${CMAKE_CURRENT_SOURCE_DIR}/unit/read_faults_test.cc
          ${CMAKE_CURRENT_SOURCE_DIR}/unit/read_unfinished_test.cc
          ${CMAKE_CURRENT_SOURCE_DIR}/unit/read_codecs_test.cc
          ${CMAKE_CURRENT_SOURCE_DIR}/unit/read_pcm_test.cc
          ${CMAKE_CURRENT_SOURCE_DIR}/unit/read_frame_end_test.cc
          ${CMAKE_CURRENT_SOURCE_DIR}/unit/read_channels_test.cc
  DEPENDS consort_read)
add_executable(consort_read_dump ${CMAKE_CURRENT_SOURCE_DIR}/tools/read_dump.cc)
target_link_libraries(consort_read_dump PRIVATE consort_read)
