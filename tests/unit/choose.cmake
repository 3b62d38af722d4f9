consort_test(choose_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/choose_test.cc DEPENDS consort_choose)
