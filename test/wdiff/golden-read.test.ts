import { expect, test } from 'vitest';
import {
  openDiff,
  originalLines,
  redo,
  VirtualImage,
  verifyDiff,
  virtualScan,
} from '../../src/wdiff/index.ts';
import { describeGolden, golden } from '../golden/golden.ts';
import { MemoryFile } from '../support/memory-file.ts';
import { memoryOf, sha256 } from './support.ts';

const FIRST = ' on first 1048576 bytes of base';

/** `expected.redo` names a diff by its file, or by its log and format. */
function redoCases(): { file: string; way: string; hash: string }[] {
  const cases: { file: string; way: string; hash: string }[] = [];
  for (const [name, ways] of Object.entries(golden.expected.redo)) {
    for (const [way, hash] of Object.entries(ways)) {
      if (way.startsWith('wlog-redo')) continue;
      const format = /(sorted|indexed)/.exec(way)?.[1];
      const file = format === undefined ? name : `${name}.${format}.wdiff`;
      cases.push({ file: `wdiff/${file}`, way, hash });
    }
  }
  return cases;
}

describeGolden('formats.md 4-6: golden wdiffs', () => {
  test('wdiff-show text is byte-identical', () => {
    const texts = golden.list('text').filter((name) => name.endsWith('.wdiff-show.txt'));
    expect(texts.length).toBeGreaterThan(70);
    for (const text of texts) {
      const name = text.replace('.wdiff-show.txt', '');
      const lines = [...originalLines(memoryOf(`wdiff/${name}`))];
      expect(lines.join('\n') + '\n', name).toBe(golden.read(`text/${text}`).toString());
    }
  });

  test('every file verifies', async () => {
    const files = golden.list('wdiff').map((name) => `wdiff/${name}`);
    files.push(
      ...golden
        .list('pack32')
        .filter((n) => n.endsWith('.wdiff'))
        .map((n) => `pack32/${n}`),
    );
    expect(files.length).toBeGreaterThan(75);
    for (const file of files) {
      const report = await verifyDiff(memoryOf(file));
      expect(report.problems, file).toEqual([]);
      expect(report.ok).toBe(true);
      expect(report.records).toBeGreaterThan(0);
    }
  });
});

describeGolden('formats.md 7: redo and virtual image of golden wdiffs', () => {
  const base = golden.available ? golden.read('image/base-16M.img') : Buffer.alloc(0);
  const cases = golden.available ? redoCases() : [];

  test('there are cases of every way', () => {
    expect(cases.length).toBeGreaterThan(150);
  });

  test.each(cases)('$file, $way', async ({ file, way, hash }) => {
    const diff = openDiff(memoryOf(file));
    if (way.startsWith('virt-full-cat')) {
      const image = Buffer.alloc(base.length);
      for await (const chunk of virtualScan(new MemoryFile(base), diff.batches())) {
        image.set(chunk.data, chunk.offset);
      }
      expect(sha256(image)).toBe(hash);
      return;
    }
    const image = new MemoryFile(way.endsWith(FIRST) ? base.subarray(0, 1048576) : base);
    const discard = way.includes('-z') ? 'zero' : 'ignore';
    const report = await redo(diff.batches(), image, { discard });
    expect(sha256(image.bytes)).toBe(hash);
    if (way.endsWith(FIRST)) expect(image.size()).toBe(1048576);
    else expect(report.skipped).toBe(0);
  });

  test('random access gives the same image as the scan, for chains of both formats', () => {
    for (const format of ['sorted', 'indexed']) {
      const names = ['m1', 'm2', 'm3', 'm4'].map((name) => `${name}.${format}.wdiff`);
      const image = new VirtualImage(
        new MemoryFile(base),
        names.map((name) => memoryOf(`wdiff/${name}`)),
      );
      const bytes = Buffer.alloc(image.size);
      // Odd sizes and offsets: an export may ask for any.
      for (let at = 0; at < image.size; at += 100_001) {
        image.read(at, bytes.subarray(at, Math.min(image.size, at + 100_001)));
      }
      expect(sha256(bytes)).toBe(golden.expected.virt[`base + ${names.join(' ')}`]);
    }
  });
});
