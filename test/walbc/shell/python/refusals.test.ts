import { describe, expect, test } from 'vitest';
import { PythonSyntaxError, translatePython } from '../../../../src/walbc/shell/python/index.ts';
import { evaluate } from './evaluate.ts';

function refusal(source: string): string {
  try {
    translatePython(source, 'book.py');
  } catch (error) {
    expect(error).toBeInstanceOf(PythonSyntaxError);
    const { place, message } = error as PythonSyntaxError;
    return `${place.line}:${place.column} ${message.replace(/ \(book.py.*$/, '')}`;
  }
  return 'accepted';
}

describe('what is not supported says so by name and place', () => {
  test.each([
    ['x = 1\nasync def f():\n    pass', "2:1 'async def' is not supported"],
    ['await f()', '1:1 await is not supported: calls block by themselves'],
    ['match x:\n    case 1:\n        pass', '1:1 match is not supported; write if and elif'],
    ["x = b'ab'", "1:5 bytes (b'...') are not supported"],
    ['[a for *a, b in x]', '1:8 a starred target in a comprehension is not supported'],
    ['f"{1:=5}"', "1:5 a format that begins with '=' is not supported here"],
    ['x = 3j', '1:5 complex numbers are not supported'],
    ['a @ b', '1:1 the operator @ is not supported'],
    ['class A(B, C):\n    pass', '1:12 a class of several bases is not supported'],
    ['class A(metaclass=M):\n    pass', '1:8 metaclasses'],
    ['async for x in y:\n    pass', '1:1 async is not supported'],
    ['try:\n    pass\nexcept* E:\n    pass', '3:7 except* is not supported; write except'],
    ["'\\N{DASH}'", '1:1 names of characters (\\N{...}) are not supported'],
    ['x = a[1:2, 3]', '1:5 a slice of several dimensions is not supported'],
    ['x = 0777', '1:5 leading zeros are not permitted; an octal number is written 0o777'],
  ])('%j', (source, message) => {
    expect(refusal(source)).toContain(message);
  });

  test.each([
    ['input()', 'NotImplementedError: input() is not supported'],
    ["eval('1')", 'NotImplementedError: eval() is not supported'],
    ["exec('1')", 'NotImplementedError: exec() is not supported; execfile(path) runs a file'],
    ['import subprocess', "ModuleNotFoundError: No module named 'subprocess'; there are: time,"],
    ['(-1) ** 0.5', 'ValueError: the result is a complex number, which is not supported'],
  ])('%s when it is run', (source, message) => {
    expect(evaluate(source)).toContain(message);
  });
});

describe('what is no Python says where', () => {
  test.each([
    ['x = = 1', '1:5'],
    ['x = (1,\n', '1:8 the text ends within brackets or a string'],
    ["x = 'abc", '1:5 unterminated string literal'],
    ['if x:\nprint(1)', '2:1 expected an indented block'],
    ['if x:', '1:6 expected an indented block'],
    ['x = 1\n  y = 2', '2:3 unexpected indent'],
    ['if x:\n    a\n  b', '3:3 unindent does not match any outer indentation level'],
    ['return 1', "1:1 'return' outside function"],
    ['break', "1:1 'break' outside loop"],
    ['def f():\n    continue', "2:5 'continue' not properly in loop"],
    ['for x in y:\n    def f():\n        break', "3:9 'break' outside loop"],
    ['yield 1', "1:1 'yield' outside of a function"],
    ['f(a=1, 2)', '1:8 positional argument follows keyword argument'],
    ['f(a=1, a=2)', '1:8 keyword argument repeated: a'],
    ['def f(a, a):\n    pass', "1:10 duplicate argument 'a'"],
    ['def f(a=1, b):\n    pass', '1:12 parameter without a default follows'],
    ['1 = x', '1:1 cannot assign to a literal'],
    ['f() = 1', '1:1 cannot assign to a function call'],
    ['a + 1 = 2', '1:1 cannot assign to an expression'],
    ['None = 1', '1:1 cannot assign to None'],
    ['*a, *b = c', '1:1 two starred targets'],
    ['*a = c', '1:1 a starred target needs'],
    ['f() += 1', '1:1 cannot update a function call'],
    ['del f()', '1:5 cannot delete a function call'],
    ['try:\n    pass', "1:1 expected 'except' or 'finally'"],
    ['nonlocal x', '1:1 nonlocal declaration not allowed at module level'],
    ['def f():\n    nonlocal zz', "1:1 no binding for nonlocal 'zz' found"],
    ['def f(x):\n    global x', "1:1 name 'x' is parameter and global"],
    ["f'{}'", "1:4 invalid syntax at '}'"],
    ["f'}'", "1:3 f-string: single '}' is not allowed"],
    ['x = 1 if 2', '1:'],
    ['x = \u0000', '1:5 invalid control character'],
    ['→ = 1', "1:1 '→' is no name"],
    ['else:\n    pass', '1:1'],
    ['print(1', '1:8 the text ends within brackets or a string'],
    ['x = [1, 2', '1:10'],
    ['lambda x, x: 1', "1:11 duplicate argument 'x'"],
    ['x = 5 5', '1:'],
    ['for 1 in x:\n    pass', '1:5 cannot assign to a literal'],
    ['import', '1:'],
    ["'\\x4'", '1:1 the escape \\x is cut off'],
  ])('%j', (source, place) => {
    expect(refusal(source)).toContain(place);
    expect(refusal(source).indexOf(place)).toBe(0);
  });
});
