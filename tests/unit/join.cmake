# Runs are made as a worker makes them.
consort_test(join_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/join_test.cc DEPENDS consort_join consort_interpret)
