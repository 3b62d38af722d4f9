consort_test(export_made_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/export_made_test.cc
             DEPENDS consort_export)
foreach(subject recordings files)
  consort_test(export_${subject}_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/export_${subject}_test.cc
               DEPENDS consort_export)
endforeach()
