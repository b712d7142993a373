/** Classes as configuration files and runbooks write them: bases, super(), properties, decorators. */
import type { Row } from './row.ts';

export const classes: readonly Row[] = [
  [
    `class Server(object):
    count = 0
    def __init__(self, name, **opts):
        self.name, self.opts = name, opts
        Server.count += 1
    def lv(self, vol, gid=None):
        return '/dev/%s/%s' % (self.name, vol if gid is None else 'wr_%s_%d' % (vol, gid))
class Archive(Server):
    def __init__(self, name, vg, **kw):
        Server.__init__(self, name, **kw)
        self.vg = vg
a = Archive('a0', 'vg0', tp='pool')
print(a.lv('vol', gid=5), a.opts, Server.count, Archive.count, isinstance(a, Server), isinstance(a, object))`,
    "/dev/a0/wr_vol_5 {'tp': 'pool'} 1 1 True True",
  ],
  [
    `class A:
    def __init__(self, v):
        super().__init__()
        self.v = v
    def show(self, sign='='):
        return 'A' + sign + str(self.v)
class B(A):
    def __init__(self, v):
        super(B, self).__init__(v + 1)
    def show(self, sign='-'):
        return 'B ' + super().show(sign=sign)
class C(B):
    def show(self):
        return ' '.join(['C', super().show()])
print(B(3).show(), C(1).show())`,
    'B A-4 C B A-2',
  ],
  [
    `class E(Exception):
    def __init__(self, code, msg):
        super().__init__(msg)
        self.code = code
class F(E):
    def __init__(self, msg):
        E.__init__(self, 7, 'F: ' + msg)
    def __str__(self):
        return '<' + super().__str__() + '>'
for e in E(3, 'boo'), F('x'):
    try:
        raise e
    except E as caught:
        print(caught, caught.code, caught.args, repr(caught))`,
    "boo 3 ('boo',) E('boo')\n<F: x> 7 ('F: x',) F('F: x')",
  ],
  [
    `class RunbookError(Exception):
    pass
class Fatal(RunbookError):
    def __init__(self, msg, code=7):
        RunbookError.__init__(self, msg, code)
        self.code = code
try:
    raise Fatal('boom')
except RunbookError as e:
    print(e, e.code, e.args)`,
    "('boom', 7) 7 ('boom', 7)",
  ],
  [
    `class P(object):
    def __init__(self):
        self._v = 1
    @property
    def v(self):
        return self._v * 2
    @v.setter
    def v(self, value):
        self._v = value
    @property
    def fixed(self):
        return 9
    @staticmethod
    def s(a, b=2):
        return a + b
    @classmethod
    def make(cls, v):
        made = cls()
        made.v = v
        return made
class Q(P):
    @property
    def v(self):
        return 'q%d' % self._v
p = P.make(5)
print(p.v, P.s(1), p.s(1, b=5), type(p) is P, Q().v, p.fixed)
try:
    p.fixed = 3
except AttributeError:
    print('read only')
p.v += 1
print(p.v, p.make(2).v, p.__dict__)`,
    "10 3 6 True q1 9\nread only\n22 4 {'_v': 11}",
  ],
  [
    `def loud(f):
    def wrap(*a, **k):
        print('call', f.__name__, a, k)
        return f(*a, **k)
    return wrap
def times(n):
    def deco(f):
        return lambda *a: [f(*a) for _ in range(n)]
    return deco
@times(2)
@loud
def hi(x, y=1):
    return x + y
print(hi(1, 5))
def outer():
    @loud
    def inner():
        return 'in'
    return inner()
print(outer())
class K:
    @loud
    def m(self, x):
        return x * 2
print(K().m(4) if False else K.__name__)
def register(cls):
    cls.known = True
    return cls
@register
class R:
    pass
print(R.known)`,
    'call hi (1, 5) {}\ncall hi (1, 5) {}\n[6, 6]\ncall inner () {}\nin\nK\nTrue',
  ],
  [
    `class T:
    def f(self):
        return [super(T, self).__class__.__name__ for _ in range(1)] if False else [g(self) for g in (lambda s: s.n,)]
    n = 3
print(T().f())
def f():
    return super().x
try:
    f()
except RuntimeError as e:
    print(e)
try:
    class D(5):
        pass
except TypeError:
    print('no base')`,
    '[3]\nsuper(): no arguments\nno base',
  ],
];
