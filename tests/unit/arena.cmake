consort_test(arena_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/arena_test.cc DEPENDS consort_arena)
consort_test(arena_place_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/arena_place_test.cc DEPENDS consort_arena)
