consort_test(base_files_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/base_files_test.cc DEPENDS consort_base)
