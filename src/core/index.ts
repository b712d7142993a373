export * from './env.ts';
export * from './errors.ts';
export * from './files.ts';
export * from './logger.ts';
export * from './network.ts';
export * from './units.ts';
