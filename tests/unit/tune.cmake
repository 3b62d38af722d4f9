consort_test(tune_candidates_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/tune_candidates_test.cc DEPENDS consort_tune)
consort_test(tune_search_test OPTIMISED SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/tune_search_test.cc DEPENDS consort_tune)
consort_test(tune_sample_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/tune_sample_test.cc DEPENDS consort_tune)
consort_test(tune_report_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/tune_report_test.cc DEPENDS consort_tune)
consort_test(tune_temporary_folder_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/tune_temporary_folder_test.cc
             DEPENDS consort_tune)
