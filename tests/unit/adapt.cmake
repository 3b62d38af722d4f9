foreach(subject counts window trials)
  consort_test(adapt_${subject}_test OPTIMISED SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/adapt_${subject}_test.cc
               DEPENDS consort_adapt consort_tune)
endforeach()
