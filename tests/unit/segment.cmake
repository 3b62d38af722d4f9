consort_test(segment_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/segment_test.cc DEPENDS consort_segment)
consort_test(segment_frames_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/segment_frames_test.cc DEPENDS consort_segment)
