consort_test(record_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/record_test.cc DEPENDS consort_record)
