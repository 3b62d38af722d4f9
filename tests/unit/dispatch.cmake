foreach(subject simulation lies suspects suspect_queue tasks deadlines kills stateful)
  consort_test(dispatch_${subject}_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/dispatch_${subject}_test.cc
               DEPENDS consort_dispatch consort_gather)
endforeach()
