/* As jconfig.h, for libjpeg-turbo's own files. */
#define INLINE inline
#define THREAD_LOCAL
#define SIZEOF_SIZE_T __SIZEOF_SIZE_T__
#if __SIZEOF_LONG__ == __SIZEOF_SIZE_T__
#define HAVE_BUILTIN_CTZL 1
#endif
#define FALLTHROUGH __attribute__((fallthrough));

/* Where a file's last bytes are missing, it matters how many bits are read ahead: 64, as
   everywhere. On 32-bit machines jdhuff.h does that for the x32 interface of Linux only; here,
   after all system headers, it may think it is that. */
#if __SIZEOF_SIZE_T__ == 4
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifndef __x86_64__
#define __x86_64__ 1
#endif
#ifndef __ILP32__
#define __ILP32__ 1
#endif
#endif
