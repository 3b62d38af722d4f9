foreach(subject worker_life worker_output start_limit death descriptor_limit)
  consort_test(fleet_${subject}_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/fleet_${subject}_test.cc
               DEPENDS consort_fleet)
endforeach()
