/**
 * The log: file and ring formats, reading, writing, planning. docs/formats-wlog.md has the tables.
 * Works on bytes, `FileHandle` and iterables; never opens files by itself.
 */
export * from './analyze.ts';
export * from './byte-source.ts';
export * from './file-header.ts';
export * from './generator.ts';
export * from './limits.ts';
export * from './log-item.ts';
export * from './original-text.ts';
export * from './pack-header.ts';
export * from './pack-planner.ts';
export * from './plan-encoder.ts';
export * from './reader.ts';
export * from './redo.ts';
export * from './ring-cat.ts';
export * from './ring-device.ts';
export * from './ring-geometry.ts';
export * from './ring-reader.ts';
export * from './ring-repair.ts';
export * from './ring-restore.ts';
export * from './seeded-random.ts';
export * from './super-sector.ts';
export * from './writer.ts';
