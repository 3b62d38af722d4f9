foreach(subject channel template_link)
  consort_test(${subject}_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/${subject}_test.cc DEPENDS consort_channel)
endforeach()
