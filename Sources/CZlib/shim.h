#ifndef WSCOPE_CZLIB_H
#define WSCOPE_CZLIB_H

#include <zlib.h>

/* Macros in zlib.h, which Swift does not see. Negative window bits mean raw deflate. */
static inline int wscope_deflateInit(z_streamp stream, int level, int windowBits, int memLevel) {
  return deflateInit2(stream, level, Z_DEFLATED, -windowBits, memLevel, Z_DEFAULT_STRATEGY);
}

static inline int wscope_inflateInit(z_streamp stream, int windowBits) {
  return inflateInit2(stream, -windowBits);
}

#endif
