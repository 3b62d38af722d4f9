consort_test(job_log_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/job_log_test.cc DEPENDS consort_job)
