consort_test(profile_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/profile_test.cc DEPENDS consort_profile)
