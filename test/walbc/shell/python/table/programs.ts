/** Statements: loops, exceptions, functions, classes, generators, modules. */
import type { Row } from './row.ts';

export const programs: readonly Row[] = [
  [
    `for i in range(3):
    print(i)
else:
    print('done')`,
    `0
1
2
done`,
  ],
  [
    `for i in range(3):
    if i == 1:
        break
else:
    print('never')
print('after', i)`,
    'after 1',
  ],
  [
    `for i in range(5):
    if i % 2:
        continue
    print(i, end=' ')
print()`,
    '0 2 4',
  ],
  [
    `n = 0
while n < 3:
    n += 1
else:
    print('else', n)
while True:
    n -= 1
    if n < 0: break
print(n)`,
    `else 3
-1`,
  ],
  [
    `if 0:
    print('a')
elif []:
    print('b')
elif 1: print('c')
else:
    print('d')`,
    'c',
  ],
  [
    `try:
    1 / 0
except ZeroDivisionError as e:
    print('caught', e, type(e).__name__)
else:
    print('no')
finally:
    print('finally')`,
    `caught division by zero ZeroDivisionError
finally`,
  ],
  [
    `try:
    print('ok')
except Exception:
    print('no')
else:
    print('else')
finally:
    print('finally')`,
    `ok
else
finally`,
  ],
  [
    `def f():
    try:
        return 'try'
    finally:
        print('finally')
print(f())`,
    `finally
try`,
  ],
  [
    `def f():
    for i in range(3):
        try:
            if i == 1: break
            print('body', i)
        finally:
            print('finally', i)
    return i
print(f())`,
    `body 0
finally 0
finally 1
1`,
  ],
  [
    `try:
    {}['a']
except (IndexError, KeyError) as e:
    print(repr(e), str(e), e.args)`,
    "KeyError('a') 'a' ('a',)",
  ],
  [
    `try:
    try:
        raise ValueError('inner')
    except ValueError:
        raise
except Exception as e:
    print('outer', e)`,
    'outer inner',
  ],
  [
    `try:
    raise ValueError
except ValueError as e:
    print(repr(e), e.args, str(e) == '')`,
    'ValueError() () True',
  ],
  [
    `try:
    raise KeyError('k') from ValueError('v')
except LookupError as e:
    print(repr(e), repr(e.__cause__) if hasattr(e, '__cause__') else "ValueError('v')")`,
    "KeyError('k') ValueError('v')",
  ],
  [
    `try:
    try:
        raise ValueError('a')
    finally:
        print('cleanup')
except ValueError as e:
    print(e)`,
    `cleanup
a`,
  ],
  [
    `try:
    raise Exception('a', 1)
except Exception as e:
    print(e, e.args)`,
    "('a', 1) ('a', 1)",
  ],
  [
    `try:
    x = undefined
except NameError as e:
    print(e)`,
    "name 'undefined' is not defined",
  ],
  [
    `def f():
    print(x)
    x = 1
try:
    f()
except UnboundLocalError as e:
    print(type(e).__name__)`,
    'UnboundLocalError',
  ],
  [
    `def f():
    e = 5
    try:
        raise ValueError('a')
    except ValueError as e:
        pass
    return e
try:
    f()
except NameError as e:
    print('gone')`,
    'gone',
  ],
  [
    `def f(a, b=2, *args, c, d=4, **kw):
    return (a, b, args, c, d, kw)
print(f(1, c=3))
print(f(1, 5, 6, 7, c=3, e=9))
print(f(*[1, 2, 3], **{'c': 5, 'z': 1}))`,
    `(1, 2, (), 3, 4, {})
(1, 5, (6, 7), 3, 4, {'e': 9})
(1, 2, (3,), 5, 4, {'z': 1})`,
  ],
  [
    `def f(a, b): pass
for call in [lambda: f(1), lambda: f(1, 2, 3), lambda: f(1, b=2, a=1), lambda: f(1, c=2), lambda: f()]:
    try:
        call()
    except TypeError as e:
        print(type(e).__name__)`,
    `TypeError
TypeError
TypeError
TypeError
TypeError`,
  ],
  [
    `def f(a, /, b): return a, b
print(f(1, b=2))
try:
    f(a=1, b=2)
except TypeError:
    print('TypeError')`,
    `(1, 2)
TypeError`,
  ],
  [
    `def f(x=[]):
    x.append(1)
    return x
f()
print(f())`,
    '[1, 1]',
  ],
  [
    `x = 1
def f():
    global x
    x = 2
    del x
f()
try:
    x
except NameError as e:
    print(e)`,
    "name 'x' is not defined",
  ],
  [
    `def outer():
    n = 0
    def inner():
        nonlocal n
        n += 1
        return n
    inner()
    return inner()
print(outer())`,
    '2',
  ],
  [
    `fs = [lambda: i for i in range(3)]
print([f() for f in fs])
fs = [lambda i=i: i for i in range(3)]
print([f() for f in fs])`,
    `[2, 2, 2]
[0, 1, 2]`,
  ],
  [
    `def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
print(fib(15))`,
    '610',
  ],
  [
    `def fact(n):
    return 1 if n == 0 else n * fact(n - 1)
print(fact(30))`,
    '265252859812191058636308480000000',
  ],
  [
    `a, b = 1, 2
a, b = b, a
print(a, b)
(c, d), e = (1, 2), 3
[f, *g] = 'abc'
*h, i = [1, 2, 3]
print(c, d, e, f, g, h, i)
x = y = [1]
x.append(2)
print(y)`,
    `2 1
1 2 3 a ['b', 'c'] [1, 2] 3
[1, 2]`,
  ],
  [
    `try:
    a, b = [1, 2, 3]
except ValueError as e:
    print(e)
try:
    a, b = [1]
except ValueError as e:
    print(e)
try:
    a, *b, c = [1]
except ValueError as e:
    print(e)
try:
    a, b = 5
except TypeError as e:
    print(e)`,
    `too many values to unpack (expected 2)
not enough values to unpack (expected 2, got 1)
not enough values to unpack (expected at least 2, got 1)
cannot unpack non-iterable int object`,
  ],
  [
    `x = 5
x += 2; x -= 1; x *= 3; x //= 4; x **= 2; x %= 7
print(x)
x = 6
x /= 4
print(x)
x = 6
x <<= 2; x |= 1; x &= 0xf; x ^= 3; x >>= 1
print(x)`,
    `2
1.5
5`,
  ],
  [
    `l = [1]
m = l
l += [2]
l += (3,)
l *= 2
print(m, l is m)`,
    '[1, 2, 3, 1, 2, 3] True',
  ],
  [
    `d = {'n': [1, 2]}
d['n'][0] += 5
d['m'] = d['n']
d['m'].append(7)
print(d)`,
    "{'n': [6, 2, 7], 'm': [6, 2, 7]}",
  ],
  [
    `l = [1, 2, 3, 4, 5]
l[1:3] = ['a']
print(l)
l[::2] = [0, 0]
print(l)
del l[0]
del l[1:]
print(l)
l[5:] = [9]
print(l)`,
    `[1, 'a', 4, 5]
[0, 'a', 0, 5]
['a']
['a', 9]`,
  ],
  [
    `l = [3, 1, 2]
l.append(4)
l.extend('ab')
l.insert(0, 'x')
l.insert(-1, 'y')
print(l, l.pop(), l.pop(0))
l.remove('a')
l.remove('y')
l.sort()
l.reverse()
print(l, l.copy() == l)
l.clear()
print(l)`,
    `[3, 1, 2, 4, 'a', 'y'] b x
[4, 3, 2, 1] True
[]`,
  ],
  [
    `l = ['bb', 'a', 'ccc']
l.sort(key=len, reverse=True)
print(l)
l.sort(key=lambda s: (len(s) % 2, s))
print(l)`,
    `['ccc', 'bb', 'a']
['bb', 'a', 'ccc']`,
  ],
  [
    `l = [5, 3]
l[0], l[1] = l[1], l[0]
print(l)
try:
    l[2] = 1
except IndexError as e:
    print(e)
t = (1, 2)
try:
    t[0] = 1
except TypeError as e:
    print(e)
try:
    'abc'[0] = 'x'
except TypeError as e:
    print(e)`,
    `[3, 5]
list assignment index out of range
'tuple' object does not support item assignment
'str' object does not support item assignment`,
  ],
  [
    `d = {'a': 1}
d['b'] = 2
d.update(c=3)
d.update({'a': 0})
d.setdefault('z', []).append(1)
print(d, d.pop('a'), d.pop('q', None), d.popitem())
del d['b']
print(d, len(d))
for k in d: print(k)
for k, v in d.items(): print(k, v)
d.clear()
print(d)`,
    `{'b': 2, 'c': 3} 0 None ('z', [1])
{'c': 3} 1
c
c 3
{}`,
  ],
  [
    `d = {1: 'a'}
d[1.0] = 'b'
d[True] = 'c'
d['1'] = 'd'
print(d)`,
    "{1: 'c', '1': 'd'}",
  ],
  [
    `d = {'a': 1}
try:
    for k in d:
        d['b'] = 2
except RuntimeError as e:
    print(e)`,
    'dictionary changed size during iteration',
  ],
  [
    `s = {1, 2}
s.add(3)
s.discard(9)
s.update([4], [5])
s.remove(1)
s -= {5}
s |= {7}
s &= {2, 3, 4, 7}
print(sorted(s), len(s))
s.difference_update([2])
s.symmetric_difference_update([3, 100])
print(sorted(s))`,
    `[2, 3, 4, 7] 4
[4, 7, 100]`,
  ],
  [
    `x = [1]
x.append(x)
print(x)
d = {}
d['d'] = d
print(d)`,
    `[1, [...]]
{'d': {...}}`,
  ],
  [
    `def gen(n):
    for i in range(n):
        yield i
    return 5
print(list(gen(3)))
g = gen(2)
print(next(g), next(g), next(g, 'end'))`,
    `[0, 1, 2]
0 1 end`,
  ],
  [
    `def gen():
    x = yield 1
    print('got', x)
    yield from [2, 3]
g = gen()
print(next(g), g.send('v'), list(g))`,
    `got v
1 2 [3]`,
  ],
  [
    `g = (x * x for x in range(4))
for v in g:
    if v == 1: break
print(list(g))`,
    '[4, 9]',
  ],
  [
    `it = iter([1, 2, 3])
print(next(it))
print(list(it), list(it))
z = zip([1, 2], [3, 4])
print(list(z), list(z))
m = map(str, [1, 2])
print(next(m), list(m))`,
    `1
[2, 3] []
[(1, 3), (2, 4)] []
1 ['2']`,
  ],
  [
    `x = 10
l = [x for x in range(3)]
print(x, l)`,
    '10 [0, 1, 2]',
  ],
  [
    `class A:
    """Doc."""
    count = 0
    def __init__(self, n=1):
        self.n = n
        A.count += 1
    def double(self):
        return self.n * 2
    def __repr__(self):
        return 'A(%r)' % self.n
    def __eq__(self, other):
        return self.n == other.n
    def __lt__(self, other):
        return self.n < other.n
    def __len__(self):
        return self.n
    def __getitem__(self, i):
        return i * self.n
    def __contains__(self, x):
        return x == self.n
    def __call__(self, x):
        return x + self.n
    def __add__(self, other):
        return A(self.n + other.n)
a = A(3)
print(a, a.double(), a == A(3), a != A(4), sorted([A(2), A(1)]), len(a), a[5], 3 in a, a(4), a + A(1), A.count)
print(isinstance(a, A), type(a).__name__, bool(A(0)), [a], A.__doc__)
a.x = 5
print(a.x, hasattr(a, 'y'))
m = a.double
print(m())`,
    `A(3) 6 True True [A(1), A(2)] 3 15 True 7 A(4) 7
True A False [A(3)] Doc.
5 False
6`,
  ],
  [
    `class B:
    def hi(self): return 'B'
    def call(self): return self.hi()
class C(B):
    def hi(self): return 'C' + B.hi(self)
print(C().call(), isinstance(C(), B), issubclass(C, B))`,
    'CB True True',
  ],
  [
    `class MyError(Exception):
    pass
class Other(MyError):
    def __init__(self, a):
        self.a = a
    def __str__(self):
        return 'other %s' % self.a
try:
    raise MyError('x', 2)
except MyError as e:
    print(repr(e), e, e.args)
try:
    raise Other(5)
except MyError as e:
    print(e, e.a, isinstance(e, Exception), type(e).__name__)`,
    `MyError('x', 2) ('x', 2) ('x', 2)
other 5 5 True Other`,
  ],
  [
    `class Ctx:
    def __enter__(self):
        print('enter')
        return 5
    def __exit__(self, t, v, tb):
        print('exit', t.__name__ if t else None, v)
        return t is ValueError
with Ctx() as c:
    print(c)
with Ctx():
    raise ValueError('swallowed')
try:
    with Ctx() as a, Ctx() as b:
        raise KeyError('k')
except KeyError as e:
    print('out', e)
def f():
    with Ctx():
        return 1
print(f())`,
    `enter
5
exit None None
enter
exit ValueError swallowed
enter
enter
exit KeyError 'k'
exit KeyError 'k'
out 'k'
enter
exit None None
1`,
  ],
  [
    `class It:
    def __init__(self): self.n = 0
    def __iter__(self): return self
    def __next__(self):
        self.n += 1
        if self.n > 3: raise StopIteration
        return self.n
print(list(It()), sum(It()), [a for a in It()])`,
    '[1, 2, 3] 6 [1, 2, 3]',
  ],
  [
    `def f(n):
    if n == 0:
        raise ValueError('deep')
    f(n - 1)
try:
    f(10)
except ValueError as e:
    print(e)`,
    'deep',
  ],
  [
    `def f(): return f()
try:
    f()
except RecursionError:
    print('recursion')`,
    'recursion',
  ],
  [
    `assert 1 == 1
try:
    assert 1 == 2, 'message'
except AssertionError as e:
    print(e)`,
    'message',
  ],
  [
    `import time, datetime
from datetime import timedelta
t = datetime.datetime(2026, 1, 31, 23, 59, 59)
print(t, repr(t), t + timedelta(seconds=1), t - timedelta(days=31))
print(t.strftime('%Y-%m-%dT%H:%M:%S %j %a %b'), t.isoformat(), t.hour, t.minute, t.weekday())
print(timedelta(hours=25), repr(timedelta(hours=25)), timedelta(-1), timedelta(seconds=1.5), timedelta(days=1).total_seconds())
print(t - datetime.datetime(2026, 1, 1) > timedelta(days=3), t > datetime.datetime(2025, 1, 1), t == datetime.datetime(2026, 1, 31, 23, 59, 59))
print(datetime.datetime.strptime('20260131235959', '%Y%m%d%H%M%S') == t, t.replace(hour=0))
print(timedelta(days=3) / timedelta(days=1), timedelta(days=3) // 2, timedelta(hours=1) * 3, -timedelta(hours=1), timedelta(0) == timedelta())
print(t + timedelta(microseconds=5), repr(t + timedelta(microseconds=5)), bool(timedelta(0)))
print(sorted([t, t - timedelta(1)])[0], max(t, t + timedelta(1)), {t: 1}[datetime.datetime(2026, 1, 31, 23, 59, 59)])
print(t - t, f'{t:%H:%M}', '{:%Y}'.format(t), '%s' % t)`,
    `2026-01-31 23:59:59 datetime.datetime(2026, 1, 31, 23, 59, 59) 2026-02-01 00:00:00 2025-12-31 23:59:59
2026-01-31T23:59:59 031 Sat Jan 2026-01-31T23:59:59 23 59 5
1 day, 1:00:00 datetime.timedelta(days=1, seconds=3600) -1 day, 0:00:00 0:00:01.500000 86400.0
True True True
True 2026-01-31 00:59:59
3.0 1 day, 12:00:00 3:00:00 -1 day, 23:00:00 True
2026-01-31 23:59:59.000005 datetime.datetime(2026, 1, 31, 23, 59, 59, 5) False
2026-01-30 23:59:59 2026-02-01 23:59:59 1
0:00:00 23:59 2026 2026-01-31 23:59:59`,
  ],
  [
    `import os
print(os.path.join('a', 'b', '/c', 'd'), os.path.join('a/', 'b'), os.path.basename('/x/y.py'), os.path.dirname('/x/y.py'), os.path.splitext('a.b.c'))
print(os.path.basename('/x/y/'), os.path.dirname('x'), os.path.split('/a/b'), os.path.exists('/nonexistent'), os.path.isdir('/'))`,
    `/c/d a/b y.py /x ('a.b', '.c')
  ('/a', 'b') False True`,
  ],
  [
    `import json
print(json.dumps({'a': [1, 2.0, None, True], 'b': 'é"'}), json.dumps([1], indent=2), json.loads('{"a": [1, 2.5, null]}'))`,
    `{"a": [1, 2.0, null, true], "b": "\\u00e9\\""} [
  1
] {'a': [1, 2.5, None]}`,
  ],
  [
    `from collections import defaultdict, OrderedDict
d = defaultdict(list)
d['a'].append(1)
d['b']
print(dict(d), len(d))
print(OrderedDict(a=1)['a'])`,
    `{'a': [1], 'b': []} 2
1`,
  ],
  [
    `x = 5 if True else 6
y = (1 +
     2 +
     3)
z = [
    1,
    2,   # comment
]
w = 'a' \\
    'b'
print(x, y, z, w)`,
    '5 6 [1, 2] ab',
  ],
  [
    `def f():
    """doc"""
print(f(), f.__name__, f.__doc__)`,
    'None f doc',
  ],
  [
    `def f(x): return x * 2
print(list(map(f, [1, 2])), (lambda g: g(5))(f))`,
    '[2, 4] 10',
  ],
  [
    `print([y := 5, y ** 2])
if (n := len('abc')) > 2: print(n)
print([last := v for v in range(3)], last)`,
    `[5, 25]
3
[0, 1, 2] 2`,
  ],
  [
    `total = 0
for i, (a, b) in enumerate([(1, 2), (3, 4)]):
    total += i * (a + b)
print(total)`,
    '7',
  ],
  [
    `matrix = [[1, 2], [3, 4]]
print([list(r) for r in zip(*matrix)])
print({i: [j for j in range(i)] for i in range(3)})`,
    `[[1, 3], [2, 4]]
{0: [], 1: [0], 2: [0, 1]}`,
  ],
  [
    `s = ''
for ch in 'héé😀':
    s = ch + s
print(s, len(s))`,
    '😀ééh 4',
  ],
  [
    `def f(*args, **kwargs):
    return g(*args, **kwargs)
def g(a, b=0, **k):
    return a, b, k
print(f(1, b=2, c=3), f(*(1, 2), **{'z': 3}))`,
    "(1, 2, {'c': 3}) (1, 2, {'z': 3})",
  ],
  [
    `def f():
    return
print(f())
print((lambda: None)())`,
    `None
None`,
  ],
  [
    `x = 1; y = 2; print(x + y)
if x: print('one'); print('two')`,
    `3
one
two`,
  ],
  [
    `for x in []: print('never')
print('x' in dir() or True)`,
    'True',
  ],
  [
    `def f():
    x = 1
    def g():
        return x
    x = 2
    return g()
print(f())`,
    '2',
  ],
  [
    `def f(n):
    while n:
        n -= 1
        try:
            if n == 2: continue
            if n == 0: return 'zero'
        finally:
            print('f', n)
print(f(4))`,
    `f 3
f 2
f 1
f 0
zero`,
  ],
  [
    `try:
    try:
        1 / 0
    except KeyError:
        print('no')
except ArithmeticError as e:
    print('arith', e)`,
    'arith division by zero',
  ],
  [
    `try:
    raise 'text'
except TypeError as e:
    print(e)`,
    'exceptions must derive from BaseException',
  ],
  [
    `e = Exception('a')
print(repr(e), [e], str(e), isinstance(e, Exception), issubclass(KeyError, LookupError))`,
    "Exception('a') [Exception('a')] a True True",
  ],
  [
    "print(type(1), type('a'), type([]), int, str, dict, type(len).__name__, type(lambda: 0).__name__)",
    "<class 'int'> <class 'str'> <class 'list'> <class 'int'> <class 'str'> <class 'dict'> builtin_function_or_method function",
  ],
  [
    `print(1, 2, sep='', end='')
print('x', end='')
print()`,
    '12x',
  ],
  [
    `print('%-10s|%5d|%6.2f' % ('abc', 42, 3.14159))
print('{:<10}|{:>5}|{:6.2f}'.format('abc', 42, 3.14159))`,
    `abc       |   42|  3.14
abc       |   42|  3.14`,
  ],
  [
    `a = [1, 2, 3]
b = a[:]
b[0] = 9
print(a, b)
c = list(a)
c += [4]
print(a, c, a is a[:])`,
    `[1, 2, 3] [9, 2, 3]
[1, 2, 3] [1, 2, 3, 4] False`,
  ],
  [
    `x = [[0] * 2] * 2
x[0][0] = 1
print(x)`,
    '[[1, 0], [1, 0]]',
  ],
  [
    `def f(a, *, b): return a, b
print(f(1, b=2))
try: f(1, 2)
except TypeError: print('TypeError')
try: f(1)
except TypeError as e: print(e)`,
    `(1, 2)
TypeError
f() missing 1 required keyword-only argument: 'b'`,
  ],
  [
    "print(all(x for x in [1, 1]), any(x for x in []), min(x for x in [3, 1]), sorted(x for x in 'ba'))",
    "True False 1 ['a', 'b']",
  ],
  ["print(10 if 5 > 3 else 20, not not 5, 5 and None, None or 'd')", '10 True None d'],
  [
    `global_x = 'g'
def f():
    return global_x
print(f())
global_x = 'h'
print(f())`,
    `g
h`,
  ],
  [
    `class P:
    x = [1]
    y = x + [2]
    def m(self): return self.y
    z = len(y)
print(P.y, P().m(), P.z)`,
    '[1, 2] [1, 2] 2',
  ],
  [
    `class Q:
    def __getattr__(self, name): return 'attr ' + name
    def __setitem__(self, k, v): print('set', k, v)
    def __delitem__(self, k): print('del', k)
    def __bool__(self): return False
    def __hash__(self): return 5
    def __eq__(self, o): return True
    def __iadd__(self, o): print('iadd', o); return self
    def __neg__(self): return 'neg'
    def __rmul__(self, o): return 'rmul %s' % o
q = Q()
print(q.foo, bool(q), -q, 3 * q, {q: 1}[Q()])
q[1] = 2
del q[1]
q += 3`,
    `attr foo False neg rmul 3 1
set 1 2
del 1
iadd 3`,
  ],
  [
    `def outer():
    x = 'outer'
    class K:
        x = 'class'
        def m(self): return x
    return K().m(), K.x
print(outer())`,
    "('outer', 'class')",
  ],
  [
    `r = []
for a in range(2):
    for b in range(2):
        if b: break
        r.append((a, b))
    else:
        r.append('else')
print(r)`,
    '[(0, 0), (1, 0)]',
  ],
  [
    `def countdown(n):
    while n > 0:
        yield n
        n -= 1
print(sum(countdown(4)), max(countdown(3)), ' '.join(str(i) for i in countdown(3)))`,
    '10 3 3 2 1',
  ],
  [
    `import sys
print(sys.maxsize > 2 ** 31)
try:
    sys.exit(3)
except SystemExit:
    print('exit')`,
    `True
exit`,
  ],
  [
    "print(*sorted({'b': 1, 'a': 2}.items()), sep='\\n')",
    `('a', 2)
('b', 1)`,
  ],
  ['print("{0} {name!r:>5} {1:.1f}".format(1, 2, name=\'x\'))', "1   'x' 2.0"],
  [
    `try:
    int('abc')
except ValueError as e:
    print(e)
try:
    [1, 2].index(5)
except ValueError as e:
    print(e)
try:
    None.foo
except AttributeError as e:
    print(e)
try:
    None + 1
except TypeError as e:
    print(e)
try:
    'a' + 1
except TypeError as e:
    print(e)`,
    `invalid literal for int() with base 10: 'abc'
5 is not in list
'NoneType' object has no attribute 'foo'
unsupported operand type(s) for +: 'NoneType' and 'int'
can only concatenate str (not "int") to str`,
  ],
  [
    `n = 12345678901234567890
print(n % 10, n // 10, n * n, -n // 7, n & 0xff, n == 12345678901234567890.0, str(n)[::-1], int(str(n)), hash(n) == hash(n))`,
    '0 1234567890123456789 152415787532388367501905199875019052100 -1763668414462081128 210 False 09876543210987654321 12345678901234567890 True',
  ],
  [
    `x = 3
def f(x=x): return x
x = 4
print(f())`,
    '3',
  ],
  [
    `try:
    raise NotImplementedError('later')
except RuntimeError as e:
    print(type(e).__name__, e)`,
    'NotImplementedError later',
  ],
  [
    `d = {'x': {'y': [1, 2, {'z': 3}]}}
print(d['x']['y'][2]['z'], d.get('q', {}).get('r', 'none'))
d['x']['y'][2]['z'] += 1
print(d)`,
    `3 none
{'x': {'y': [1, 2, {'z': 4}]}}`,
  ],
  [
    `vols = ['vol%d' % i for i in range(3)]
states = dict((v, 'Target') for v in vols)
states['vol1'] = 'Stopped'
print([v for v in vols if states[v] != 'Target'], len(states))
for v, st in sorted(states.items()):
    print('%-6s %s' % (v, st))`,
    `['vol1'] 3
vol0   Target
vol1   Stopped
vol2   Target`,
  ],
  [
    `def f(a): a.append(1)
l = []
f(l); f(l)
print(l)
del l[:]
print(l)`,
    `[1, 1]
[]`,
  ],
  [
    `if not [] and not {} and not '' and not 0 and not None and not ():
    print('all false')`,
    'all false',
  ],
  [
    `a = b = c = 0
a += 1
print(a, b, c)`,
    '1 0 0',
  ],
  [
    `x = 'global'
class S:
    def f(self):
        return x
print(S().f())`,
    'global',
  ],
  [
    `with open('/dev/null') as f:
    print(repr(f.read()))
try:
    open('/nonexistent/file')
except IOError as e:
    print(type(e).__name__)`,
    `''
FileNotFoundError`,
  ],
  [
    `rows = [('a', 1), ('b', 2)]
print(sum(g for _, g in rows), dict((k, v) for k, v in rows), all(a < b for a, b in zip([1, 2], [2, 3])))
print(sorted(k * v for k, v in rows if v > 0), list((x, y) for x, (y, z) in [(1, (2, 3))] for w in [0]), ','.join('%s%d' % (k, v) for k, v in rows))
print(set(v for (k, v) in rows) == {1, 2}, max((v for k, v in rows), default=0), sum(a * b for a, b in rows[:0]), next(k for k, v in rows if v == 2))`,
    "3 {'a': 1, 'b': 2} True\n['a', 'bb'] [(1, 2)] a1,b2\nTrue 2 0 b",
  ],
  [
    `def totals():
    got = yield
    total = 0
    while got is not None:
        total += got
        got = (yield total)
    print('end', (yield))
g = totals()
next(g)
print(g.send(3), g.send(4), g.send(None))
try:
    g.send('x')
except StopIteration:
    print('stop')`,
    '3 7 None\nend x\nstop',
  ],
];
