consort_test(check_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/check_test.cc DEPENDS consort_check)
