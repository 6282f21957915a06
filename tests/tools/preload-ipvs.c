/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * preload-ipvs.c: for LD_PRELOAD under ipvsadm(8). It plays as much of a kernel
 * with IPVS as ipvsadm needs, for machines without it. It writes each change that
 * ipvsadm makes to $IPVS_LOG, as a line:
 *     service 6 10.0.0.1:3632 wlc
 *     server 10.0.0.1:3632 192.0.2.1:3632 forward=0 weight=400
 * IPv4 only: ipvsadm uses the old interface by socket options where there is no
 * netlink family of that name, and the old interface knows only IPv4.
 */

#include <arpa/inet.h>
#include <dlfcn.h>
#include <linux/ip_vs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static void note(const char *text)
{
	FILE *log = fopen(getenv("IPVS_LOG"), "a");

	if (!log)
		abort();
	(void)fprintf(log, "%s\n", text);
	(void)fclose(log);
}

static void format_address(char *text, size_t size, __be32 address, __be16 port)
{
	struct in_addr in = { .s_addr = address };

	(void)snprintf(text, size, "%s:%u", inet_ntoa(in), ntohs(port));
}

int getsockopt(int fd, int level, int name, void *value, socklen_t *size)
{
	int (*real)(int, int, int, void *, socklen_t *);

	if (level == IPPROTO_IP && name == IP_VS_SO_GET_INFO) {
		struct ip_vs_getinfo info = { .version = 0x010201, .size = 4096 };

		(void)memcpy(value, &info, *size < sizeof(info) ? *size : sizeof(info));
		return 0;
	}
	*(void **)&real = dlsym(RTLD_NEXT, "getsockopt");
	return real(fd, level, name, value, size);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
	int (*real)(int, int, int, const void *, socklen_t);
	const struct ip_vs_service_user *service = value;
	const struct ip_vs_dest_user *server = (const void *)(service + 1);
	char line[256], virtual[64], there[64];

	if (level == IPPROTO_IP && (name == IP_VS_SO_SET_ADD || name == IP_VS_SO_SET_ADDDEST)) {
		if (service->fwmark)
			(void)snprintf(virtual, sizeof(virtual), "fwmark%u", service->fwmark);
		else
			format_address(virtual, sizeof(virtual), service->addr, service->port);
		if (name == IP_VS_SO_SET_ADD) {
			(void)snprintf(line, sizeof(line), "service %u %s %s", service->protocol, virtual, service->sched_name);
		} else {
			format_address(there, sizeof(there), server->addr, server->port);
			(void)snprintf(line, sizeof(line), "server %s %s forward=%u weight=%d", virtual, there,
				       server->conn_flags & IP_VS_CONN_F_FWD_MASK, server->weight);
		}
		note(line);
		return 0;
	}
	*(void **)&real = dlsym(RTLD_NEXT, "setsockopt");
	return real(fd, level, name, value, size);
}
