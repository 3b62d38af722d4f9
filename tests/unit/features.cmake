# The reference is made by Python when the test is built, from the recipe that consort-prepare uses.
if(CONSORT_WITH_TORCH)
  set(feature_reference ${CMAKE_CURRENT_BINARY_DIR}/feature_reference)
  file(GLOB feature_recipe ${CMAKE_SOURCE_DIR}/tools/prepare/consort_prepare/*.py)
  add_custom_command(
    OUTPUT ${feature_reference}/done
    COMMAND ${CONSORT_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/unit/make_feature_reference.py ${feature_reference}
    DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/unit/make_feature_reference.py ${feature_recipe})
  add_custom_target(feature_reference DEPENDS ${feature_reference}/done)
  consort_test(features_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/features_test.cc
                                     ${CMAKE_CURRENT_SOURCE_DIR}/unit/features_fft_test.cc
                                     ${CMAKE_CURRENT_SOURCE_DIR}/unit/features_mel_test.cc DEPENDS consort_features)
  target_compile_definitions(features_test PRIVATE FEATURE_REFERENCE="${feature_reference}")
  add_dependencies(features_test feature_reference)
  add_executable(consort_features_dump ${CMAKE_CURRENT_SOURCE_DIR}/tools/features_dump.cc)
  target_link_libraries(consort_features_dump PRIVATE consort_features)
endif()
