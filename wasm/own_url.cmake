# Thread workers start from the module's own file. Emscripten writes that file's name into it, so that a bundler that
# renames the file breaks it; the address under which the module was loaded is right wherever it lies.
#   cmake -DFILE=<the .mjs> -P own_url.cmake
get_filename_component(name ${FILE} NAME)
file(READ ${FILE} glue)
set(by_name "new URL(\"${name}\",import.meta.url)")
string(FIND "${glue}" "new Worker(${by_name}" place)
if(place EQUAL -1)
  message(FATAL_ERROR "${name}: thread workers are started in another way than expected")
endif()
string(REPLACE "${by_name}" "new URL(import.meta.url)" glue "${glue}")
file(WRITE ${FILE} "${glue}")
