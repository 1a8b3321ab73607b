#!/usr/bin/env python3
"""random_timelines.py REPLAY ORACLE [COUNT [SEED]] - random rules and timelines through the engine and through the slow
oracle; the first difference ends it, with the case. Half of them with snapshots and restores in the middle.

A case's clock ticks every second, and after late events, where there are windows that
close: the oracle opens them in the order of rules where the clock leaps over several (correlate-053). Where even that would
not do, no event is late."""
import json, os, random, subprocess, sys

try:
    import yaml
except ImportError:
    print('skip: no python3-yaml')
    sys.exit(77)


def load_oracle(path):
    source = open(path).read()
    source = source[:source.index('\nbad = 0\n')]
    space = {}
    exec(compile(source, path, 'exec'), space)
    return space['run']


TYPES = ['event_count', 'value_count', 'temporal', 'temporal_ordered', 'value_sum', 'value_avg', 'value_percentile']
BATCH = 20  # at once, so that both work; the answers must fit into a pipe


def condition(rnd, kind, bounded, rules):
    high = {'value_sum': 12, 'value_avg': 6, 'value_percentile': 6}.get(kind, min(5, len(rules)) if 'temporal' in kind else 5)
    low = rnd.randint(1, max(1, high))
    if not bounded:
        return {rnd.choice(['gte', 'gte', 'gt']) if low < high else 'gte': low}
    op = rnd.choice(['lt', 'lte', 'eq', 'neq', 'range'])
    return {'gte': low, 'lte': low + rnd.randint(0, 3)} if op == 'range' else {op: low + (op == 'lt')}


def boolean(rnd, names, negate):
    a, b, *rest = names + names[:1]
    if negate:
        return rnd.choice([f'{a} and not {b}', f'({a} or {b}) and not {rest[0]}' if len(names) > 2 else f'{a} and not {b}',
                           f'{a} and {b} and not {rest[0]}' if len(names) > 2 else f'not {b} and {a}'])
    return rnd.choice([f'{a} or {b}', f'{a} and {b}', f'({a} or {b}) and {rest[0]}'])


def make_rules(rnd):
    base = ['a', 'b', 'c', 'd'][:rnd.randint(1, 4)]
    docs = [{'name': n, 'detection': {'selection': {'t': n}, 'condition': 'selection'}} for n in base]
    if rnd.random() < .3:  # one event may match two
        docs.append({'name': 'w', 'detection': {'selection': {'w': 1}, 'condition': 'selection'}})
        base.append('w')
    made = []
    for i in range(rnd.randint(1, 4)):
        kind, bounded = rnd.choice(TYPES), rnd.random() < .25
        c = {'type': kind, 'timespan': '%ds' % rnd.choice([3, 5, 10, 20])}
        by = rnd.sample(['u', 'h'], rnd.randint(0, 2))
        pool = list(base)
        for name, inner in made:  # of correlations, those that carry what is asked for
            if set(by) <= set(inner) and kind not in ('value_count', 'value_sum', 'value_avg', 'value_percentile'):
                pool.append(name)
        if made and pool[-1] != base[-1] and rnd.random() < .5:
            rules = [pool[-1]] + rnd.sample(pool[:-1], rnd.randint(0, len(pool) - 1))
            rnd.shuffle(rules)
        else:
            rules = rnd.sample(pool, rnd.randint(1, min(3, len(pool))))
        if by:
            c['group-by'] = by
        if kind == 'temporal' and len(rules) > 1 and rnd.random() < .5:
            c['condition'] = boolean(rnd, rules, bounded)
        else:
            c['rules'] = rules
            if 'temporal' in kind:
                if bounded or rnd.random() < .3:
                    c['condition'] = condition(rnd, kind, bounded, rules)
            else:
                c['condition'] = condition(rnd, kind, bounded, rules)
                if kind != 'event_count':
                    c['condition']['field'] = rnd.choice(['h', ['h', 'v'], 'v']) if kind == 'value_count' else 'v'
                if kind == 'value_percentile':
                    c['condition']['percentile'] = rnd.choice([1, 33, 50, 90, 95, 100])
        if by and 'rules' in c and rnd.random() < .2 and not set(rules) - set(base):
            c['aliases'] = {by[0]: {rnd.choice(rules): rnd.choice(['u', 'h', 'k'])}}
        name = 'c%d' % i
        docs.append({'name': name, 'correlation': c})
        made.append((name, by))
    # A window that closes is asked for in the order of documents, and so are hits: any order but of chains.
    return docs


def make_events(rnd, ticks, in_order):
    events, t, sent = [], 0, []
    step, late = rnd.choice([1, 3, 8]), rnd.choice([0, 0, .2, .5])
    sequence = 0
    for _ in range(rnd.randint(1, 40)):
        before = t
        t += rnd.randint(0, step)
        if ticks:
            events += [{'now': n} for n in range(before + 1, t + 1)]
        f = {'t': rnd.choice('abcd')}
        if rnd.random() < .95: f['u'] = rnd.choice('xyz')
        if rnd.random() < .95: f['h'] = rnd.choice(['h1', 'h2', 'h3'])
        if rnd.random() < .9: f['v'] = rnd.choice([0, 1, 2, 3, 5, 0.5, 2.25, -1])
        if rnd.random() < .1: f['k'] = rnd.choice('xyz')
        if rnd.random() < .2: f['w'] = 1
        at = max(0, t - rnd.randint(0, 25)) if rnd.random() < late and not in_order else t
        if rnd.random() < .3:
            sequence += 1
            f['_uid'] = 'agent/1/%d' % sequence
        if sent and rnd.random() < .05:
            events.append(rnd.choice(sent))
        row = [at, f]
        events.append(row)
        if ticks and at < t: events.append({'now': t})
        if '_uid' in f: sent.append(row)
    if rnd.random() < .7:
        events += [{'now': n} for n in (range(t + 1, t + 70) if ticks else [t + 300])]
    return events


def closing(docs):
    """The correlations whose windows are decided at their end."""
    out = []
    for d in docs:
        c = d.get('correlation', {}).get('condition')
        if isinstance(c, str) and 'not' in c.split() or isinstance(c, dict) and {'lt', 'lte', 'eq', 'neq'} & set(c):
            out.append(d['correlation'])
    return out


def leaps(docs):
    """A late event's own firing is a second hit before the oracle closes anything."""
    names = {d['name'] for d in docs if 'correlation' in d}
    for c in closing(docs):
        rules = set(c.get('rules') or c['condition'].replace('(', ' ').replace(')', ' ').split())
        if len(rules) > 1 and rules & names:
            return True
    return False


def make_case(rnd):
    docs = make_rules(rnd)
    case = {'rules': '---\n'.join(json.dumps(d) + '\n' for d in docs), 'refire': rnd.random() < .2,
            'events': make_events(rnd, closing(docs), leaps(docs))}
    if rnd.random() < .5:
        case['restart'] = sorted(rnd.sample(range(len(case['events'])), min(len(case['events']), rnd.randint(1, 3))))
    return case


def text(fire):
    t, rule, group, value = fire
    return '%.9g %s %s %.12g' % (t, rule, json.dumps(group, separators=(',', ':')), value)


def ask(run, case):
    return sorted(text(f) for f in run(json.loads(json.dumps(case))))


def main():
    replay, path = sys.argv[1:3]
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 400
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else random.randrange(1 << 30)
    if os.environ.get('PICKET_LONG') and len(sys.argv) <= 3:
        count = 100000
    if not os.path.exists(path):
        print('skip: no oracle at', path)
        sys.exit(77)
    oracle = load_oracle(path)
    engine = subprocess.Popen([replay], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    fired = restarted = 0
    for start in range(0, count, BATCH):
        cases = [make_case(random.Random('%d/%d' % (seed, n))) for n in range(start, min(start + BATCH, count))]
        engine.stdin.write(''.join(json.dumps(c) + '\n' for c in cases))
        engine.stdin.flush()
        wants = [ask(oracle, c) for c in cases]
        for n, (case, want) in enumerate(zip(cases, wants), start):
            line = engine.stdout.readline()
            got = json.loads(line) if line else 'it died'
            got = sorted(got) if isinstance(got, list) else got
            if got != want:
                print(json.dumps(case), file=sys.stderr)
                print('case %d/%d differs\n engine %s\n oracle %s' % (seed, n, got, want))
                sys.exit(1)
            fired += len(want)
            restarted += 'restart' in case
        if (start + BATCH) % 1000 == 0:
            print('%d without a difference' % (start + BATCH), file=sys.stderr, flush=True)
    engine.stdin.close()
    if engine.wait() or not fired:
        print('the engine ended with', engine.returncode, 'after', fired, 'firings')
        sys.exit(1)
    print('%d timelines (seed %d), %d with restarts, %d firings, no difference' % (count, seed, restarted, fired))


main()
