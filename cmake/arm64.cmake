# Toolchain file of the preset native-arm64: Debian's cross compiler, and the emulator that runs what it makes. Both are below
# build/arm64 (tools/setup/arm64.mjs).
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
get_filename_component(_arm64 ${CMAKE_CURRENT_LIST_DIR}/../build/arm64 ABSOLUTE)
set(CMAKE_C_COMPILER ${_arm64}/bin/aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER ${_arm64}/bin/aarch64-linux-gnu-g++)
set(CMAKE_AR ${_arm64}/bin/aarch64-linux-gnu-ar CACHE FILEPATH "")
set(CMAKE_RANLIB ${_arm64}/bin/aarch64-linux-gnu-ranlib CACHE FILEPATH "")
set(CMAKE_STRIP ${_arm64}/bin/aarch64-linux-gnu-strip CACHE FILEPATH "")
set(CMAKE_FIND_ROOT_PATH ${_arm64}/debian)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
# Every test goes through this. "max" is a processor with every extension, among them the int8 dot product.
set(CMAKE_CROSSCOMPILING_EMULATOR ${_arm64}/debian/usr/bin/qemu-aarch64 -cpu max -L ${_arm64}/debian/usr/aarch64-linux-gnu)
