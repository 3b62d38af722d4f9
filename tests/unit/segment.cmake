consort_test(segment_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/segment_test.cc DEPENDS consort_segment)
