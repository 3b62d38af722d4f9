consort_test(loop_stop_signals_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/loop_stop_signals_test.cc DEPENDS consort_loop)
