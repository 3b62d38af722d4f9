consort_test(ahead_test THREADS SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/ahead_test.cc DEPENDS consort_ahead)
