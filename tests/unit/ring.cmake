consort_test(ring_test THREADS OPTIMISED SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/ring_test.cc DEPENDS consort_ring Threads::Threads)
consort_test(ring_hostile_test THREADS OPTIMISED SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/ring_hostile_test.cc DEPENDS consort_ring)

add_executable(ring_benchmark EXCLUDE_FROM_ALL ${CMAKE_CURRENT_SOURCE_DIR}/bench/ring_benchmark.cc)
target_link_libraries(ring_benchmark PRIVATE consort_ring Threads::Threads benchmark::benchmark)

# The model checks: what each does is told in tests/model/run. They check text, not a build, so
# they are the same under every preset; a sanitizer's build leaves them out.
if(NOT CONSORT_SANITIZE)
  foreach(check relacy spin mutants)
    add_test(NAME model.${check} COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/model/run ${check})
    set_tests_properties(model.${check} PROPERTIES TIMEOUT 600)
  endforeach()
  set_tests_properties(model.mutants PROPERTIES PROCESSORS 2)
endif()
