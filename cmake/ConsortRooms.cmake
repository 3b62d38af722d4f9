# A room is one folder with one purpose: a static library of every .cc in it.
#
# Includes are written from the top-level folder ("shared/ring/ring.h"), but no target sees the
# whole source tree: each top-level folder is reachable only through a directory of its own that
# holds one link. A target that does not depend on supervisor/ cannot include it.

foreach(top shared supervisor worker)
  file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/include_roots/${top})
  file(CREATE_LINK ${CMAKE_SOURCE_DIR}/${top} ${CMAKE_BINARY_DIR}/include_roots/${top}/${top} SYMBOLIC)
endforeach()

add_library(consort_options INTERFACE)
target_compile_options(consort_options INTERFACE -Wall -Wextra -Wconversion -Wshadow)
if(CONSORT_SANITIZE)
  target_compile_options(consort_options INTERFACE -fsanitize=${CONSORT_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(consort_options INTERFACE -fsanitize=${CONSORT_SANITIZE})
endif()
target_include_directories(consort_options INTERFACE ${CMAKE_SOURCE_DIR}/include)

# consort_room(NAME FOLDER DEPENDS target...): NAME is made from the sources in FOLDER
# (relative to the calling list file). The first path component decides its include root.
function(consort_room name folder)
  cmake_parse_arguments(ROOM "" "" "DEPENDS" ${ARGN})
  get_filename_component(top ${CMAKE_CURRENT_SOURCE_DIR} NAME)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*.cc)
  if(sources)
    add_library(${name} STATIC ${sources})
    set_target_properties(${name} PROPERTIES UNITY_BUILD ${CONSORT_UNITY})
    set(scope PUBLIC)
  else()
    add_library(${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(${name} ${scope} ${CMAKE_BINARY_DIR}/include_roots/${top})
  target_link_libraries(${name} ${scope} consort_options ${ROOM_DEPENDS})
endfunction()
