import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ARCHIVE_OPTIONS, archiveConfig } from '../../src/archive-server/config.ts';
import {
  activate,
  changeTag,
  createPlain,
  createThin,
  type LvmCommand,
  listVolumes,
  lvmFailure,
  removeVolume,
  renameVolume,
  resizeVolume,
  setPermission,
  snapshotPlain,
  snapshotThin,
  zeroRange,
} from '../../src/archive-server/lvm-commands.ts';
import {
  checkDeviceNames,
  checkLvmName,
  type ImageRole,
  imageName,
  parseImageName,
} from '../../src/archive-server/lvm-names.ts';
import { parseGroup, parseVolumes } from '../../src/archive-server/lvm-report.ts';
import { systemLvm } from '../../src/archive-server/lvm-runner.ts';
import { hasCode, U64_MAX, WalbError } from '../../src/core/index.ts';
import { OptionValues } from '../../src/server/common-options.ts';

const SEED = 20260717;

describe('names of logical volumes (D.1)', () => {
  it('are those of the original', () => {
    const volume = 'vol-1';
    expect(imageName({ role: 'base', volume, gid: 0n })).toBe('wb_vol-1');
    expect(imageName({ role: 'promoting', volume, gid: 7n })).toBe('wb_vol-1_7_tmp');
    expect(imageName({ role: 'restored', volume, gid: 7n })).toBe('wr_vol-1_7');
    expect(imageName({ role: 'restoring', volume, gid: 7n })).toBe('wr_vol-1_7_tmp');
    expect(imageName({ role: 'cold', volume, gid: 7n })).toBe('wc_vol-1_7');
  });

  it('are read back as what they were made from', () => {
    const roles = ['base', 'promoting', 'restored', 'restoring', 'cold'] as const;
    const image = fc.record({
      role: fc.constantFrom<ImageRole>(...roles),
      volume: fc.stringMatching(/^[0-9A-Za-z-]{1,64}$/),
      gid: fc.bigInt({ min: 0n, max: U64_MAX }),
    });
    const property = fc.property(image, ({ role, volume, gid }) => {
      const made = { role, volume, gid: role === 'base' ? 0n : gid };
      expect(parseImageName(imageName(made))).toEqual(made);
    });
    fc.assert(property, { seed: SEED });
  });

  it('leave volumes of others alone', () => {
    const others = [
      ...['root', 'wb_', 'wb_a_1', 'wc_a', 'wr_a', 'wc_a_1_tmp', 'wb_a_tmp', 'wr_a_01', 'wx_a_1'],
      ...['wr_a_18446744073709551616', 'wr_a_b_1', `wb_${'a'.repeat(65)}`, 'Wb_a', 'wb_a\n'],
    ];
    for (const name of others) expect(parseImageName(name), name).toBeUndefined();
  });

  it('never reads one name as two images', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^w[brc]_[a-z0-9_-]{0,20}(_tmp)?$/), (name) => {
        const parsed = parseImageName(name);
        if (parsed !== undefined) expect(imageName(parsed)).toBe(name);
      }),
      { seed: SEED, numRuns: 500 },
    );
  });

  it('of groups and pools can not be options or paths', () => {
    for (const name of ['vg', 'vg-1', 'a.b+c_d', '9']) expect(checkLvmName(name, '-vg')).toBe(name);
    for (const name of ['', '-vg', '.', '..', 'a/b', 'a b', 'ü', 'a'.repeat(128)]) {
      expect(() => checkLvmName(name, '-vg')).toThrow(WalbError);
    }
  });

  it('fit device-mapper, hyphens counted twice', () => {
    checkDeviceNames('vg', 'a'.repeat(64));
    checkDeviceNames('vg', '-'.repeat(40 - 12));
    expect(() => checkDeviceNames('vg', '-'.repeat(64))).toThrow(/shorter id/);
    expect(() => checkDeviceNames('g'.repeat(60), 'a'.repeat(64))).toThrow(/shorter id/);
  });
});

describe('commands of LVM', () => {
  it('say exactly what is meant', () => {
    const lines: readonly (readonly [LvmCommand, string])[] = [
      [
        createThin('vg', 'tp', 'wb_v', 8192),
        'lvcreate --yes --type thin --thinpool tp --virtualsize 8192b --name wb_v vg',
      ],
      [createPlain('vg', 'wb_v', 8192), 'lvcreate --yes --type linear --size 8192b --name wb_v vg'],
      [
        snapshotThin('vg', 'wb_v', 'wr_v_1_tmp', 'rw'),
        'lvcreate --yes --snapshot --setactivationskip n --permission rw --name wr_v_1_tmp vg/wb_v',
      ],
      [
        snapshotPlain('vg', 'wb_v', 'wr_v_1_tmp', 3),
        'lvcreate --yes --snapshot --extents 3 --name wr_v_1_tmp vg/wb_v',
      ],
      [removeVolume('vg', 'wr_v_1'), 'lvremove --force vg/wr_v_1'],
      [renameVolume('vg', 'wr_v_1_tmp', 'wr_v_1'), 'lvrename vg wr_v_1_tmp wr_v_1'],
      [resizeVolume('vg', 'wb_v', 16384), 'lvresize --yes --size 16384b vg/wb_v'],
      [setPermission('vg', 'wb_v', 'rw'), 'lvchange --permission rw vg/wb_v'],
      [changeTag('vg', 'wb_v', 'add', 't'), 'lvchange --addtag t vg/wb_v'],
      [changeTag('vg', 'wb_v', 'delete', 't'), 'lvchange --deltag t vg/wb_v'],
      [activate('vg', 'wb_v'), 'lvchange --yes --activate y --ignoreactivationskip vg/wb_v'],
      [
        zeroRange('/dev/vg/wb_v', 512, 1024),
        'blkdiscard --zeroout --offset 512 --length 1024 /dev/vg/wb_v',
      ],
    ];
    for (const [{ program, args }, line] of lines) expect([program, ...args].join(' ')).toBe(line);
  });

  it.each([
    ['Logical volume vg/x contains a filesystem in use.', 'busy', /unmount/],
    ['Logical volume vg/x in use.', 'busy', /fuser/],
    [
      'Snapshot origin volumes can be resized only while inactive: try lvchange -an.',
      'busy',
      /del-restored/,
    ],
    [
      'Volume group "vg" has insufficient free space (250 extents): 23842 required.',
      'no-space',
      /extend/,
    ],
    [
      'WARNING: Thin pool vg/tp is out of data space.\n  Cannot create new thin volume, free space in thin pool vg/tp reached threshold.',
      'no-space',
      /reached threshold/,
    ],
    ['Logical Volume "x" already exists in volume group "vg"', 'already-exists', /exists/],
    ['Failed to find logical volume "vg/x"', 'not-found', /lvs/],
    ['Volume group "vg" not found\n  Cannot process volume group vg', 'not-found', /process/],
    ['/dev/mapper/control: open failed: Permission denied', 'permission-denied', /needs root/],
    ['Name "vp-wb_--" too long.', 'invalid-argument', /too long/],
    ['Something else entirely', 'io', /Something else entirely$/],
    ['WARNING: only a warning', 'io', /only a warning/],
    ['', 'io', /said nothing/],
  ])('that fail with %j mean %s', (said, code, message) => {
    const result = { exitCode: 5, stdout: '', stderr: said === '' ? '' : `  ${said}\n` };
    const error = lvmFailure(removeVolume('vg', 'x'), result);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(error.message).toContain('`lvremove --force vg/x` failed with 5');
    expect(error.details).toMatchObject({ program: 'lvremove', exit: 5 });
  });

  it('that are not installed are named', async () => {
    const command = { program: 'no-such-lvm' as 'vgs', args: [] };
    await expect(systemLvm.run(command)).rejects.toThrow(/cannot run no-such-lvm.*install lvm2/s);
  });
});

describe('report of vgs', () => {
  /** As lvm2 2.03.16 prints it. */
  const ROW = {
    vg_name: 'vt',
    vg_extent_size: '4194304',
    vg_free: '222298112',
    lv_name: 'wc_v_1',
    lv_size: '8388608',
    lv_attr: 'Vri-a-tz--',
    lv_active: 'active',
    lv_tags: 'one,two',
    pool_lv: 'tp',
    origin: 'wr_v_1',
    data_percent: '12.50',
    zero: 'zero',
  };

  const textOf = (...rows: unknown[]) => JSON.stringify({ report: [{ vg: rows }] });

  it('is read field by field', () => {
    const text = textOf(ROW, {
      ...ROW,
      lv_name: 'tp',
      lv_attr: 'twi-aotz--',
      lv_tags: '',
      pool_lv: '',
      data_percent: '',
      zero: '',
    });
    expect(parseGroup(text)).toEqual({ name: 'vt', extentSize: 4194304, free: 222298112 });
    const [cold, pool] = parseVolumes(text);
    expect(cold).toEqual({
      name: 'wc_v_1',
      image: { role: 'cold', volume: 'v', gid: 1n },
      size: 8388608,
      isActive: true,
      isReadOnly: true,
      isThinPool: false,
      isBroken: false,
      tags: ['one', 'two'],
      pool: 'tp',
      origin: 'wr_v_1',
      usedPercent: 12.5,
      zeroesNewBlocks: true,
    });
    expect(pool).toMatchObject({
      image: undefined,
      isThinPool: true,
      isReadOnly: false,
      tags: [],
      usedPercent: undefined,
      zeroesNewBlocks: false,
    });
  });

  it('shows snapshots without space and failed pools as broken', () => {
    for (const lv_attr of ['swi-I-s---', 'swi-S-s---', 'twi-aotzF-']) {
      expect(parseVolumes(textOf({ ...ROW, lv_attr }))[0]?.isBroken).toBe(true);
    }
  });

  it('of a group without volumes has no rows', () => {
    expect(parseVolumes(textOf())).toEqual([]);
    expect(parseGroup(textOf())).toBeUndefined();
  });

  it.each([
    ['', /no JSON/],
    ['{}', /no list/],
    ['{"report":{}}', /no list/],
    ['{"report":[{"lv":[]}]}', /no list/],
    ['null', /no list/],
    [textOf(null), /no text field/],
    [textOf({ ...ROW, lv_size: 8388608 }), /no text field 'lv_size'/],
    [textOf({ ...ROW, lv_size: '8.00m' }), /lv_size is '8.00m'/],
    [textOf({ ...ROW, lv_size: '99999999999999999999' }), /lv_size/],
    [textOf({ ...ROW, lv_attr: 'V' }), /lv_attr/],
    [textOf({ ...ROW, data_percent: '101' }), /data_percent/],
  ])('that is not one is refused: %s', (text, message) => {
    expect(() => parseVolumes(text)).toThrow(message);
  });

  it('with a group that can not be is refused', () => {
    expect(() => parseGroup(textOf({ ...ROW, vg_extent_size: '0' }))).toThrow(/vg_extent_size/);
    expect(() => parseGroup(textOf({ ...ROW, vg_free: '-1' }))).toThrow(/vg_free/);
  });

  it('throws nothing but corrupt, whatever it is given', () => {
    const value = fc.oneof(fc.string(), fc.integer(), fc.constant(null), fc.array(fc.string()));
    const row = fc.record(Object.fromEntries(Object.keys(ROW).map((key) => [key, value])), {
      requiredKeys: [],
    });
    const property = fc.property(
      fc.oneof(
        row,
        fc.json().map((text) => JSON.parse(text)),
      ),
      (made) => {
        for (const parse of [parseVolumes, parseGroup]) {
          try {
            parse(textOf({ ...ROW, ...(made as object) }));
          } catch (error) {
            expect(hasCode(error, 'corrupt')).toBe(true);
          }
        }
      },
    );
    fc.assert(property, { seed: SEED, numRuns: 500 });
  });

  it('is asked for by name', () => {
    expect(listVolumes('vg').args.at(-1)).toBe('vg');
    expect(listVolumes('vg').args.at(-2)?.split(',')).toEqual(Object.keys(ROW));
  });
});

describe('-vg and -tp (cli.md 2)', () => {
  function configOf(values: Record<string, string>) {
    const parsed = { values: new Map(Object.entries(values)), parameters: [], wantsHelp: false };
    return archiveConfig(new OptionValues(ARCHIVE_OPTIONS, parsed)).lvm;
  }

  it('choose where images are', () => {
    expect(configOf({})).toBeUndefined();
    expect(configOf({ vg: 'vg' })).toEqual({ group: 'vg', pool: '' });
    expect(configOf({ vg: 'vg', tp: 'tp0' })).toEqual({ group: 'vg', pool: 'tp0' });
  });

  it('are refused where they make no sense', () => {
    expect(() => configOf({ tp: 'tp0' })).toThrow(/needs -vg/);
    expect(() => configOf({ vg: 'a/b' })).toThrow(/-vg 'a\/b'/);
    expect(() => configOf({ vg: 'vg', tp: '-f' })).toThrow(/-tp '-f'/);
  });
});
