consort_test(engine_test THREADS SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/engine_test.cc DEPENDS consort_engine)
