consort_test(interpret_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/interpret_test.cc DEPENDS consort_interpret)
consort_test(interpret_frames_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/interpret_frames_test.cc DEPENDS consort_interpret)
