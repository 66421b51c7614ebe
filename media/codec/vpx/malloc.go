package vpx

/*
#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>

// All threads share the C library's heap. By default glibc gives up to eight heaps per core to the
// threads that ask first (mallopt(3), M_ARENA_MAX), and Go moves a codec from thread to thread: as
// layers came and went, each heap kept what the largest of them had once needed, and a call of three
// grew by 10 MB in ten minutes. It has to be said before the second thread begins, which in Go is
// before init.
__attribute__((constructor)) static void share_heap(void) { mallopt(M_ARENA_MAX, 1); }
#endif

// trim_heap also returns free pages within the heap.
static void trim_heap(void) {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}
*/
import "C"

// trim returns the memory of a closed codec to the system. A codec's buffers are among the largest on the C
// heap, and the C library returns only what is at its top by itself.
func trim() { C.trim_heap() }
