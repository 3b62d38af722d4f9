consort_test(fault_points_test THREADS SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/fault_points_test.cc
                                       ${CMAKE_SOURCE_DIR}/worker/fault/fault_points.cc DEPENDS consort_stage)
