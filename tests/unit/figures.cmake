foreach(subject values usage run json file)
  consort_test(figures_${subject}_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/figures_${subject}_test.cc
               DEPENDS consort_figures nlohmann_json::nlohmann_json)
endforeach()
