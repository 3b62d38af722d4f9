# What a worker links, jemalloc first, so that its figures are a worker's.
if(CONSORT_WITH_TORCH)
  add_executable(stage_benchmark EXCLUDE_FROM_ALL ${CMAKE_CURRENT_SOURCE_DIR}/bench/stage_benchmark.cc
                                 ${CMAKE_SOURCE_DIR}/worker/main/heap_settings.cc)
  target_link_libraries(stage_benchmark PRIVATE PkgConfig::jemalloc consort_real Threads::Threads)
  add_executable(forward_dump EXCLUDE_FROM_ALL ${CMAKE_CURRENT_SOURCE_DIR}/bench/forward_dump.cc)
  target_link_libraries(forward_dump PRIVATE PkgConfig::jemalloc consort_features consort_infer)
endif()
