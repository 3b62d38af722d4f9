consort_test(result_file_test THREADS SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/result_file_test.cc DEPENDS consort_output)
