consort_test(place_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/place_test.cc DEPENDS consort_place)
consort_test(place_cgroup_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/place_cgroup_test.cc DEPENDS consort_place)
consort_test(place_machines_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/place_machines_test.cc DEPENDS consort_place)
