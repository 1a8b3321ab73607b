/* facts_thread.c - what changes the thread that does it (tracing, another network namespace) is done in one that ends
 * with it: nothing of it is left, whatever went wrong. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "agent/audit/facts_priv.h"

enum { STACK_BYTES = 256 << 10 };

int facts_in_thread(void *(*fn)(void *arg), void *arg)
{
	pthread_attr_t attr;
	pthread_t t;
	sigset_t all, before;

	if (pthread_attr_init(&attr))
		return -ENOMEM;
	(void)pthread_attr_setstacksize(&attr, STACK_BYTES);
	/* No signal of the program is to be handled there. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int r = pthread_create(&t, &attr, fn, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	if (r)
		return -r;
	return -pthread_join(t, NULL);
}
