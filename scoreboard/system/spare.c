/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "system/spare.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#define FRAME_MAX 512u            /* what spare_stack() itself has on the stack, and the call in it */
#define STACK_MAX (128u << 10)    /* what may be given back: the kernel maps more than that at the start */

void spare_bytes(void *at, size_t size)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t begin = ((uintptr_t)at + page - 1) / page * page, end = ((uintptr_t)at + size) / page * page;

	if (begin < end)
		(void)madvise((void *)begin, end - begin, MADV_DONTNEED); /* if this fails, the memory stays in use */
}

void spare_stack(void)
{
	unsigned char *end = (unsigned char *)__builtin_frame_address(0) - FRAME_MAX;

	spare_bytes(end - STACK_MAX, STACK_MAX);
}
