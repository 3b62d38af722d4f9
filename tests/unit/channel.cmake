consort_test(channel_test THREADS OPTIMISED SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/channel_test.cc DEPENDS consort_channel)
consort_test(template_link_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/template_link_test.cc DEPENDS consort_channel)
