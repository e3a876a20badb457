# Puts every module of the framework (lua/tidegate/**.lua) into one generated C
# file, the table that core/script/reload/embedded.h declares. Included by
# CMakeLists.txt for embed_lua(); run by the build (cmake -P) to write the file.

# The name `require` knows a file by: tidegate/init.lua is tidegate,
# tidegate/guard/jwt.lua is tidegate.guard.jwt.
function(embed_module_name path out)
  string(REGEX REPLACE "(/init)?\\.lua$" "" name ${path})
  string(REPLACE "/" "." name ${name})
  set(${out} ${name} PARENT_SCOPE)
endfunction()

# Writes OUTPUT from the files FILES (separated by commas, relative to ROOT).
function(embed_write root files output)
  string(REPLACE "," ";" files "${files}")
  set(arrays "")
  set(rows "")
  set(index 0)
  foreach(path IN LISTS files)
    embed_module_name(${path} name)
    file(READ ${root}/${path} bytes HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
    # A final zero keeps the array of an empty file legal; size leaves it out.
    string(APPEND arrays "static const unsigned char file_${index}[] = {${bytes}0};\n")
    string(APPEND rows "  {\"${name}\", file_${index}, sizeof file_${index} - 1},\n")
    math(EXPR index "${index} + 1")
  endforeach()
  file(WRITE ${output} "// Generated from lua/ by lua/embed.cmake.
#include \"script/reload/embedded.h\"

${arrays}
const struct embedded_file embedded_lua[] = {
${rows}  {0},
};
const size_t embedded_lua_count = ${index};
")
endfunction()

# Adds the rule that makes the C file and returns its path. The file list is
# part of the command, so an added or removed module rebuilds it as an edit does.
function(embed_lua out)
  set(root ${PROJECT_SOURCE_DIR}/lua)
  set(output ${PROJECT_BINARY_DIR}/embedded_lua.c)
  file(GLOB_RECURSE files CONFIGURE_DEPENDS RELATIVE ${root} ${root}/tidegate/*.lua)
  list(JOIN files "," joined)
  list(TRANSFORM files PREPEND ${root}/)
  add_custom_command(OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DROOT=${root} -DFILES=${joined} -DOUTPUT=${output}
      -P ${root}/embed.cmake
    DEPENDS ${files} ${root}/embed.cmake
    COMMENT "Embedding lua/" VERBATIM)
  set(${out} ${output} PARENT_SCOPE)
endfunction()

if(CMAKE_SCRIPT_MODE_FILE)
  embed_write("${ROOT}" "${FILES}" "${OUTPUT}")
endif()
