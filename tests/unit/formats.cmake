foreach(subject parse reader text writers merge)
  consort_test(formats_${subject}_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/formats_${subject}_test.cc
               DEPENDS consort_formats)
endforeach()
