consort_test(ranges_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/ranges_test.cc DEPENDS consort_plan)
consort_test(task_size_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/task_size_test.cc DEPENDS consort_plan)
