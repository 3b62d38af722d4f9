consort_test(memory_sampler_test THREADS SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/memory_sampler_test.cc
             DEPENDS consort_memory)
foreach(subject rules runaway)
  consort_test(memory_${subject}_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/memory_${subject}_test.cc
               DEPENDS consort_memory)
endforeach()
consort_test(memory_bounds_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/memory_bounds_test.cc DEPENDS consort_job)
