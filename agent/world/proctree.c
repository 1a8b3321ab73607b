/* proctree.c - processes for the sake of their ancestors.
 *
 *   bucket[pid] -> node -> node ...        same pid twice: an exited one that still has children
 *   list[class] -> oldest ... newest       every node is in exactly one; eviction goes by class
 *
 * Nodes refer to their parent by (pid, start), never by pointer, so any node may be evicted at any
 * time. Strings (exe, argv0, args, cwd) are one counted block that a forked child shares with its
 * parent: a fork bomb costs nodes only. */
#include <sys/queue.h>

#include "agent/world/world_priv.h"

enum node_class {
	NODE_EXITED,	    /* no children: only late events want it */
	NODE_EXITED_PARENT, /* an ancestor of something that lives */
	NODE_FORKED,	    /* running, never exec'd: workers, or a fork bomb */
	NODE_RUNNING,
	NODE_CLASS_COUNT
};

enum { TICK_NS = 10000000 }; /* /proc/PID/stat counts starts in these */

struct strings {
	uint32_t refs;
	uint32_t exe, argv0, args, cwd; /* lengths, in this order in text */
	char text[];
};

struct node {
	struct proc p; /* first: proctree_ancestor gets it back */
	struct node *next;
	TAILQ_ENTRY(node) of_class;
	struct strings *strings; /* nullable */
	uint64_t key_ns;	 /* start_ns as first known; never changes */
	uint64_t link_ns;	 /* key_ns of the parent it had first, */
	uint32_t link_pid;	 /* which stays its ancestor after that one has exited; 0 = none */
	uint32_t children;	 /* nodes whose link is this one */
	uint64_t exited_boot_ns;
	uint8_t class;
	bool is_approx;	     /* key_ns is cut to a tick */
	bool is_placeholder; /* known only as somebody's parent */
	char name[16];
};
TAILQ_HEAD(node_list, node);

struct proctree {
	struct node **buckets;
	size_t bucket_mask, max, count;
	struct node_list lists[NODE_CLASS_COUNT];
	size_t string_bytes;
	uint64_t evicted;
};

struct proctree *proctree_new(size_t max_processes)
{
	struct proctree *t = calloc(1, sizeof(*t));
	size_t buckets = 1024;

	if (!t)
		return NULL;
	t->max = max_processes ? max_processes : WORLD_PROCESSES_DEFAULT;
	if (t->max < WORLD_PROCESSES_MIN)
		t->max = WORLD_PROCESSES_MIN;
	if (t->max > WORLD_PROCESSES_MAX)
		t->max = WORLD_PROCESSES_MAX;
	while (buckets < t->max)
		buckets *= 2;
	t->bucket_mask = buckets - 1;
	t->buckets = calloc(buckets, sizeof(*t->buckets));
	for (unsigned i = 0; i < NODE_CLASS_COUNT; i++)
		TAILQ_INIT(&t->lists[i]);
	if (!t->buckets) {
		proctree_free(t);
		return NULL;
	}
	return t;
}

static size_t strings_size(const struct strings *s)
{
	return sizeof(*s) + s->exe + s->argv0 + s->args + s->cwd;
}

static void strings_put(struct proctree *t, struct strings *s)
{
	if (!s || --s->refs)
		return;
	t->string_bytes -= strings_size(s);
	free(s);
}

static void node_set_strings(struct proctree *t, struct node *n, struct strings *s)
{
	const char *at = s ? s->text : NULL;

	if (s)
		s->refs++;
	strings_put(t, n->strings);
	n->strings = s;
	n->p.exe = n->p.argv0 = n->p.args = n->p.cwd = SLICE_NONE;
	if (!s)
		return;
	n->p.exe = slice_from(at, s->exe);
	n->p.argv0 = slice_from(at += s->exe, s->argv0);
	n->p.args = slice_from(at += s->argv0, s->args);
	n->p.cwd = slice_from(at + s->args, s->cwd);
}

static void node_set_name(struct node *n, struct slice name)
{
	(void)slice_copy(name, n->name, sizeof(n->name)); /* comm has 15 bytes at most */
	n->p.name = slice_from(n->name, strlen(n->name));
}

static struct node **bucket_of(struct proctree *t, uint32_t pid)
{
	return &t->buckets[pid & t->bucket_mask]; /* pids are dense: they spread by themselves */
}

static bool is_same_start(const struct node *n, uint64_t start_ns, bool is_approx)
{
	uint64_t apart = n->key_ns > start_ns ? n->key_ns - start_ns : start_ns - n->key_ns;

	return apart < (n->is_approx || is_approx ? TICK_NS : 1);
}

static struct node *find_exact(struct proctree *t, uint32_t pid, uint64_t start_ns, bool is_approx)
{
	for (struct node *n = *bucket_of(t, pid); n; n = n->next)
		if (n->p.pid == pid && is_same_start(n, start_ns, is_approx))
			return n;
	return NULL;
}

static struct node *find_newest(struct proctree *t, uint32_t pid)
{
	struct node *best = NULL;

	for (struct node *n = *bucket_of(t, pid); n; n = n->next) {
		if (n->p.pid != pid)
			continue;
		if (!best || best->p.is_exited > n->p.is_exited ||
		    (best->p.is_exited == n->p.is_exited && n->key_ns > best->key_ns))
			best = n;
	}
	return best;
}

static void node_move(struct proctree *t, struct node *n, enum node_class class)
{
	TAILQ_REMOVE(&t->lists[n->class], n, of_class);
	n->class = class;
	TAILQ_INSERT_TAIL(&t->lists[class], n, of_class);
}

static void node_mark_exited(struct proctree *t, struct node *n, uint64_t boot_ns)
{
	n->p.is_exited = true;
	n->exited_boot_ns = boot_ns;
	node_move(t, n, n->children ? NODE_EXITED_PARENT : NODE_EXITED);
}

static void node_drop(struct proctree *t, struct node *n)
{
	struct node **at = bucket_of(t, n->p.pid);

	while (*at != n)
		at = &(*at)->next;
	*at = n->next;
	TAILQ_REMOVE(&t->lists[n->class], n, of_class);
	t->count--;
	struct node *parent = n->link_pid ? find_exact(t, n->link_pid, n->link_ns, false) : NULL;
	if (parent && parent->children && !--parent->children && parent->p.is_exited)
		node_move(t, parent, NODE_EXITED);
	strings_put(t, n->strings);
	free(n);
}

/* Makes room by dropping one node other than keep. Of forked ones the newest goes: in a flood
 * those are the flood, and the old ones are workers that were here before. */
static bool evict_one(struct proctree *t, const struct node *keep)
{
	for (unsigned class = 0; class < NODE_CLASS_COUNT; class ++) {
		struct node *n = class == NODE_FORKED ? TAILQ_LAST(&t->lists[class], node_list)
						      : TAILQ_FIRST(&t->lists[class]);

		if (n && n == keep)
			n = class == NODE_FORKED ? TAILQ_PREV(n, node_list, of_class)
						 : TAILQ_NEXT(n, of_class);
		if (n) {
			node_drop(t, n);
			t->evicted++;
			return true;
		}
	}
	return false;
}

static struct node *node_add(struct proctree *t, uint32_t pid, uint64_t start_ns, bool is_approx,
			     enum node_class class, const struct node *keep)
{
	while (t->count >= t->max)
		if (!evict_one(t, keep))
			return NULL;
	struct node *n = calloc(1, sizeof(*n));
	if (!n)
		return NULL;
	n->p.pid = pid;
	n->p.start_ns = n->key_ns = start_ns;
	n->is_approx = is_approx;
	n->class = (uint8_t) class;
	n->p.name = slice_from(n->name, 0);
	n->next = *bucket_of(t, pid);
	*bucket_of(t, pid) = n;
	TAILQ_INSERT_TAIL(&t->lists[class], n, of_class);
	t->count++;
	return n;
}

static uint32_t cut(struct slice s, size_t max)
{
	return (uint32_t)(s.n > max ? max : s.n);
}

static struct strings *strings_new(struct proctree *t, const struct event_process *p,
				   const struct node *keep)
{
	uint32_t exe = cut(p->exe, WORLD_EXE_BYTES), argv0 = cut(p->argv0, WORLD_ARGV0_BYTES);
	uint32_t args = cut(p->args, WORLD_ARGS_BYTES), cwd = cut(p->cwd, WORLD_CWD_BYTES);
	size_t size = sizeof(struct strings) + exe + argv0 + args + cwd;

	if (!(exe + argv0 + args + cwd))
		return NULL;
	while (t->string_bytes + size > WORLD_PROC_STRINGS_BYTES)
		if (!evict_one(t, keep))
			return NULL;
	struct strings *s = malloc(size);
	if (!s)
		return NULL;
	*s = (struct strings){.exe = exe, .argv0 = argv0, .args = args, .cwd = cwd};
	char *at = s->text;
	memcpy(at, exe ? p->exe.p : "", exe);
	memcpy(at += exe, argv0 ? p->argv0.p : "", argv0);
	memcpy(at += argv0, args ? p->args.p : "", args);
	if (args)
		at[args - 1] = 0; /* the cut one ends like the others */
	memcpy(at + args, cwd ? p->cwd.p : "", cwd);
	t->string_bytes += size;
	return s;
}

/* The parent's node, made from what the child's event says of it if need be. */
static struct node *parent_get(struct proctree *t, const struct event_process *p, bool is_approx,
			       const struct node *keep)
{
	if (!p->ppid || !p->parent_start_ns)
		return NULL;
	struct node *n = find_exact(t, p->ppid, p->parent_start_ns, is_approx);
	if (n)
		return n;
	n = node_add(t, p->ppid, p->parent_start_ns, is_approx, NODE_FORKED, keep);
	if (n) {
		n->is_placeholder = true;
		node_set_name(n, p->parent_name);
	}
	return n;
}

static void node_link(struct proctree *t, struct node *n, const struct event_process *p,
		      bool is_approx)
{
	/* What it was forked from stays its ancestor, also when the kernel has given it to init. */
	if (n->link_pid && find_exact(t, n->link_pid, n->link_ns, false))
		return;
	struct node *parent = parent_get(t, p, is_approx, n);
	if (!parent || parent == n)
		return;
	n->link_pid = parent->p.pid;
	n->link_ns = parent->key_ns;
	parent->children++;
	if (parent->p.is_exited)
		node_move(t, parent, NODE_EXITED_PARENT);
	else if (parent->class == NODE_RUNNING) /* it goes on having children: the last to evict */
		node_move(t, parent, NODE_RUNNING);
}

static void node_set_exe(struct node *n, const struct proc *p)
{
	n->p.exe_inode = p->exe_inode;
	n->p.exe_ctime_ns = p->exe_ctime_ns;
	n->p.exe_mtime_ns = p->exe_mtime_ns;
	n->p.exe_upper_layer = p->exe_upper_layer;
	n->p.exe_lower_layer = p->exe_lower_layer;
	n->p.exe_from_memfd = p->exe_from_memfd;
	n->p.exe_writable = p->exe_writable;
	n->p.exe_deleted = p->exe_deleted;
}

static void node_fill(struct node *n, const struct event_process *p)
{
	n->p.ppid = p->ppid;
	n->p.parent_start_ns = p->parent_start_ns;
	n->p.uid = p->uid;
	n->p.gid = p->gid;
	n->p.login_uid = p->login_uid;
	n->p.tty = p->tty;
	n->p.session_id = p->session_id;
	n->p.group_id = p->group_id;
	n->p.vpid = p->vpid;
	n->p.cgroup_id = p->cgroup_id;
	node_set_name(n, p->name);
	n->is_placeholder = false;
}

/* The node of the process of this event. An older process of the same pid has exited, even if
 * its record was lost. */
static struct node *node_get(struct proctree *t, const struct event_process *p, uint64_t boot_ns,
			     bool is_approx, enum node_class class, bool *ret_is_new)
{
	struct node *n = find_exact(t, p->pid, p->start_ns, is_approx);

	*ret_is_new = !n;
	if (n)
		return n;
	for (struct node *old = *bucket_of(t, p->pid); old; old = old->next)
		if (old->p.pid == p->pid && !old->p.is_exited && old->key_ns < p->start_ns)
			node_mark_exited(t, old, boot_ns);
	return node_add(t, p->pid, p->start_ns, is_approx, class, NULL);
}

static void apply_fork(struct proctree *t, const struct event *e)
{
	bool is_new;
	struct node *n = node_get(t, &e->p, e->boot_ns, false, NODE_FORKED, &is_new);

	if (!n || !(is_new || n->is_placeholder))
		return; /* its exec came first, or it was seeded: that is younger */
	node_fill(n, &e->p);
	node_link(t, n, &e->p, false);
	struct node *parent = n->link_pid ? find_exact(t, n->link_pid, n->link_ns, false) : NULL;
	if (parent && parent->strings) {
		node_set_strings(t, n, parent->strings);
		node_set_exe(n, &parent->p);
		if (!n->p.cgroup_id)
			n->p.cgroup_id = parent->p.cgroup_id;
	} else {
		node_set_strings(t, n, strings_new(t, &e->p, n));
	}
}

static void proc_running(struct proctree *t, const struct event_process *p, uint64_t boot_ns,
			 bool is_approx)
{
	bool is_new;
	struct node *n = node_get(t, p, boot_ns, is_approx, NODE_RUNNING, &is_new);

	if (!n)
		return;
	node_fill(n, p);
	if (!is_approx)
		n->p.start_ns = p->start_ns;
	if (!n->p.is_exited)
		node_move(t, n, NODE_RUNNING);
	node_link(t, n, p, is_approx);
	node_set_strings(t, n, strings_new(t, p, n));
	node_set_exe(n, &(struct proc){.exe_inode = p->exe_inode,
				       .exe_ctime_ns = p->exe_ctime_ns,
				       .exe_mtime_ns = p->exe_mtime_ns,
				       .exe_upper_layer = p->exe_upper_layer,
				       .exe_lower_layer = p->exe_lower_layer,
				       .exe_from_memfd = p->exe_from_memfd,
				       .exe_writable = p->exe_writable,
				       .exe_deleted = p->exe_deleted});
}

static void apply_exit(struct proctree *t, const struct event *e)
{
	struct node *n = find_exact(t, e->p.pid, e->p.start_ns, false);

	if (n && !n->p.is_exited)
		node_mark_exited(t, n, e->boot_ns);
}

/* The list is in the order of becoming useless, nearly that of exiting: looking at its head is
 * enough. A parent that outlived its children's end goes at once, which is what is wanted. */
static void expire(struct proctree *t, uint64_t boot_ns)
{
	uint64_t keep_ns = (uint64_t)WORLD_EXITED_KEEP_MS * 1000000;
	struct node *n;

	while ((n = TAILQ_FIRST(&t->lists[NODE_EXITED])) && n->exited_boot_ns + keep_ns < boot_ns)
		node_drop(t, n);
}

void proctree_apply(struct proctree *t, const struct event *e)
{
	switch (e->type) {
	case EV_FORK:
		apply_fork(t, e);
		break;
	case EV_EXEC:
		proc_running(t, &e->p, e->boot_ns, false);
		break;
	case EV_EXIT:
		apply_exit(t, e);
		break;
	case EV_NONE:
	case EV_GAP:
	case EV_CALL:
	case EV_STATS:
	case EV_KILL: /* its exec was told too */
	case EV_TYPE_COUNT:
		return;
	}
	expire(t, e->boot_ns);
}

void proctree_seed(struct proctree *t, const struct event_process *p, bool is_approx)
{
	struct node *n = find_exact(t, p->pid, p->start_ns, is_approx);

	if (n && !n->is_placeholder)
		return; /* an event was quicker and knows more */
	proc_running(t, p, p->start_ns, is_approx);
}

const struct proc *proctree_find(struct proctree *t, uint32_t pid)
{
	struct node *n = find_newest(t, pid);

	return n ? &n->p : NULL;
}

const struct proc *proctree_ancestor(struct proctree *t, const struct proc *p, unsigned level)
{
	struct node *n = find_exact(t, p->pid, p->start_ns, false);

	while (n && level--)
		n = n->link_pid ? find_exact(t, n->link_pid, n->link_ns, false) : NULL;
	return n ? &n->p : NULL;
}

void proctree_each(const struct proctree *t, void (*fn)(void *arg, const struct proc *p), void *arg)
{
	const struct node *n;

	TAILQ_FOREACH(n, &t->lists[NODE_FORKED], of_class)
	if (!n->is_placeholder)
		fn(arg, &n->p);
	TAILQ_FOREACH(n, &t->lists[NODE_RUNNING], of_class)
	if (!n->is_placeholder)
		fn(arg, &n->p);
}

void proctree_stats(const struct proctree *t, struct world_stats *ret)
{
	ret->processes = t->count;
	ret->process_bytes = t->count * sizeof(struct node) + t->string_bytes +
			     (t->bucket_mask + 1) * sizeof(*t->buckets);
	ret->processes_evicted = t->evicted;
}

void proctree_free(struct proctree *t)
{
	if (!t)
		return;
	for (unsigned i = 0; i < NODE_CLASS_COUNT; i++)
		for (struct node *n; (n = TAILQ_FIRST(&t->lists[i]));) {
			TAILQ_REMOVE(&t->lists[i], n, of_class);
			strings_put(t, n->strings);
			free(n);
		}
	free(t->buckets);
	free(t);
}
