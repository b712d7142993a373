import { expect, test } from 'vitest';
import { WalbError } from '../../src/core/index.ts';
import {
  convertToIndexed,
  convertToSorted,
  type MissingEnd,
  mergeDiffs,
  openDiff,
  originalLines,
  redo,
  sortedDiffParts,
  verifyDiff,
  virtualScan,
} from '../../src/wdiff/index.ts';
import { describeGolden, golden } from '../golden/golden.ts';
import { MemoryFile } from '../support/memory-file.ts';
import { bytesOf, collect, logIos, memoryOf, sha256 } from './support.ts';

interface Status {
  readonly exit: number;
  readonly 'output sha256'?: string;
}

/** Commands of `expected.status` on damaged wdiffs. */
function cases() {
  return Object.entries(golden.expected.status)
    .map(([command, status]) => ({
      command,
      file: /bad\/[\w.-]+\.wdiff/.exec(command)?.[0] ?? '',
      status: status as Status,
    }))
    .filter(({ file }) => file !== '');
}

/** Does what the command does; returns its output. */
async function run(command: string, file: string, missingEnd: MissingEnd): Promise<Uint8Array> {
  const diff = () => openDiff(memoryOf(file), { missingEnd });
  if (command.includes('wdiff-show -csum')) {
    const { problems } = await verifyDiff(memoryOf(file), { missingEnd });
    if (problems[0] !== undefined) throw new WalbError('corrupt', problems[0].message);
    return new Uint8Array(0);
  }
  if (command.includes('wdiff-show')) {
    return Buffer.from([...originalLines(memoryOf(file))].join('\n'));
  }
  if (command.includes('wdiff-merge')) {
    return bytesOf(
      sortedDiffParts(mergeDiffs([diff().batches()]), {
        uuid: new Uint8Array(16),
        compression: { kind: 'snappy', level: 0 },
        packLimit: 'uncompressed',
      }),
    );
  }
  const image = new MemoryFile(golden.read('image/base-16M.img'));
  if (command.includes('wdiff-redo')) {
    await redo(diff().batches(), image, { discard: 'zero' });
    return image.bytes;
  }
  const chunks = virtualScan(image, diff().batches());
  const data: Uint8Array[] = [];
  for await (const chunk of chunks) data.push(chunk.data);
  return Buffer.concat(data);
}

describeGolden('damaged wdiffs: refused where the original refuses them', () => {
  const all = golden.available ? cases() : [];

  test('there are cases', () => expect(all.length).toBeGreaterThan(35));

  test.each(all)('$command', async ({ command, file, status }) => {
    if (status.exit !== 0) {
      await expect(run(command, file, 'refuse')).rejects.toMatchObject({ code: 'corrupt' });
      return;
    }
    // A missing end pack is the one thing the original takes silently and we do not.
    const quirk = file === 'bad/no-end-pack.wdiff';
    if (quirk) await expect(run(command, file, 'refuse')).rejects.toThrow(/without an end pack/);
    const output = await run(command, file, quirk ? 'accept' : 'refuse');
    const expected = status['output sha256'];
    if (expected !== undefined && !command.includes('merge')) expect(sha256(output)).toBe(expected);
  });

  test('logs that the original refuses to convert are refused', async () => {
    const conversions = Object.entries(golden.expected.status).filter(([command]) =>
      command.startsWith('wlog-to-wdiff'),
    );
    expect(conversions.length).toBe(12);
    for (const [command, { exit }] of conversions) {
      const file = /bad\/[\w.-]+\.wlog/.exec(command)?.[0] ?? '';
      const options = {
        uuid: new Uint8Array(16),
        compression: { kind: 'none', level: 0 },
      } as const;
      const convert = command.includes('-indexed') ? convertToIndexed : convertToSorted;
      const converted = () => bytesOf(convert(logIos(file), options));
      if (exit !== 0) {
        await expect(converted(), command).rejects.toMatchObject({ code: 'corrupt' });
        continue;
      }
      const report = await verifyDiff(new MemoryFile(await converted()));
      expect(report, command).toMatchObject({ ok: true });
      expect(report.records, command).toBeGreaterThan(10);
    }
  });

  test('every refusal names file, offset and field', async () => {
    for (const name of golden.list('bad').filter((bad) => bad.endsWith('.wdiff'))) {
      const report = await verifyDiff(memoryOf(`bad/${name}`));
      expect(report.ok, name).toBe(false);
      for (const problem of report.problems) {
        expect(problem.message).toContain(`bad/${name}`);
        expect(problem.offset).toBeTypeOf('number');
        expect(problem.field).toBeTypeOf('string');
      }
    }
  });

  test('verify goes on after damaged data, and counts what is left', async () => {
    const whole = await verifyDiff(memoryOf('wdiff/m1.sorted.wdiff'));
    const damaged = await verifyDiff(memoryOf('bad/bad-data-csum.wdiff'));
    expect(damaged.records).toBe(whole.records);
    expect(damaged.problems).toMatchObject([{ offset: 4128, field: 'record data checksum' }]);
  });

  test('a record checksum of an index is verified also when its data are not wanted', async () => {
    const file = memoryOf('bad/bad-rec-csum.indexed.wdiff');
    await expect(collect(openDiff(file).batches())).rejects.toThrow(/index record checksum/);
  });
});
