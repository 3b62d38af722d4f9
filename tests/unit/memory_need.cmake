consort_test(memory_need_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/memory_need_test.cc DEPENDS consort_job)
