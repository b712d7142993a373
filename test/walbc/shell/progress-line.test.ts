import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { WaitReport } from '../../../src/walbc/environment.ts';
import {
  formatDuration,
  ProgressLine,
  progressText,
} from '../../../src/walbc/shell/progress-line.ts';

const MIB_LB = 2048;

function report(done: number, total: number): WaitReport {
  const view = { state: 'FullSync', progress: [{ done, total, inBytes: false }] };
  return {
    server: 's0',
    volume: 'vol',
    what: 'the end of full_backup of vol',
    view: view as unknown as NonNullable<WaitReport['view']>,
    unreachable: undefined,
    elapsedMs: 0,
  };
}

describe('what the progress line says', () => {
  test('what is awaited, how far, how fast, how long', () => {
    const text = progressText(
      'full_backup',
      report(256 * MIB_LB, 1024 * MIB_LB),
      4000,
      64 * 2 ** 20,
    );
    expect(text).toBe(
      'full_backup [####------------] 25% of 1 GiB, 64 MiB/s, 0:12 left (0:04) vol at s0, FullSync',
    );
  });

  test('without a total, and without a report', () => {
    expect(progressText('x', report(MIB_LB, 0), 0, undefined)).toBe(
      'x 1 MiB (0:00) the end of full_backup of vol at s0, FullSync',
    );
    expect(progressText('get_state', undefined, 61_000, undefined)).toBe('get_state (1:01)');
  });

  test.each([
    ['merge', 'the end of merge from gid 4 to 8', 'from gid 4 to 8 at s0'],
    ['replicate', 'the end of replicate_once of vol', 'vol at s0'],
    ['clear', 'the end of Restore', 'the end of Restore at s0'],
    ['clear', 'the end of stop of vol', 'the end of stop of vol at s0'],
  ])('%s: %s', (call, what, text) => {
    const facts = { ...report(0, 0), view: undefined, what };
    expect(progressText(call, facts, 0, undefined)).toBe(`${call} (0:00) ${text}`);
  });

  test('a server that does not answer', () => {
    const lost = { ...report(0, 0), view: undefined, unreachable: 'connection refused' };
    expect(progressText('x', lost, 0, undefined)).toContain('no answer: connection refused');
  });

  test('what the group lacks', () => {
    const facts = { server: '', view: undefined, what: 'vol to be synchronized' };
    const missing = '64 KiB of log wait at s0';
    expect(progressText('x', { ...report(0, 0), ...facts, missing }, 0, undefined)).toBe(
      'x (0:00) vol to be synchronized: 64 KiB of log wait at s0',
    );
  });

  test.each([
    [7.9, '0:07'],
    [750, '12:30'],
    [10_800, '3:00:00'],
  ])('%d seconds', (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text);
  });
});

describe('when it is drawn', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function screen(columns = 200): { line: ProgressLine; text: () => string } {
    let written = '';
    const output = { columns, write: (text: string) => void (written += text) };
    return { line: new ProgressLine(output, () => Date.now()), text: () => written };
  }

  test('not at all for a quick call', () => {
    const { line, text } = screen();
    line.start('get_state');
    vi.advanceTimersByTime(400);
    line.stop();
    vi.advanceTimersByTime(5000);
    expect(text()).toBe('');
  });

  test('the call itself while nothing else is known', () => {
    const { line, text } = screen();
    line.start('start_server', 'walbc.start_server(a0)');
    vi.advanceTimersByTime(600);
    expect(text()).toContain('walbc.start_server(a0) (0:00)');
    line.report(report(0, 1024 * MIB_LB));
    vi.advanceTimersByTime(200);
    line.stop();
    expect(text().split('\r\x1b[K').at(-2)).toMatch(/^. start_server \[/);
  });

  test('after half a second, then erased', () => {
    const { line, text } = screen();
    line.start('full_backup');
    line.report(report(0, 1024 * MIB_LB));
    vi.advanceTimersByTime(1500);
    line.report(report(512 * MIB_LB, 1024 * MIB_LB));
    vi.advanceTimersByTime(200);
    expect(text()).toContain('50% of 1 GiB');
    expect(text()).toMatch(/MiB\/s, 0:01 left/);
    line.stop();
    expect(text().endsWith('\r\x1b[K')).toBe(true);
    const length = text().length;
    vi.advanceTimersByTime(5000);
    expect(text()).toHaveLength(length);
  });

  test('a rate holds while no news comes; it does not fade', () => {
    const { line, text } = screen();
    line.start('full_backup');
    line.report(report(0, 1024 * MIB_LB));
    vi.advanceTimersByTime(1000);
    line.report(report(100 * MIB_LB, 1024 * MIB_LB));
    vi.advanceTimersByTime(5000);
    line.report(report(100 * MIB_LB, 1024 * MIB_LB));
    vi.advanceTimersByTime(200);
    line.stop();
    const last = text().split('\r\x1b[K').at(-2);
    expect(last).toContain('100 MiB/s');
  });

  test('a part that begins again has a rate of its own', () => {
    const { line, text } = screen();
    line.start('restore');
    line.report(report(0, 1024 * MIB_LB));
    vi.advanceTimersByTime(1000);
    line.report(report(1024 * MIB_LB, 1024 * MIB_LB));
    vi.advanceTimersByTime(1000);
    line.report(report(0, 1024 * MIB_LB));
    vi.advanceTimersByTime(1000);
    line.report(report(10 * MIB_LB, 1024 * MIB_LB));
    vi.advanceTimersByTime(200);
    line.stop();
    expect(text().split('\r\x1b[K').at(-2)).toContain('0% of 1 GiB, 10 MiB/s, 1:41 left');
  });

  test('never wider than the terminal', () => {
    const { line, text } = screen(20);
    line.start('a_method_with_a_long_name_that_goes_on');
    vi.advanceTimersByTime(600);
    line.stop();
    const drawn = text()
      .split('\r\x1b[K')
      .map((part) => part.length);
    expect(Math.max(...drawn)).toBe(19);
  });

  test('never where there is no terminal', () => {
    const line = new ProgressLine(undefined);
    line.start('full_backup');
    expect(vi.getTimerCount()).toBe(0);
  });
});
