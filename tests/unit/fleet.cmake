foreach(subject worker_life worker_output start_limit death descriptor_limit)
  consort_test(fleet_${subject}_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/fleet_${subject}_test.cc
               DEPENDS consort_fleet)
endforeach()
# With real processes.
consort_test(fleet_slots_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/fleet_slots_test.cc
             DEPENDS consort_fleet consort_bundle nlohmann_json::nlohmann_json)
target_compile_definitions(fleet_slots_test PRIVATE CONSORT_WORKER_NULL="$<TARGET_FILE:consort-worker-null>")
add_dependencies(fleet_slots_test consort-worker-null)
