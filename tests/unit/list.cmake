consort_test(list_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/list_test.cc DEPENDS consort_plan)
