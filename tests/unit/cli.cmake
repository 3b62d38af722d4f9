consort_test(cli_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/cli_test.cc DEPENDS consort_cli)
consort_test(near_miss_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/near_miss_test.cc DEPENDS consort_cli)
