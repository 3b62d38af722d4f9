consort_test(place_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/place_test.cc DEPENDS consort_place)
