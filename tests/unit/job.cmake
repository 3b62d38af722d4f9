consort_test(wake_net_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/wake_net_test.cc DEPENDS consort_job)
consort_test(counted_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/counted_test.cc DEPENDS consort_job)
