/** What every class has without defining it: `Base.__init__(self)`, `super().__init__(text)`. */
import { PythonError } from './exceptions.ts';
import { fn } from './natives.ts';

/** Methods that every class has, and every exception: `Exception.__init__(self, text)`. */
const OF_OBJECTS = {
  __init__: fn('__init__', 'self, *args, **kwargs', (self: unknown, args: readonly unknown[]) => {
    if (!(self instanceof Error)) return;
    self.message = args.length === 1 ? String(args[0]) : args.map(String).join(', ');
    if (self instanceof PythonError) self.args = args;
  }),
  __str__: fn('__str__', 'self', (self: unknown) =>
    self instanceof Error ? self.message : `<${(self as object).constructor.name} object>`,
  ),
};

/** What a class has that does not define it. */
export function inheritedMethod(name: string): unknown {
  return Object.hasOwn(OF_OBJECTS, name) ? OF_OBJECTS[name as keyof typeof OF_OBJECTS] : undefined;
}
