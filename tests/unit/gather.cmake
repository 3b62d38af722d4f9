consort_test(gather_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/gather_test.cc DEPENDS consort_gather)
