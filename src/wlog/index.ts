export * from './limits.ts';
export * from './pack-header.ts';
export * from './pack-planner.ts';
export * from './ring-geometry.ts';
export * from './super-sector.ts';
