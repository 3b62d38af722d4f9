foreach(subject recordings files made)
  consort_test(export_${subject}_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/export_${subject}_test.cc
               DEPENDS consort_export)
endforeach()
