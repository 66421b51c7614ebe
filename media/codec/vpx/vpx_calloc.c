//go:build static_vpx

// libvpx's VP8 encoder has room for every token that a picture could have, 24 * 16 * 16 bytes a macroblock,
// and clears it when it begins: 22 MB at 1280x720, of which an ordinary picture uses a tenth. The
// linker hands its calls of vpx_calloc (vpx_mem/vpx_mem.c) to this one, which has the kernel forget the
// pages instead: they read as zero all the same, and exist when they are written to.

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// From how many bytes on a call of the kernel is worth it.
#define LARGE (1 << 20)

void *vpx_memalign(size_t align, size_t size);

static void clear(char *p, size_t size) {
  if (size >= LARGE) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    char *from = (char *)(((uintptr_t)p + page - 1) & ~(page - 1));
    size_t whole = (size_t)(p + size - from) & ~(page - 1);
    if (madvise(from, whole, MADV_DONTNEED) == 0) {
      memset(p, 0, (size_t)(from - p));
      memset(from + whole, 0, (size_t)(p + size - from) - whole);
      return;
    }
  }
  memset(p, 0, size);
}

void *__wrap_vpx_calloc(size_t n, size_t each) {
  size_t size;
  if (__builtin_mul_overflow(n, each, &size)) return NULL;
  char *p = vpx_memalign(32, size); // vpx_free takes it
  if (p != NULL) clear(p, size);
  return p;
}
