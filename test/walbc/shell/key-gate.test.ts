import { PassThrough } from 'node:stream';
import { describe, expect, test, vi } from 'vitest';
import { KeyGate, type KeySource } from '../../../src/walbc/shell/key-gate.ts';

function gateOn(isTTY: boolean): {
  gate: KeyGate;
  source: PassThrough;
  got: string[];
  interrupts: () => number;
} {
  const source = new PassThrough();
  const interrupt = vi.fn();
  const gate = new KeyGate(Object.assign(source, { isTTY }) as KeySource, interrupt);
  const got: string[] = [];
  gate.on('data', (chunk: Buffer) => {
    got.push(String(chunk));
    // A line starts a computation.
    if (/[\r\n]/.test(String(chunk))) gate.hold();
  });
  return { gate, source, got, interrupts: () => interrupt.mock.calls.length };
}

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

describe('keys on their way to the prompt', () => {
  test('pasted lines go in one by one, CR LF counts once', async () => {
    const { gate, source, got } = gateOn(true);
    source.write('a\r\nb\rc');
    await turns();
    expect(got).toEqual(['a\r\n']);
    gate.release();
    await turns();
    expect(got).toEqual(['a\r\n', 'b\r']);
    gate.release();
    await turns();
    expect(got).toEqual(['a\r\n', 'b\r', 'c']);
  });

  test('Ctrl-C while code runs interrupts it and drops what was typed ahead', async () => {
    const { gate, source, got, interrupts } = gateOn(true);
    source.write('a\rahead');
    await turns();
    source.write('\x03');
    await turns();
    expect(interrupts()).toBe(1);
    gate.release();
    source.write('x');
    await turns();
    expect(got).toEqual(['a\r', 'x']);
  });

  test('Ctrl-C pasted behind the line that it is to end', async () => {
    const { source, interrupts } = gateOn(true);
    source.write('a\r\x03');
    await turns();
    expect(interrupts()).toBe(1);
  });

  test('Ctrl-C at the prompt is a key', async () => {
    const { source, got, interrupts } = gateOn(true);
    source.write('x\x03');
    await turns();
    expect({ got, interrupts: interrupts() }).toEqual({ got: ['x\x03'], interrupts: 0 });
  });

  test('keys typed ahead are bounded on a terminal; a pipe waits instead', async () => {
    const flood = Buffer.alloc(600 * 1024, 'x');
    const terminal = gateOn(true);
    const pipe = gateOn(false);
    for (const { source } of [terminal, pipe]) source.write('a\n');
    await turns();
    for (const { source } of [terminal, pipe]) for (let i = 0; i < 5; i += 1) source.write(flood);
    await turns();
    expect(pipe.source.isPaused()).toBe(true);
    for (const { gate, source } of [terminal, pipe]) {
      gate.release();
      source.end();
      await turns();
    }
    const total = ({ got }: { got: string[] }): number => got.join('').length;
    expect(total(terminal)).toBe(2 + 600 * 1024);
    expect(total(pipe)).toBe(2 + 5 * 600 * 1024);
  });

  test('the end of input comes after the last computation', async () => {
    const { gate, source, got } = gateOn(false);
    const ended = vi.fn();
    gate.on('end', ended);
    source.end('a\nb\n');
    await turns();
    expect(ended).not.toHaveBeenCalled();
    gate.release();
    await turns();
    gate.release();
    await turns();
    expect(got).toEqual(['a\n', 'b\n']);
    expect(ended).toHaveBeenCalledOnce();
  });
});
