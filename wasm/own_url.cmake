# Thread workers start from the module's own file. Emscripten writes that file's name into it, so that a bundler that
# renames the file breaks it; the address under which the module was loaded is right wherever it lies. And whoever starts the
# module may make the workers itself (Module["clipglotWorker"]): Emscripten listens to a worker's errors only when the .wasm
# is compiled, and waits for ever for one that could not start before.
#   cmake -DFILE=<the .mjs> -P own_url.cmake
get_filename_component(name ${FILE} NAME)
file(READ ${FILE} glue)
set(by_name "new Worker(new URL(\"${name}\",import.meta.url),")
string(FIND "${glue}" "${by_name}" place)
if(place EQUAL -1)
  message(FATAL_ERROR "${name}: thread workers are started in another way than expected")
endif()
string(REPLACE "${by_name}" "(Module[\"clipglotWorker\"]||((url,options)=>new Worker(url,options)))(new URL(import.meta.url)," glue "${glue}")
file(WRITE ${FILE} "${glue}")
