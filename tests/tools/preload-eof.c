/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * preload-eof.c: for LD_PRELOAD. A TLS connection that its server has closed
 * without an end of TLS is an error to SSL_read(3), as it is from OpenSSL 3.2 on.
 */

#include <dlfcn.h>
#include <errno.h>

#define SSL_ERROR_SYSCALL 5

int SSL_read(void *ssl, void *buffer, int size)
{
	static int (*real)(void *, void *, int);
	static int (*get_error)(const void *, int);
	int r;

	if (!real) {
		/* libcurl has loaded it, for itself alone. */
		void *library = dlopen("libssl.so.3", RTLD_NOW | RTLD_NOLOAD);

		real = (int (*)(void *, void *, int))dlsym(library, "SSL_read");
		get_error = (int (*)(const void *, int))dlsym(library, "SSL_get_error");
	}
	r = real(ssl, buffer, size);
	if (r != 0 || get_error(ssl, r) != SSL_ERROR_SYSCALL)
		return r;
	errno = 0;
	return -1;
}
