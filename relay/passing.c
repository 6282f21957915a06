/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "passing.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
	char bytes[CMSG_SPACE(PASSING_MAX * sizeof(int))];
	struct cmsghdr align;
};

int passing_send_many(int fd, const void *bytes, size_t size, const int *passed, size_t n)
{
	union control control = { 0 };
	struct iovec part = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = size };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = CMSG_SPACE(n * sizeof(int)),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	if (n == 0 || n > PASSING_MAX)
		return -E2BIG;
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(n * sizeof(int));
	(void)memcpy(CMSG_DATA(header), passed, n * sizeof(int));
	return sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Room for `room` descriptors. The kernel closes those for which there is none, and says so. */
static int receive(int fd, void *bytes, size_t size, int *ret_passed, size_t room, size_t *ret_n)
{
	union control control;
	struct iovec part = { .iov_base = bytes, .iov_len = size };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = CMSG_LEN(room * sizeof(int)),
	};
	const struct cmsghdr *header;
	ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	*ret_n = 0;
	if (n <= 0)
		return n < 0 ? -errno : 0;
	header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_type == SCM_RIGHTS) {
		*ret_n = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		(void)memcpy(ret_passed, CMSG_DATA(header), *ret_n * sizeof(int));
	}
	if (n == (ssize_t)size && *ret_n > 0 && !(message.msg_flags & MSG_CTRUNC))
		return 1;
	while (*ret_n > 0)
		(void)close(ret_passed[--*ret_n]);
	return -EMFILE;
}

int passing_receive_many(int fd, void *bytes, size_t size, int *ret_passed, size_t *ret_n)
{
	return receive(fd, bytes, size, ret_passed, PASSING_MAX, ret_n);
}

int passing_send(int fd, const void *bytes, size_t size, int passed)
{
	return passing_send_many(fd, bytes, size, &passed, 1);
}

int passing_receive(int fd, void *bytes, size_t size, int *ret_passed)
{
	size_t n;

	return receive(fd, bytes, size, ret_passed, 1, &n);
}
