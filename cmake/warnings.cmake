# Warnings for our own code only: third-party targets do not link to this.
add_library(clipglot_warnings INTERFACE)
target_compile_options(clipglot_warnings INTERFACE
  -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wcast-align -Wunused -Woverloaded-virtual
  -Wimplicit-fallthrough -Wno-unused-parameter)
if(CLIPGLOT_WERROR)
  target_compile_options(clipglot_warnings INTERFACE -Werror)
endif()
