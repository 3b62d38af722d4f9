consort_test(view_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/view_test.cc DEPENDS consort_view)
consort_test(view_line_limit_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/view_line_limit_test.cc DEPENDS consort_view)
