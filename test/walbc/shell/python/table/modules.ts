/** The modules `re` and `traceback`, and what an exception says of its cause. */
import type { Row } from './row.ts';

export const modules: readonly Row[] = [
  [
    String.raw`import re
m = re.match(r'(\w+)\s+(?P<addr>[\d.]+):(?P<port>\d+)', 's0 127.0.0.1:10000 storage')
print(m.group(1), m.group('addr'), int(m.group('port')), m.groups(), m.groupdict(), m.start(), m.end(2), m.group(), m[1], m['port'], m.group(1, 3), m.span())
print(re.search('x', 'abc'), re.findall(r'\d+', 'a1b22'), re.findall(r'(\w)=(\d)', 'a=1 b=2'), re.sub(r'\s+', ' ', 'a  b   c'), re.split(r'[,;]\s*', 'a, b;c', maxsplit=1))
p = re.compile('^vol', re.I | re.M)
print(bool(p.match('Vol1')), p.pattern, [v for v in ['vol0', 'vol1'] if re.search('[02]$', v)], re.sub(r'(\w)(\d)', r'\2\g<1>', 'a1 b2'), re.sub('a', lambda m: m.group().upper(), 'banana'))
print(bool(re.fullmatch(r'\d+', '12')), bool(re.fullmatch('a|ab', 'ab')), bool(re.match('b', 'ab')), re.escape('a.b-c'), [m.group() for m in re.finditer('a.', 'abac')], re.sub('a', 'x', 'aaa', count=2), re.findall('^a', 'a\na', re.M), re.findall('^a', 'a\na'))
print(bool(re.match(r'^[0-9A-Za-z\-]{1,64}$', 'bad_name')), bool(re.match('a$', 'a\n')), bool(re.match(r'a\Z', 'a\n')), re.findall('a.b', 'a\nb', re.S), re.findall(r'(?P<q>["\']).*?(?P=q)', '"x" \'y\''), re.findall(r'[$()?P<]+', '$(?P<x>)'))
if re.match('a(b)?', 'a').group(1) is None:
    print('no group')`,
    String.raw`s0 127.0.0.1 10000 ('s0', '127.0.0.1', '10000') {'addr': '127.0.0.1', 'port': '10000'} 0 12 s0 127.0.0.1:10000 s0 10000 ('s0', '10000') (0, 18)
None ['1', '22'] [('a', '1'), ('b', '2')] a b c ['a', 'b;c']
True ^vol ['vol0'] 1a 2b bAnAnA
True True False a\.b\-c ['ab', 'ac'] xxa ['a', 'a'] ['a']
False True False ['a\nb'] ['"', "'"] ['$(?P<', ')']
no group`,
  ],
  [
    `try:
    try:
        {}['k']
    except KeyError as e:
        raise RuntimeError('outer') from e
except RuntimeError as f:
    print(repr(f.__cause__), f)
print(ValueError('x').__cause__)
import traceback
try:
    1 / 0
except ZeroDivisionError:
    print(traceback.format_exc().strip().split('\\n')[-1])`,
    "KeyError('k') outer\nNone\nZeroDivisionError: division by zero",
  ],
];
