consort_test(bundle_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/bundle_built_for_test.cc
                                 ${CMAKE_CURRENT_SOURCE_DIR}/unit/bundle_manifest_test.cc
                                 ${CMAKE_CURRENT_SOURCE_DIR}/unit/bundle_table_test.cc
                                 ${CMAKE_CURRENT_SOURCE_DIR}/unit/bundle_test.cc
                                 ${CMAKE_CURRENT_SOURCE_DIR}/unit/bundle_tag_choice_test.cc DEPENDS consort_bundle)
