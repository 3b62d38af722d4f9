consort_test(jsonl_test OPTIMISED SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/jsonl_test.cc
             DEPENDS consort_output nlohmann_json::nlohmann_json)
add_executable(jsonl_benchmark ${CMAKE_CURRENT_SOURCE_DIR}/bench/jsonl_benchmark.cc)
target_link_libraries(jsonl_benchmark PRIVATE consort_output benchmark::benchmark_main)
consort_test(quarantine_line_test SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/unit/quarantine_line_test.cc DEPENDS consort_output)
