# The models are prepared by consort-prepare when the test is built, the packages by its compiling
# part alone.
if(CONSORT_WITH_TORCH)
  set(tiny_models ${CMAKE_CURRENT_BINARY_DIR}/tiny_models)
  file(GLOB prepare_sources ${CMAKE_SOURCE_DIR}/tools/prepare/consort_prepare/*.py)
  add_custom_command(
    OUTPUT ${tiny_models}/done
    COMMAND ${CONSORT_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/unit/make_tiny_models.py ${tiny_models}
    DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/unit/make_tiny_models.py ${prepare_sources})
  add_custom_command(
    OUTPUT ${tiny_models}/packages
    COMMAND ${CONSORT_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/unit/make_tiny_packages.py ${tiny_models}
    DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/unit/make_tiny_packages.py
            ${CMAKE_SOURCE_DIR}/tools/prepare/consort_prepare/aoti.py
            ${CMAKE_SOURCE_DIR}/tools/prepare/consort_prepare/weights.py)
  add_custom_target(tiny_models DEPENDS ${tiny_models}/done ${tiny_models}/packages)
  consort_test(infer_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/infer_test.cc
                                  ${CMAKE_CURRENT_SOURCE_DIR}/unit/infer_aoti_test.cc
                                  ${CMAKE_CURRENT_SOURCE_DIR}/unit/infer_state_test.cc DEPENDS consort_infer)
  consort_test(real_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/real_test.cc DEPENDS consort_real)
  foreach(test infer_test real_test)
    target_compile_definitions(${test} PRIVATE TINY_MODELS="${tiny_models}")
    add_dependencies(${test} tiny_models)
  endforeach()
endif()
