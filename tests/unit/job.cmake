consort_test(wake_net_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/wake_net_test.cc DEPENDS consort_job)
consort_test(file_total_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/file_total_test.cc DEPENDS consort_job)
consort_test(replace_results_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/replace_results_test.cc DEPENDS consort_job)
